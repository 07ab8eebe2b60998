#!/bin/sh
# SPDX-License-Identifier: MIT
# The C tests, built without sanitizers, under valgrind: what reads memory that was
# never written is found by it alone; the last line counts them. What `make
# valgrind-c` runs after building.
#   tools/valgrind.sh TEST...
set -u
cd "$(dirname "$0")/.." || exit 1

one() { # NAME
  if valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --suppressions=tools/suppressions/valgrind.txt \
    "build/plain/$1" >"build/plain/$1.log" 2>&1; then
    echo "ok   $1"
  else
    echo "FAIL $1"
    tail -40 "build/plain/$1.log"
  fi
}

if [ "$1" = --one ]; then
  one "$2"
  exit
fi
log=build/plain/valgrind.log
printf '%s\n' "$@" | xargs -P 2 -n 1 "$0" --one | tee "$log"
failed=$(grep -c '^FAIL' "$log")
passed=$(grep -c '^ok ' "$log")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -eq $# ]
