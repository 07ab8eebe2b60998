#!/bin/sh
# SPDX-License-Identifier: MIT
# Install the Debian packages that are missing: as root, or by sudo. Quick and
# silent when nothing is missing.
#   tools/deps.sh [build] [test] [lint] [bench] [docs] [coverage] [portable]
#   (default: build test)
set -eu

build="gcc make libc6-dev lua5.4 liblua5.4-dev liblua5.1-0-dev lua5.1
  libwebsockets-dev libssl-dev zlib1g-dev lua-cjson"
test="lua-busted lua-socket lua-sec lua-posix luarocks rabbitmq-server openssl
  valgrind procps iproute2"
lint="lua-check clang clang-format clang-14 libclang-rt-14-dev binutils"
bench="nodejs npm"
docs="lua-ldoc lua-discount"
coverage="gcovr"
# (not gcc-multilib: it and the cross compilers exclude each other)
portable="gcc-i686-linux-gnu libc6-dev-i386-cross gcc-s390x-linux-gnu
  libc6-dev-s390x-cross qemu-user"

wanted=
for group in ${*:-build test}; do
  case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    lint) wanted="$wanted $lint" ;;
    docs) wanted="$wanted $docs" ;;
    coverage) wanted="$wanted $coverage" ;;
    portable) wanted="$wanted $portable" ;;
    bench) command -v npm >/dev/null 2>&1 || wanted="$wanted $bench" ;;
    *) echo "deps: unknown group $group" >&2; exit 2 ;;
  esac
done

missing=
for package in $wanted; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
    grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1; then
  as_root=sudo
else
  echo "deps: neither root nor sudo; please install:$missing" >&2
  exit 1
fi

echo "deps: installing$missing"
# rabbitmq-server starts a broker of its own when it is installed: it must not.
# A policy that is there already is left alone.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
  made=1
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod +x $policy
fi
restore() {
  if [ -n "$made" ]; then $as_root rm -f $policy; fi
}
trap restore EXIT INT TERM

log=$(mktemp)
if ! { $as_root apt-get update -qq &&
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -20 "$log" >&2
  rm -f "$log"
  echo "deps: could not install:$missing" >&2
  exit 1
fi
rm -f "$log"
