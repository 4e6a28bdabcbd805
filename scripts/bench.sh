#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the benchmarks of the build in $BUILD; tables on stdout, JSON in $BUILD/bench/results.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

mkdir -p "$build/bench/results"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
exec "$build/bench/bench" --commit "$commit" --json "$build/bench/results/bench.json" "$@"
