#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Build the library, its unit tests and the known-answer runner for 32 bits, and run them.
#
# usage: check-32bit.sh FOLDER
#
# Debian's 32-bit packages would need a foreign architecture, which can break the package manager's
# lists. So the sources of what the library and its tests link are taken from Debian and compiled
# with -m32 into FOLDER/root, once; nothing is installed.
set -eu
cd "$(dirname "$0")/.."
tree=$PWD
mkdir -p "$1"
folder=$(realpath "$1")
root=$folder/root
cc="gcc -m32 -O2 -g -fPIC"

# Sources by apt-get, with lists of our own: a fresh system has no deb-src line.
fetch() {
    local state=$folder/apt
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$folder/src"
    if [ ! -e "$state/sources.list" ]; then
        { cat /etc/apt/sources.list 2>/dev/null | grep '^deb ' | sed 's/^deb /deb-src /' || true
          find /etc/apt/sources.list.d -name '*.list' -exec grep -h '^deb ' {} + 2>/dev/null |
              sed 's/^deb /deb-src /' || true
        } >"$state/sources.list"
        mkdir -p "$state/parts"
        find /etc/apt/sources.list.d -name 'debian*.sources' | while read -r f; do
            sed 's/^Types:.*/Types: deb-src/' "$f" >"$state/parts/$(basename "$f")"
        done
    fi
    local options=(-o "Dir::Etc::SourceList=$state/sources.list"
        -o "Dir::Etc::SourceParts=$state/parts" -o "Dir::State::Lists=$state/lists"
        -o "Dir::Cache=$state/cache" -o APT::Sandbox::User=root)
    apt-get -q "${options[@]}" update
    (cd "$folder/src" && apt-get -q "${options[@]}" source "$@")
}

source_of() {
    find "$folder/src" -maxdepth 1 -type d -name "$1-[0-9]*" | head -n 1
}

archive() { # NAME OBJECT...
    local name=$1
    shift
    mkdir -p "$root/lib"
    rm -f "$root/lib/lib$name.a"
    ar rcs "$root/lib/lib$name.a" "$@"
}

pkg() { # NAME VERSION LIBRARIES
    mkdir -p "$root/lib/pkgconfig"
    printf 'Name: %s\nDescription: 32 bits\nVersion: %s\nLibs: -L%s/lib %s\nCflags: -isystem %s/include\n' \
        "$1" "$2" "$root" "$3" "$root" >"$root/lib/pkgconfig/$1.pc"
}

build_secp256k1() {
    local src; src=$(source_of libsecp256k1)
    mkdir -p "$root/obj" "$root/include"
    for file in secp256k1 precomputed_ecmult precomputed_ecmult_gen; do
        $cc -w -DECMULT_WINDOW_SIZE=15 -DECMULT_GEN_PREC_BITS=4 -DENABLE_MODULE_ECDH \
            -DENABLE_MODULE_RECOVERY -DENABLE_MODULE_EXTRAKEYS -DENABLE_MODULE_SCHNORRSIG \
            -I"$src" -I"$src/src" -c -o "$root/obj/$file.o" "$src/src/$file.c"
    done
    archive secp256k1 "$root"/obj/secp256k1.o "$root"/obj/precomputed_ecmult*.o
    cp "$src"/include/*.h "$root/include/"
    pkg libsecp256k1 0.2.0 -lsecp256k1
}

# The portable parts are enough, and need no configure script.
build_sodium() {
    local src; src=$(source_of libsodium)/src/libsodium
    sed -e 's/@VERSION@/1.0.18/' -e 's/@SODIUM_LIBRARY_VERSION_MAJOR@/10/' \
        -e 's/@SODIUM_LIBRARY_VERSION_MINOR@/3/' -e 's/@SODIUM_LIBRARY_MINIMAL_DEF@//' \
        "$src/include/sodium/version.h.in" >"$src/include/sodium/version.h"
    cp -r "$src/include/sodium.h" "$src/include/sodium" "$root/include/"
    find "$src" -name '*.c' | xargs -P "$(nproc)" -I{} sh -c '
        '"$cc"' -w -DCONFIGURED=1 -DDEV_MODE=1 -DNATIVE_LITTLE_ENDIAN=1 -DHAVE_C_VARARRAYS=1 \
            -I"$1/include" -I"$1/include/sodium" -c \
            -o "$2/obj/sodium-$(echo "$3" | tr / _).o" "$3"' sh "$src" "$root" {}
    archive sodium "$root"/obj/sodium-*.o
    pkg libsodium 1.0.18 -lsodium
}

build_cmocka() {
    local src; src=$(source_of cmocka)
    $cc -w -DHAVE_SIGNAL_H -DHAVE_STRUCT_TIMESPEC -DHAVE_CLOCK_GETTIME -DHAVE_STRSIGNAL \
        -DHAVE_STDINT_H -DHAVE_INTTYPES_H -DHAVE_STRINGS_H -DHAVE_UNISTD_H -DHAVE_TIME_H \
        -D_GNU_SOURCE -I"$root/empty" -I"$src/include" -c -o "$root/obj/cmocka.o" "$src/src/cmocka.c"
    archive cmocka "$root/obj/cmocka.o"
    cp "$src"/include/cmocka*.h "$root/include/"
    pkg cmocka 1.1.5 -lcmocka
}

build_jansson() {
    local src; src=$(source_of jansson)
    cp /usr/include/jansson_config.h "$root/include/"
    for file in "$src"/src/*.c; do
        $cc -w -DHAVE_STDINT_H -DHAVE_UNISTD_H -DINITIAL_HASHTABLE_ORDER=3 -I"$root/empty" \
            -I"$root/include" -c \
            -o "$root/obj/jansson-$(basename "$file" .c).o" "$file"
    done
    archive jansson "$root"/obj/jansson-*.o
    cp "$src/src/jansson.h" "$root/include/"
    pkg jansson 2.14 -ljansson
}

if [ ! -e "$root/complete" ]; then
    rm -rf "$root"
    [ -n "$(source_of jansson)" ] || fetch libsecp256k1 libsodium cmocka jansson
    mkdir -p "$root/empty" && : >"$root/empty/config.h"
    : >"$root/empty/jansson_private_config.h"
    build_secp256k1
    build_sodium
    build_cmocka
    build_jansson
    touch "$root/complete"
fi

if [ ! -e "$folder/build/build.ninja" ]; then
    PKG_CONFIG_LIBDIR=$root/lib/pkgconfig CC="gcc -m32" meson setup "$folder/build" "$tree" \
        -Dcli=false -Dbench=false -Dwerror=true
fi
ninja -C "$folder/build"
readelf -h "$folder/build/lib/libquorate.so" | grep -q ELF32
BUILD=$folder/build scripts/test.sh --suite unit --suite vectors --suite fuzz --suite proto
