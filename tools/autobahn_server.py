# SPDX-License-Identifier: MIT
# Autobahn's fuzzing server on a free port of the loopback; says the port on a
# line of its own once it listens. Python 2.7, as the suite itself.
#   autobahn_server.py OUTDIR CASES...
import json
import os
import socket
import sys

from autobahntestsuite import wstest
from twisted.internet import reactor


def free_port():
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    return port


def ready():
    print("listening on %d" % port)
    sys.stdout.flush()


outdir, port = sys.argv[1], free_port()
spec = os.path.join(outdir, "spec.json")
with open(spec, "w") as f:
    json.dump({"url": "ws://127.0.0.1:%d" % port, "outdir": outdir,
               "cases": sys.argv[2:]}, f)
reactor.callWhenRunning(ready)
sys.argv = ["wstest", "-m", "fuzzingserver", "-s", spec, "-u", "0"]
wstest.run()
