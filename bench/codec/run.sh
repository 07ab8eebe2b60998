#!/bin/sh
# SPDX-License-Identifier: MIT
# The codec against @stomp/stompjs's and against one written by hand in Lua, in
# turns, RUNS times; the best of each counts. Then instructions by callgrind,
# which no other program disturbs. What `make bench-codec` runs. Exit status 1
# where a ratio that binds was missed.
set -eu
cd "$(dirname "$0")/../.."
out=build/bench
runs=${RUNS:-3}
mkdir -p $out

gcc -std=c11 -D_GNU_SOURCE -DSTOMP_NO_DEFLATE -O2 -Isrc -o $out/core bench/codec/core.c \
  src/core/*.c src/os/memory.c
if [ ! -d $out/node_modules/@stomp/stompjs ]; then
  (cd $out && npm install --silent --no-fund --no-audit @stomp/stompjs@7 ws@8 >/dev/null)
fi
cp bench/codec/stompjs.mjs $out/codec.mjs

LUA_PATH="./?.lua;;"
LUA_CPATH="build/5.4/?.so;;"
export LUA_PATH LUA_CPATH
lua5.4 -e 'io.write(require("bench.codec.measure").chunk)' >$out/chunk
frames=$(lua5.4 -e 'print(require("bench.codec.measure").n)')

: >$out/figures
note() { # WHO COMMAND...
  who=$1
  shift
  "$@" >$out/lines
  sed "s/^/$who /" $out/lines >>$out/figures
}
n=0
while [ $n -lt "$runs" ]; do
  note ours lua5.4 bench/codec/ours.lua
  note plain lua5.4 bench/codec/plain.lua
  note stompjs node $out/codec.mjs $out/chunk "$frames"
  note core $out/core
  n=$((n + 1))
done

echo "best of $runs, frames/s: 264 bytes, 6 headers"
status=0
awk '
  { key = $1 " " $2; if ($3 > best[key]) best[key] = $3 }
  function row(what, js, lua,  ours, a, b) {
    ours = best["ours " what]
    a = ours / best["stompjs " what]
    b = ours / best["plain " what]
    printf "%-8s %9.0f | stompjs %7.0f: %5.1f x%s | plain Lua %7.0f: %5.1f x%s\n",
      what, ours, best["stompjs " what], a, js ? " (bound " js ")" : "",
      best["plain " what], b, lua ? " (bound " lua ")" : ""
    if (a < js || b < lua) missed = 1
  }
  END {
    row("lazy", 15, 6); row("whole", 4.5, 2); row("encode", 0, 0)
    print "C, bodies of 64 KiB, GB/s"
    for (key in best) if (key ~ /^core /) printf "%-18s %6.1f\n", substr(key, 6), best[key] | "sort"
    close("sort")
    if (missed) { print "MISSED: a ratio is below its bound"; exit 1 }
  }' $out/figures || status=1

command -v valgrind >/dev/null || exit $status
collected() { # ROUNDS COMMAND... (NAME and ROUNDS are appended)
  rounds=$1
  shift
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" "$rounds" 2>&1 |
    sed -n 's/.*Collected : //p'
}
each() { # PER COMMAND...: instructions of one round, divided by PER
  per=$1
  shift
  few=$(collected 10 "$@")
  many=$(collected 30 "$@")
  echo $(((many - few) / 20 / per))
}
echo "instructions a frame"
for what in lazy whole encode; do
  printf '%-8s ours %6d | plain Lua %6d\n' $what \
    "$(each "$frames" lua5.4 bench/codec/ours.lua $what)" \
    "$(each "$frames" lua5.4 bench/codec/plain.lua $what)"
done
echo "instructions a KiB"
for what in parse-counted parse-searched mask websocket-receive websocket-send; do
  case $what in parse*) kib=512 ;; *) kib=64 ;; esac
  printf '%-18s %5d\n' $what "$(each $kib $out/core $what)"
done
exit $status
