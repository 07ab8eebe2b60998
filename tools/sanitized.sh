#!/bin/sh
# SPDX-License-Identifier: MIT
# The specs under a sanitizer, valgrind, or the collector at its most aggressive,
# with a RabbitMQ of their own.
#   tools/sanitized.sh asan|tsan|valgrind|gc
# What libraries that are not ours do is suppressed by name in tools/suppressions/.
set -u

kind=$1
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here" || exit 1
broker=$here/build/test/rabbitmq-$kind
log=$here/build/test/$kind.log
mkdir -p build/test
spec/support/certificates.sh build/test/certs || exit 1
trap 'tools/rabbitmq.sh stop "$broker" >/dev/null 2>&1' EXIT INT TERM
rm -rf "$broker"
tools/rabbitmq.sh start "$broker" || exit 1
STOMP_TEST_BROKER=$(cat "$broker/url")
STOMP_TEST_BROKER_DIR=$broker
STOMP_TEST_SLOW=1 # times are several times longer
export STOMP_TEST_BROKER STOMP_TEST_BROKER_DIR STOMP_TEST_SLOW

lua_dir=$here/build/$kind
common="--lpath=./lua/?.lua;./lua/?/init.lua;./?.lua --exclude-tags=slow,soak,cluster,packaging"
suppressions=$here/tools/suppressions

interpreter() { # FLAG: Lua 5.4 with a sanitizer's runtime
  gcc -O1 -g "$1" -I/usr/include/lua5.4 -o "$lua_dir/lua" spec/support/lua.c \
    -llua5.4 || exit 1
}

case $kind in
  asan)
    # Preloaded into Debian's interpreter the runtime would be in each program
    # that a spec starts, a compiler or RabbitMQ too: it is linked in instead
    interpreter -fsanitize=address,undefined
    ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:exitcode=9" \
    LSAN_OPTIONS="suppressions=$suppressions/lsan.txt:print_suppressions=0" \
      "$lua_dir/lua" tools/busted.lua --cpath="$lua_dir/?.so" $common >"$log" 2>&1
    ;;
  tsan)
    interpreter -fsanitize=thread
    TSAN_OPTIONS="suppressions=$suppressions/tsan.txt:exitcode=9:report_signal_unsafe=0" \
      "$lua_dir/lua" tools/busted.lua --cpath="$lua_dir/?.so" $common >"$log" 2>&1
    ;;
  valgrind)
    valgrind -q --fair-sched=yes --error-exitcode=9 --leak-check=full \
      --show-leak-kinds=definite --errors-for-leak-kinds=definite \
      --suppressions="$suppressions/valgrind.txt" --num-callers=25 \
      lua5.4 tools/busted.lua --cpath="$here/build/5.4/?.so" $common >"$log" 2>&1
    ;;
  gc) # spec/support/helper.lua; a process for each folder: a heap that holds all
    # specs makes each collection some ten times dearer
    : >"$log"
    for folder in spec/*/; do
      ls "$folder"*_spec.lua >/dev/null 2>&1 || continue
      STOMP_TEST_GC=${STOMP_TEST_GC:-10000} lua5.4 tools/busted.lua \
        --cpath="$here/build/5.4/?.so" $common "$folder" >>"$log" 2>&1 || exit_status=1
    done
    (exit "${exit_status:-0}")
    ;;
  *) echo "usage: sanitized.sh asan|tsan|valgrind|gc" >&2; exit 2 ;;
esac
status=$?
grep -E '^(==[0-9]+==|WARNING: ThreadSanitizer|SUMMARY|.*runtime error)' "$log" |
  head -20
tail -5 "$log"
[ $status -eq 0 ] && echo "$kind: clean" || echo "$kind: exit status $status, see $log"
exit $status
