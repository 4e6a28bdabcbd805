#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install the Debian packages that are missing, by name, once.
#
# usage: install-deps.sh [check-all]
#
# Without an argument: what building, testing and measuring need. With check-all also the other
# compiler, the sanitizers' libraries, valgrind and what a 32-bit build needs. A stamp in the build
# directory remembers that a set is complete. The package npm is never installed: it conflicts with
# the nodejs of other sources; what needs an npm that is not there is skipped.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

basic="gcc libc6-dev make pkg-config meson ninja-build python3 libsecp256k1-dev libsodium-dev
    libssl-dev openssl libcmocka-dev libjansson-dev python3-cryptography python3-yaml
    python3-jsonschema libnghttp2-dev
    libhttp-parser-dev libwslay-dev libuv1-dev libprotobuf-c-dev protobuf-c-compiler
    libsqlite3-dev libpq-dev libp11-kit-dev softhsm2 opensc postgresql libhiredis-dev redis-server
    librabbitmq-dev rabbitmq-server libjwt-dev libseccomp-dev libcurl4-openssl-dev curl g++
    iproute2 libgrpc++-dev protobuf-compiler-grpc protobuf-compiler libprotobuf-dev chromium prometheus"
extra="clang clang-format libclang-rt-14-dev llvm-14 valgrind universal-ctags binutils gcc-multilib
    dpkg-dev xz-utils git docker.io docker-compose debootstrap iptables"

wanted=$basic
[ "${1:-}" = check-all ] && wanted="$basic $extra"
command -v node >/dev/null 2>&1 || wanted="$wanted nodejs"

stamp=$build/.deps-$(echo "$wanted" | cksum | cut -d' ' -f1)
[ -e "$stamp" ] && exit 0

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "not a Debian system: install these yourself:" $wanted >&2
    exit 1
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    echo "installing:$missing" >&2
    root=
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "become root and run: apt-get install --no-install-recommends$missing" >&2
            exit 1
        fi
        root=sudo
    fi
    export DEBIAN_FRONTEND=noninteractive
    # The lists may be old or, in a fresh image, not there at all.
    $root apt-get -q update >&2
    # Packages of servers would start them; tests start their own, in directories of their own.
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] && made= || made=$policy
    [ -z "$made" ] || printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    [ -z "$made" ] || $root chmod 755 $policy
    status=0
    $root apt-get -q -y install --no-install-recommends $missing >&2 || status=$?
    [ -z "$made" ] || $root rm -f $policy
    [ $status = 0 ] || exit $status
fi
mkdir -p "$build"
touch "$stamp"
