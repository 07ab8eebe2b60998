#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzing, once its binaries are built (see the Makefile). Folders: fuzz/corpus has
# what is kept, build/fuzz/seeds what the vectors give, build/fuzz/corpus what runs
# have found; failures are build/fuzz/TARGET-crash-… (or -timeout-, -oom-, -leak-).
#   tools/fuzz.sh run SECONDS TARGET...    fuzz each for so long
#   tools/fuzz.sh merge TARGET...          keep in fuzz/corpus what adds coverage
#   tools/fuzz.sh replay TARGET...         run what is kept once, without libFuzzer
set -u
cd "$(dirname "$0")/.." || exit 1

# The longest input, octets: longer ones find no more, slower.
LONGEST=2048
KEPT=1024 # of those that are kept

prepare() {
  rm -rf "build/fuzz/seeds/$1"
  mkdir -p "build/fuzz/seeds/$1" "build/fuzz/corpus/$1" "fuzz/corpus/$1"
  lua5.4 tools/fuzz_seeds.lua "$1" "build/fuzz/seeds/$1" || exit 1
}

how_to_replay() { # TARGET LOG
  sed -n 's/.*Test unit written to //p' "$2" | while read -r file; do
    echo "  replay: build/fuzz/$1 $file"
    echo "  or, built by gcc: make build/fuzz/replay-$1 && build/fuzz/replay-$1 $file"
  done
}

fuzz() { # SECONDS TARGET
  log=build/fuzz/$2.log
  prepare "$2"
  if "build/fuzz/$2" -max_total_time="$1" -max_len=$LONGEST -timeout=20 \
    -rss_limit_mb=1024 -dict=fuzz/stomp.dict -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$2-" "build/fuzz/corpus/$2" \
    "fuzz/corpus/$2" "build/fuzz/seeds/$2" >"$log" 2>&1; then
    runs=$(sed -n 's/.*number_of_executed_units: *//p' "$log")
    echo "ok   $2: $runs runs, $(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1)"
  else
    echo "FAIL $2 (all of it: $log)"
    grep -vE '^#[0-9]+' "$log" | head -40
    how_to_replay "$2" "$log"
    return 1
  fi
}

merge() { # TARGET
  prepare "$1"
  rm -rf "build/fuzz/merged/$1"
  mkdir -p "build/fuzz/merged/$1"
  # by edges alone: how often one ran would keep five times as many
  "build/fuzz/$1" -merge=1 -use_counters=0 -max_len=$KEPT "build/fuzz/merged/$1" \
    "build/fuzz/seeds/$1" "fuzz/corpus/$1" "build/fuzz/corpus/$1" \
    >"build/fuzz/$1-merge.log" 2>&1 || {
    tail -20 "build/fuzz/$1-merge.log"
    return 1
  }
  rm -rf "fuzz/corpus/$1"
  cp -r "build/fuzz/merged/$1" "fuzz/corpus/$1"
  echo "$1: $(find "fuzz/corpus/$1" -type f | wc -l) inputs," \
    "$(du -bs "fuzz/corpus/$1" | cut -f1) octets"
}

replay() { # TARGET
  find "fuzz/corpus/$1" -type f | sort | xargs "build/fuzz/replay-$1"
}

[ $# -ge 2 ] || { sed -n '5,7s/^# *//p' "$0" >&2; exit 2; }
what=$1
shift
failed=0
if [ "$what" = run ]; then
  seconds=$1
  shift
fi
for target in "$@"; do
  case $what in
    run) fuzz "$seconds" "$target" || failed=1 ;;
    merge) merge "$target" || failed=1 ;;
    replay) replay "$target" || failed=1 ;;
  esac
done
exit $failed
