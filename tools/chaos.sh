#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/chaos.lua on a RabbitMQ of its own. Its last line is a count.
#   tools/chaos.sh CYCLES
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here" || exit 1
broker=$here/build/test/rabbitmq-chaos
trap 'tools/rabbitmq.sh stop "$broker" >/dev/null 2>&1' EXIT INT TERM
rm -rf "$broker"
mkdir -p build/test
tools/rabbitmq.sh start "$broker" || exit 1
LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;" LUA_CPATH="build/5.4/?.so;;" \
  lua5.4 tools/chaos.lua "$broker" "$1"
