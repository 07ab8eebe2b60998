#!/bin/sh
# SPDX-License-Identifier: MIT
# Ours against @stomp/stompjs, in the same minute, one after the other, each
# RUNS times; the best of each counts. What `make bench` runs.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
out=build/bench
runs=${RUNS:-3}
mkdir -p $out
gcc -O2 -D_GNU_SOURCE -Isrc -o $out/loadserver bench/loadserver.c \
  src/core/sha1.c src/core/base64.c
if [ ! -d $out/node_modules/@stomp/stompjs ]; then
  (cd $out && npm install --silent --no-fund --no-audit \
    @stomp/stompjs@7 ws@8 >/dev/null)
fi
cp bench/stompjs.mjs $out/

rm -f $out/port
$out/loadserver >$out/port &
server=$!
trap 'kill $server 2>/dev/null' EXIT INT TERM
until [ -s $out/port ]; do kill -0 $server; done
url=ws://127.0.0.1:$(cat $out/port)/ws

LUA_PATH="lua/?.lua;lua/?/init.lua;;"
LUA_CPATH="build/5.4/?.so;;"
export LUA_PATH LUA_CPATH

best() { # COMMAND...: the line with the most messages/s
  : >$out/lines
  n=0
  while [ $n -lt "$runs" ]; do
    "$@" >>$out/lines || exit 1
    n=$((n + 1))
  done
  sort -rn $out/lines | head -1
}

row() { # TITLE WHAT SIZE OUR-COUNT THEIR-COUNT
  ours=$(best lua5.4 "bench/$2.lua" "$url" "$3" "$4")
  [ -n "$ours" ] || exit 1
  theirs=$(best node $out/stompjs.mjs "$2" "$url" "$3" "$5")
  [ -n "$theirs" ] || exit 1
  echo "$1 $ours $theirs" | awk '{
    printf "%-16s %10.0f msg/s %8.2f us %6.1f MB | stompjs %8.0f msg/s %8.2f us %6.1f MB | %5.1f x speed, 1/%.1f CPU\n",
      $1, $2, $3, $4, $5, $6, $7, $2 / $5, $6 / $3 }'
}

echo "best of $runs, $(nproc) cores; messages/s, CPU a message, highest RSS"
row receive-100B receive 100 2000000 200000
row receive-64KiB receive 65536 40000 4000
row publish-100B publish 100 1000000 200000
row publish-64KiB publish 65536 40000 10000

echo
echo "permessage-deflate: messages of JSON through two core.connections, both sides"
lua5.4 bench/deflate.lua

# What confirmation costs on RabbitMQ, which itself does half as much again for a
# message that asks for a RECEIPT: in turn, the best of each
broker=$here/$out/rabbitmq
rm -rf "$broker"
tools/rabbitmq.sh start "$broker" >$out/rabbitmq.log
trap 'kill $server 2>/dev/null; tools/rabbitmq.sh stop "$broker" >/dev/null 2>&1' \
  EXIT INT TERM
rabbit=$(cat "$broker/url")
port=${rabbit##*:}
port=${port%%/*}

confirming() { # SIZE COUNT: each way in turn, the best of each
  : >$out/confirm
  n=0
  while [ $n -lt "$runs" ]; do
    lua5.4 bench/confirm.lua "$rabbit" "$1" "$2" 1000 1 guest guest >>$out/confirm
    lua5.4 bench/bound.lua "$port" "$1" "$2" 1000 guest guest >>$out/confirm
    for way in unconfirmed confirmed; do
      echo "js-$way" "$(node $out/stompjs.mjs $way "$rabbit" "$1" "$2" 1000 guest guest)" \
        >>$out/confirm
    done
    n=$((n + 1))
  done
  awk -v size="$1" '
    $2 > rate[$1] { rate[$1] = $2; cpu[$1] = $3 }
    function row(title, way, bare) {
      printf "%5d B, %-24s %8.0f msg/s %8.2f us | unconfirmed %8.0f msg/s | %3.0f %%\n",
        size, title, rate[way], cpu[way], rate[bare], 100 * rate[way] / rate[bare]
    }
    END {
      row("1,000 tasks that wait", "confirmed", "unconfirmed")
      row("confirm later and flush", "flushed", "unconfirmed")
      row("bytes made before", "bound-confirmed", "bound-unconfirmed")
      row("stompjs", "js-confirmed", "js-unconfirmed")
      printf "         %.1f x stompjs, 1/%.1f CPU\n", rate["confirmed"] / rate["js-confirmed"],
        cpu["js-confirmed"] / cpu["confirmed"]
    }' $out/confirm
}

echo
echo "1,000 confirmed sends in flight on RabbitMQ, and unconfirmed ones beside"
confirming 100 20000
confirming 1024 10000
confirming 4096 10000
confirming 16384 4000
