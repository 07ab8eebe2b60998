#!/bin/sh
# SPDX-License-Identifier: MIT
# Every check that runs no program of ours; the last line counts them. What `make
# lint` runs.
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/lint

passed=0
failed=0
check() { # NAME COMMAND...
  name=$1
  shift
  if "$@" >build/lint/log 2>&1; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name"
    tail -40 build/lint/log
  fi
}

build() { # COMPILER LUA-VERSION
  make -s all CC="$1" LUA_VERSION="$2" BUILD="build/lint/$1-$2" CFLAGS="-O2 -Werror"
}

exports() { # each module gives out its luaopen and nothing else
  for module in core lws; do
    symbols=$(nm -D --defined-only "build/lint/gcc-5.4/stomp/$module.so" |
      awk '{ print $3 }')
    [ "$symbols" = "luaopen_stomp_$module" ] || { echo "$module: $symbols"; return 1; }
  done
}

core_symbols() { # memory and string functions only; zlib's in its room
  for object in build/lint/gcc-5.4/obj/core/*.o; do
    case $object in
      */deflate.o) zlib='|(in|de)flate[A-Za-z0-9_]*' ;;
      *) zlib= ;;
    esac
    nm -u "$object" | awk '{ print $2 }' |
      grep -vE "^(stomp_.*|mem(cpy|move|set|cmp|chr)|strlen|strchr|strcmp|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail$zlib)\$" &&
      return 1
  done
  return 0
}

machine_paths() { # nothing of the machine it was written on
  git grep -nE '/(home|root|work|Users)/[a-z]' -- . ':!tools/lint.sh' ':!.ci' && return 1
  return 0
}

of_modules() { # a tool that loads what gcc built
  LUA_PATH="lua/?.lua;lua/?/init.lua;;" LUA_CPATH="build/lint/gcc-5.4/?.so;;" lua5.4 "$@"
}

check "gcc, no warnings, Lua 5.4" build gcc 5.4
check "gcc, no warnings, Lua 5.1" build gcc 5.1
check "gcc, no warnings, without zlib" make -s core ZLIB=no BUILD=build/lint/no-zlib CFLAGS="-O2 -Werror"
check "clang, no warnings, Lua 5.4" build clang 5.4
check "luacheck" luacheck -q lua spec examples bench tools bin/stomp
check "clang-format" clang-format-14 --dry-run -Werror src/*/*.[ch] bench/*.c bench/*/*.c examples/*.c spec/c/*.[ch] spec/oom/*.c fuzz/*.[ch] tools/*.[ch]
check "layers" lua5.4 tools/layers.lua
check "sizes of files and functions" lua5.4 tools/sizes.lua
check "symbols of the core" core_symbols
check "symbols of the modules" exports
check "docs/errors.md is what error.h says" lua5.4 tools/errors.lua --check
check "docs/protocol.md has the tables of the core" lua5.4 tools/protocol.lua --check
check "docs/api.txt is the interface" of_modules tools/apidump.lua --check
check "every public function has a doc comment" of_modules tools/docscov.lua
check "make docs, no warnings" make -s docs
check "types/ has the names of docs/api.txt" lua5.4 tools/typescov.lua
check "no paths of a machine" machine_paths
check "rockspecs" sh -c 'for f in *.rockspec; do luarocks lint "$f" || exit 1; done'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
