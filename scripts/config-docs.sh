#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make the files .env*.example and docs/configuration.md from the table of variables, or check that
# they are what the table gives.
#
# usage: scripts/config-docs.sh [--check] [PAGES]
#   PAGES  the built program tests/system/core/config_pages; default: the one in build/
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
check=no
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
pages=${1:-$root/build/tests/system/core/config_pages}
if [ ! -x "$pages" ]; then
    echo "config-docs.sh: there is no program $pages; build first: scripts/build.sh" >&2
    exit 2
fi

made=$(mktemp)
trap 'rm -f "$made"' EXIT
code=0
# page FILE
one() {
    "$pages" "$1" > "$made"
    if cmp -s "$made" "$root/$2"; then
        return
    fi
    if [ "$check" = no ]; then
        cat "$made" > "$root/$2"
        echo "written: $2"
        return
    fi
    echo "$2 is not what the table of variables gives: run scripts/config-docs.sh" >&2
    diff -u "$root/$2" "$made" >&2 || true
    code=1
}
one example .env.example
one example-prod .env.prod.example
one example-party .env.party.example
one reference docs/configuration.md
exit $code
