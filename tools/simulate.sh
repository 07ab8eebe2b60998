#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/simulate.sh SEED            one seed, and what happened in it
# tools/simulate.sh "" SEEDS FIRST  so many seeds from FIRST on, on all processors
# What `make simulate` runs after building.
set -u

cd "$(dirname "$0")/.." || exit 1
export LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;" LUA_CPATH="$BUILD/?.so;;"
run="$LUA spec/simulation/run.lua"
[ -z "$1" ] || exec $run "$1"

seeds=${2:-1000}
first=${3:-1}
last=$((first + seeds - 1))
processes=$(nproc)
[ "$processes" -le "$seeds" ] || processes=$seeds
logs=$(mktemp -d)
trap 'kill $pids 2>/dev/null; rm -rf "$logs"' EXIT INT TERM
pids=
i=0
while [ "$i" -lt "$processes" ]; do
  # every processes-th seed, so that all have as much to do
  $run $((first + i)) "$last" "$processes" >"$logs/$i" 2>&1 &
  pids="$pids $!"
  i=$((i + 1))
done
status=0
for pid in $pids; do
  wait "$pid" || status=1
done
pids=
grep -hv '^total ' "$logs"/*
grep -h '^total ' "$logs"/* | awk '
  { for (i = 2; i < NF; i += 2) { if (!($i in sum)) names[++n] = $i; sum[$i] += $(i + 1) } }
  END { for (i = 1; i <= n; i++) printf "%s%s %.0f", (i > 1 ? ", " : ""), names[i], sum[names[i]]; print "" }'
exit "$status"
