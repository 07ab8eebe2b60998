#!/bin/sh
# SPDX-License-Identifier: MIT
# The core's C tests on a machine with 32 bits and on a big-endian one, by
# qemu-user; the last line counts them. What `make portable` runs after building.
#   tools/portable.sh TEST...
set -u
cd "$(dirname "$0")/.." || exit 1

run_all() { # ARCH QEMU TEST...: the name of a test that failed goes to ARCH/failed
  arch=$1
  qemu=$2
  shift 2
  : >"build/$arch/failed"
  for name; do
    if "$qemu" "build/$arch/$name" >"build/$arch/$name.log" 2>&1; then
      echo "ok   $arch $name"
    else
      echo "$name" >>"build/$arch/failed"
      echo "FAIL $arch $name"
      tail -20 "build/$arch/$name.log"
    fi
  done
}

run_all i686 qemu-i386 "$@" &
run_all s390x qemu-s390x "$@" &
wait
failed=$(cat build/i686/failed build/s390x/failed | wc -l)
echo "$((2 * $# - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
