#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measure the whole system of the build in $BUILD; table on stdout, JSON in $BUILD/bench/results.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

mkdir -p "$build/bench/results"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
exec python3 bench/system/bench_system.py "$build/cli/quorate" "$build/bench/system/load" \
    --commit "$commit" --json "$build/bench/results/system.json" "$@"
