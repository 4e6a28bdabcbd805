#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build everything into $BUILD (build/). QRT_SETUP holds further options of `meson setup`.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

scripts/install-deps.sh
if [ ! -e "$build/build.ninja" ]; then
    # shellcheck disable=SC2086  # several options
    meson setup "$build" ${QRT_SETUP:-} >"$build/setup.log" 2>&1 || {
        cat "$build/setup.log" >&2
        exit 1
    }
fi
exec ninja -C "$build" --quiet
