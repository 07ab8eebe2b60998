#!/bin/sh
# SPDX-License-Identifier: MIT
# A RabbitMQ with Web STOMP of our own: own node name, folders and free ports; one
# that runs already is left alone.
#   tools/rabbitmq.sh start DIR    waits until it is up; DIR/url holds its URL
#   tools/rabbitmq.sh kill DIR     kill -9 (for tests of crashes)
#   tools/rabbitmq.sh restart DIR  after kill: the same folders and ports
#   tools/rabbitmq.sh rejoined DIR  waits until another node of its cluster may go
#   tools/rabbitmq.sh ctl DIR ARGUMENT...  its rabbitmqctl
#   tools/rabbitmq.sh cluster DIR  three nodes, DIR/1 to DIR/3, joined; DIR/urls
#                                  has their URLs; kill and restart one: DIR/1
#   tools/rabbitmq.sh stop DIR
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
lib=/usr/lib/rabbitmq/bin

configure() {
  set -- $(lua5.4 "$here/tools/freeports.lua" 4)
  home=${CLUSTER_HOME:-$dir/home} # nodes of one cluster share its cookie
  mkdir -p "$home" "$dir/log"
  cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$1
stomp.listeners.tcp.1 = 127.0.0.1:$2
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = $3
log.file.level = warning
CONF
  echo '[rabbitmq_web_stomp,rabbitmq_stomp].' >"$dir/enabled_plugins"
  cat >"$dir/env" <<ENV
export HOME=$home
export RABBITMQ_NODENAME=stomp-test-$3@localhost
export RABBITMQ_NODE_PORT=$1
export RABBITMQ_DIST_PORT=$4
export RABBITMQ_MNESIA_BASE=$dir/mnesia
export RABBITMQ_LOG_BASE=$dir/log
export RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf
export RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins
ENV
  echo "ws://127.0.0.1:$3/ws" >"$dir/url"
}

ctl() {
  "$lib/rabbitmqctl" -q -n "$RABBITMQ_NODENAME" "$@"
}

run() {
  . "$dir/env"
  cd "$dir" # crash dumps go there
  setsid "$lib/rabbitmq-server" >"$dir/out" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  n=0
  # fails until epmd knows the node; then it waits for the start itself
  until ctl await_startup >"$dir/await" 2>&1; do
    n=$((n + 1))
    if [ $n -ge 60 ] || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
      echo "rabbitmq: did not start:" >&2
      tail -20 "$dir/out" >&2
      exit 1
    fi
    sleep 0.5
  done
}

# A node of a cluster, in a shell of its own: each has its own environment.
node() { # FOLDER COMMAND...
  (
    dir=$1
    shift
    "$@"
  )
}

join() { # the node of DIR/1
  . "$dir/env"
  ctl stop_app
  ctl join_cluster "$1"
  ctl start_app
}

cluster() {
  CLUSTER_HOME=$dir/home
  mkdir -p "$CLUSTER_HOME"
  for i in 1 2 3; do
    mkdir -p "$dir/$i"
    node "$dir/$i" configure
  done
  node "$dir/1" run # it makes the cookie
  node "$dir/2" run &
  second=$!
  node "$dir/3" run
  wait $second
  first=$(. "$dir/1/env" && echo "$RABBITMQ_NODENAME")
  for i in 2 3; do node "$dir/$i" join "$first"; done
  cat "$dir"/[123]/url >"$dir/urls"
}

case $command in
  cluster) cluster ;;
  start)
    command -v "$lib/rabbitmq-server" >/dev/null ||
      { echo "rabbitmq: not installed (make deps)" >&2; exit 1; }
    configure
    run
    ;;
  restart) run ;;
  rejoined) # a node of a cluster: may another one go?
    . "$dir/env"
    "$lib/rabbitmq-upgrade" -q -n "$RABBITMQ_NODENAME" -t 60 await_online_quorum_plus_one
    ;;
  kill)
    . "$dir/env"
    kill -9 "$(ctl eval 'list_to_integer(os:getpid()).')"
    ;;
  ctl)
    . "$dir/env"
    ctl "$@"
    ;;
  stop)
    if [ -f "$dir/urls" ]; then
      for i in 1 2 3; do "$0" stop "$dir/$i"; done
    fi
    [ -f "$dir/env" ] || exit 0
    . "$dir/env"
    ctl shutdown >/dev/null 2>&1 || kill "$(cat "$dir/pid")" 2>/dev/null || true
    ;;
  *)
    echo "usage: rabbitmq.sh start|kill|restart|rejoined|ctl|stop|cluster DIR" >&2
    exit 2
    ;;
esac
