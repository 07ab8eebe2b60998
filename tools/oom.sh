#!/bin/sh
# SPDX-License-Identifier: MIT
# Each request for memory fails once: through every vector and whole conversations
# (the C tests do that by themselves), and through the bindings; the last line counts
# them. What `make oom` runs after building.
#   tools/oom.sh TEST...         the whole
#   tools/oom.sh --quick STEP    the bindings of the core alone, one request in STEP
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/oom

export LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;"
export LUA_CPATH="build/oom/?.so;;"
export ASAN_OPTIONS="detect_leaks=1"
export LSAN_OPTIONS="suppressions=tools/suppressions/lsan.txt:print_suppressions=0"

if [ "$1" = --quick ]; then
  exec build/oom/host spec/oom/core.lua "$2"
fi

passed=0
failed=0
check() { # NAME COMMAND...
  name=$1
  shift
  if "$@" >"build/oom/$name.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name"
    tail -30 "build/oom/$name.log"
  fi
}

for name; do
  check "$name" "build/test/$name"
done
for script in core link; do
  check "$script.lua" build/oom/host "spec/oom/$script.lua"
  tail -1 "build/oom/$script.lua.log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
