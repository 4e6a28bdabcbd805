#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can be checked, one line a step. Exit code 1 if a step fails.
#
# usage: check-all.sh [STEP...]        without names: all; --list prints them
#
# FUZZ_SECONDS (60) is the time of each fuzz harness, JOBS (number of CPUs) how many run at once.
# Builds and logs are in $BUILD/check-all (build/check-all).
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath -m "${BUILD:-build}")
out=$build/check-all
jobs=${JOBS:-$(nproc)}
fuzz_seconds=${FUZZ_SECONDS:-60}
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=1

# ---- builds ----

# make_build NAME COMPILER OPTION...: set up once, then build with warnings as errors.
make_build() {
    local dir=$out/$1 cc=$2
    shift 2
    if [ ! -e "$dir/build.ninja" ]; then
        CC=$cc meson setup "$dir" -Dwerror=true "$@" || return 1
    fi
    ninja -C "$dir" -j "$jobs"
}

run_tests() {
    BUILD=$out/$1 scripts/test.sh "${@:2}"
}

# The matrix: compiler and optimisation.
matrix() {
    make_build "$1-O$2" "$1" -Doptimization="$2" -Ddebug=true && run_tests "$1-O$2"
}

step_gcc_O0() { matrix gcc 0; }
step_gcc_O2() { matrix gcc 2; }
step_clang_O0() { matrix clang 0; }
step_clang_O2() { matrix clang 2; }

step_sanitizers() {
    make_build sanitizers clang -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=all &&
        run_tests sanitizers
}

# Each compiler's instruments see other things: their layouts of stack and globals differ. gcc's
# checks of shifts hide from its own -Wsign-conversion that a masked value is small, as in
# `b >> 4 & 15u`; the matrix has that warning as an error.
step_sanitizers_gcc() {
    make_build sanitizers-gcc gcc -Db_sanitize=address,undefined \
        -Dc_args='-fno-sanitize-recover=all -Wno-error=sign-conversion' &&
        run_tests sanitizers-gcc
}

# Statistics and full sets of mutations that take too long for `make test`.
step_long_tests() {
    make_build gcc-O2 gcc -Doptimization=2 -Ddebug=true || return 1
    meson test -C "$out/gcc-O2" --no-rebuild --print-errorlogs --list --suite long 2>/dev/null |
        grep -q . || { echo "no long tests"; return 0; }
    meson test -C "$out/gcc-O2" --no-rebuild --print-errorlogs --timeout-multiplier 5 --suite long
}

# Both compilers: either may turn a mask into a branch. valgrind 3.19 reads DWARF 4 of clang only.
step_constant_time() {
    make_build ctime gcc -Dctime=true -Dcli=false -Dbench=false &&
        run_tests ctime --suite ctime &&
        make_build ctime-clang clang -Dctime=true -Dcli=false -Dbench=false -Dc_args=-gdwarf-4 &&
        run_tests ctime-clang --suite ctime
}

# ---- fuzzing ----

fuzz_one() {
    local name=$1
    mkdir -p "$out/corpus/$name"
    cp -n "tests/fuzz/corpus/$name"/* "$out/corpus/$name/" 2>/dev/null
    "$out/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$fuzz_seconds" -timeout=60 -rss_limit_mb=4096 \
        -artifact_prefix="$out/corpus/crash-$name-" -print_final_stats=1 -verbosity=0 \
        "$out/corpus/$name" >"$out/fuzz-$name.log" 2>&1
    local code=$?
    echo "$name: exit $code, $(grep -o 'number_of_executed_units: *[0-9]*' "$out/fuzz-$name.log")"
    return $code
}

step_fuzz() {
    make_build fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dcli=false \
        -Dbench=false -Doptimization=1 -Dc_args=-fno-sanitize-recover=all || return 1
    export -f fuzz_one
    export out fuzz_seconds
    find "$out/fuzz/tests/fuzz" -maxdepth 1 -type f -executable -name 'fuzz_*' -printf '%f\n' |
        sed 's/^fuzz_//' | sort | xargs -P "$jobs" -I{} bash -c 'fuzz_one {}'
}

# ---- the rest ----

step_32_bit() { scripts/check-32bit.sh "$out/32"; }

step_format() {
    git ls-files -co --exclude-standard '*.c' '*.h' |
        xargs -P "$jobs" -n 20 clang-format --dry-run -Werror
}

step_style() { python3 scripts/style.py; }

# Includes, headers alone, symbols; also part of the tests of every build above.
step_repository() {
    make_build gcc-O2 gcc -Doptimization=2 -Ddebug=true && run_tests gcc-O2 --suite checks
}

step_mutation() { python3 scripts/mutate.py --build "$out/mutation" --jobs "$jobs"; }

# ---- the frame ----

steps="format style repository gcc_O0 gcc_O2 clang_O0 clang_O2 sanitizers sanitizers_gcc long_tests
    constant_time 32_bit mutation fuzz"

run_step() {
    local start=$SECONDS code
    "step_$1" >"$out/$1.log" 2>&1
    code=$?
    if [ $code = 0 ]; then
        printf 'ok      %-15s %5d s  %s\n' "$1" $((SECONDS - start)) \
            "$(grep -h '^Tests:' "$out/$1.log" | tail -1)"
        return 0
    fi
    printf 'FAILED  %-15s %5d s  %s\n' "$1" $((SECONDS - start)) "$out/$1.log"
    tail -n 15 "$out/$1.log" | sed 's/^/        /'
    return 1
}

main() {
    local failed=0 count=0 wanted=${*:-$steps} step
    if [ "${1:-}" = --list ]; then
        echo $steps
        return 0
    fi
    scripts/install-deps.sh check-all || return 1
    mkdir -p "$out"
    for step in $wanted; do
        count=$((count + 1))
        run_step "$step" || failed=$((failed + 1))
    done
    echo "check-all: $((count - failed)) passed, $failed failed ($SECONDS s)"
    [ "$failed" = 0 ]
}

main "$@"
