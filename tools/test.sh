#!/bin/sh
# SPDX-License-Identifier: MIT
# Every test, with a RabbitMQ of its own; the last line counts them. What `make
# test` runs after building. BUILD is the build folder of Lua 5.4.
set -u

here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here" || exit 1
broker=$here/build/test/rabbitmq
passed=0
failed=0

tally() { # a file with busted's or a C test's output
  line=$(grep -E '[0-9]+ success(es)? / [0-9]+ failures? / [0-9]+ errors?' "$1" |
    tail -1)
  if [ -z "$line" ]; then
    failed=$((failed + 1))
    return
  fi
  set -- $(echo "$line" | tr -c '0-9\n' ' ')
  passed=$((passed + $1))
  failed=$((failed + $2 + $3))
}

count() { # NAME COMMAND...: one test more
  name=$1
  shift
  if "$@" >"build/test/$name.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name"
    tail -30 "build/test/$name.log"
  fi
}

run_busted() { # LUA-VERSION ARGUMENTS...
  version=$1
  shift
  log=build/test/busted-$version.log
  echo "== busted on Lua $version"
  busted --lua="lua$version" --cpath="./build/$version/?.so" "$@" 2>&1 |
    tee "$log"
  tally "$log"
}

mkdir -p build/test
trap 'tools/rabbitmq.sh stop "$broker" >/dev/null 2>&1' EXIT INT TERM
# it starts while the tests that need no broker run
rm -rf "$broker"
tools/rabbitmq.sh start "$broker" >build/test/rabbitmq.log 2>&1 &
starting=$!

for source in spec/c/*_test.c; do
  [ -f "$source" ] || continue
  name=$(basename "$source" .c)
  count "$name" make -s "run-$name"
done
count fuzz_corpus make -s fuzz-regress
count oom_bindings make -s oom-quick
count simulation make -s simulate SEEDS=1000
# what runs without sockets, and the built-in loop, on the oldest Lua too
run_busted 5.1 --exclude-tags=broker,process spec/core spec/client spec/loop \
  spec/testing spec/regress

if wait $starting; then
  STOMP_TEST_BROKER=$(cat "$broker/url")
  STOMP_TEST_BROKER_DIR=$broker
  export STOMP_TEST_BROKER STOMP_TEST_BROKER_DIR
else
  echo "FAIL RabbitMQ did not start"
  cat build/test/rabbitmq.log
  failed=$((failed + 1))
fi
run_busted 5.4
# the last: it kills the broker
LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;" LUA_CPATH="build/5.4/?.so;;" \
  count chaos lua5.4 tools/chaos.lua "$broker" 3

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
