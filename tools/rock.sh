#!/bin/sh
# SPDX-License-Identifier: MIT
# `luarocks make` into a tree, offline: lua-cjson is the system's.
#   tools/rock.sh TREE [ROCKSPEC]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
tree=$(cd "$1" && pwd)
rockspec=${2:-lua-stomp-scm-1.rockspec}
config=$tree/config.lua
cat >"$config" <<CONFIG
rocks_trees = { { name = "tree", root = "$tree" } }
rocks_servers = {}
rocks_provided = { ["lua-cjson"] = "2.1.0-1" }
CONFIG
cd "$here"
LUAROCKS_CONFIG=$config luarocks --lua-version=5.4 --tree "$tree" make "$rockspec"
