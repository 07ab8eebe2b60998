#!/bin/sh
# SPDX-License-Identifier: MIT
# An ActiveMQ of our own, Classic or Artemis, with STOMP over WebSocket: own folders
# and free ports; one that runs already is left alone.
#   tools/activemq.sh start DIR classic|classic6|artemis  waits until it is up;
#                                      DIR/url: a connector as it is installed;
#                                      DIR/configured: one with a larger message
#                                      limit (Classic), or where /queue/ and
#                                      /topic/ mean queue and topic (Artemis)
#   tools/activemq.sh kill DIR         kill -9 (for tests of crashes)
#   tools/activemq.sh restart DIR      after kill: the same folders and ports
#   tools/activemq.sh stop DIR
# Logins: admin/admin; reader/reader, who may not send.
# The brokers come by Maven, once, into build/activemq.
set -eu

CLASSIC=5.18.6
CLASSIC6=6.1.6
ARTEMIS=2.40.0

here=$(cd "$(dirname "$0")/.." && pwd)
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
kind=${3:-}

fail() {
  echo "activemq: $*" >&2
  exit 1
}

need() {
  for program; do
    command -v "$program" >/dev/null 2>&1 ||
      fail "needs $program: Java 17 (a JDK) and Maven"
  done
}

# Into a folder of the given name, or nothing at all.
fetch() { # NAME COMMAND...: the command fills the folder $part
  lib=$here/build/activemq/$1
  [ ! -d "$lib" ] || return 0
  part=$lib.part
  rm -rf "$part"
  mkdir -p "$here/build/activemq"
  shift
  # (in build, for the plugin leaves markers where it runs)
  (cd "$here/build/activemq" && "$@") >"$lib.log" 2>&1 || { tail -5 "$lib.log" >&2; fail "no broker from Maven"; }
  mv "$part" "$lib"
}

jars() { # MAVEN-OPTION...
  mvn -B -f "$here/tools/activemq/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$part" "$@"
}

assembly() {
  mvn -B dependency:unpack -DoutputDirectory="$part" \
    -Dartifact="org.apache.activemq:apache-artemis:$ARTEMIS:zip:bin"
}

# ---- Classic ----

configure_classic() { # PORT PORT
  cat >"$dir/run" <<RUN
exec java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \\
  -cp "$lib/*" "$here/tools/activemq/Classic.java" $1 $2 "$dir/data"
RUN
  echo '^ready' >"$dir/ready"
}

# ---- Artemis ----

# What `artemis create` makes, with one more acceptor and one more login.
configure_artemis() { # PORT PORT
  instance=$dir/instance
  sh "$lib/apache-artemis-$ARTEMIS/bin/artemis" create --silent --user admin \
    --password admin --require-login --no-web --no-autotune --nio \
    --no-amqp-acceptor --no-hornetq-acceptor --no-mqtt-acceptor \
    --no-stomp-acceptor --host 127.0.0.1 --default-port "$1" "$instance" \
    >"$dir/out" 2>&1 || { tail -5 "$dir/out" >&2; fail "could not be configured"; }
  prefixes="anycastPrefix=/queue/;multicastPrefix=/topic/"
  sed -i -e "s|</acceptors>|<acceptor name=\"configured\">tcp://127.0.0.1:$2?protocols=STOMP;$prefixes</acceptor></acceptors>|" \
    -e '/"send"\|"manage"/!s/roles="amq"/roles="amq,readers"/' \
    "$instance/etc/broker.xml"
  printf '\nreader = reader\n' >>"$instance/etc/artemis-users.properties"
  printf '\nreaders = reader\n' >>"$instance/etc/artemis-roles.properties"
  cat >"$dir/run" <<RUN
JAVA_ARGS="-Xmx512m -Dlog4j2.disableJmx=true --add-opens java.base/jdk.internal.misc=ALL-UNNAMED"
export JAVA_ARGS
exec sh "$instance/bin/artemis" run
RUN
  echo 'AMQ221007' >"$dir/ready"
}

# ---- Both ----

run() {
  [ -f "$dir/run" ] || fail "$dir was not started"
  : >"$dir/out"
  setsid sh "$dir/run" >"$dir/out" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  n=0
  until grep -q "$(cat "$dir/ready")" "$dir/out"; do
    n=$((n + 1))
    if [ $n -ge 600 ] || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
      tail -20 "$dir/out" >&2
      fail "did not start"
    fi
    sleep 0.1
  done
}

end() { # SIGNAL; returns when the process is gone
  [ -f "$dir/pid" ] || return 0
  pid=$(cat "$dir/pid")
  kill "$1" "$pid" 2>/dev/null || true
  n=0
  while kill -0 "$pid" 2>/dev/null; do
    n=$((n + 1))
    if [ $n -ge 300 ]; then kill -9 "$pid" 2>/dev/null || true; fi
    sleep 0.1
  done
  rm -f "$dir/pid"
}

case $command in
  start)
    need java mvn lua5.4
    case $kind in
      classic) fetch "classic-$CLASSIC" jars ;;
      classic6)
        fetch "classic-$CLASSIC6" jars -Dactivemq.version=$CLASSIC6 \
          -Djetty.websocket=websocket-jetty-server -Djetty.version=11.0.24
        ;;
      artemis) fetch "artemis-$ARTEMIS" assembly ;;
      *) fail "classic, classic6 or artemis?" ;;
    esac
    set -- $(lua5.4 "$here/tools/freeports.lua" 2)
    case $kind in
      artemis) configure_artemis "$@" ;;
      *) configure_classic "$@" ;;
    esac
    echo "ws://127.0.0.1:$1/" >"$dir/url"
    echo "ws://127.0.0.1:$2/" >"$dir/configured"
    run
    ;;
  restart) run ;;
  kill) end -9 ;;
  stop) end -15 ;;
  *)
    echo "usage: activemq.sh start|kill|restart|stop DIR [classic|classic6|artemis]" >&2
    exit 2
    ;;
esac
