#!/bin/sh
# SPDX-License-Identifier: MIT
# Autobahn's WebSocket test suite against our client role, in a virtual
# environment under build/autobahn. What `make autobahn` runs. The suite is
# Python 2.7; Debian 12 has none, so one must be there already: PYTHON2,
# python2.7 in PATH, or one of pyenv's. CASES (of 1.* to 13.*; all) are the
# cases to run; docs/autobahn.md is written when all have run.
# Exit status: 0 all cases passed, 1 some failed, 77 the suite cannot be had.
set -eu
cd "$(dirname "$0")/.."

out=build/autobahn
version=25.10.1

cannot() {
  echo "autobahn: NOT RUN: $1" >&2
  [ ! -s $out/install.log ] || tail -5 $out/install.log >&2
  echo "autobahn: spec/vectors/websocket*.md has the 301 cases of 1.* to 10.* as our own data" \
    "(make test)" >&2
  exit 77
}

python() { # the first Python 2.7 that answers
  for python in "${PYTHON2:-}" python2.7 python2 \
    "$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")"/versions/2.7*/bin/python; do
    if [ -n "$python" ] &&
      "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
}

install() {
  python=$(python)
  [ -n "$python" ] || cannot "the suite needs a Python 2.7, and there is none (PYTHON2=…)"
  rm -rf $out
  mkdir -p $out
  {
    "$python" -m pip install --target $out/virtualenv 'virtualenv<20.22' &&
      PYTHONPATH=$out/virtualenv "$python" -m virtualenv $out/venv &&
      $out/venv/bin/pip install autobahntestsuite==$version
  } >$out/install.log 2>&1 || cannot "pip could not install autobahntestsuite $version:"
  : >$out/installed
}

[ -e $out/installed ] || install

mkdir -p $out/reports
rm -f $out/reports/*
set -f
# shellcheck disable=SC2086
$out/venv/bin/python tools/autobahn_server.py $out/reports ${CASES:-*} \
  >$out/server.log 2>&1 &
set +f
server=$!
trap 'kill $server 2>/dev/null' EXIT INT TERM
port=$(timeout 60 tail -n +1 -F --pid=$server $out/server.log 2>/dev/null |
  sed -n 's/^listening on //p;T;q')
[ -n "$port" ] || { tail -20 $out/server.log >&2; exit 1; }

LUA_CPATH="build/5.4/?.so;;"
export LUA_CPATH
lua5.4 tools/autobahn.lua "$port" $out/reports
