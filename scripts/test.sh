#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run every test of the build in $BUILD but those of the suite "long", which check-all runs. The
# last line counts what passed, failed and was skipped. The time that each test may take is for an
# idle machine; a slow one with a slow disk gets five times that before a test counts as hanging.
#
# usage: test.sh [further arguments of `meson test`]
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}

rm -f "$build/meson-logs/testlog.json"
status=0
meson test -C "$build" --no-rebuild --print-errorlogs --no-suite long --timeout-multiplier 5 "$@" ||
    status=$?
python3 scripts/count_tests.py "$build/meson-logs/testlog.json" || status=1
exit "$status"
