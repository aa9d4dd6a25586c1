#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Fuzzes every target, or those named, for SECONDS each: sh tests/fuzz/run.sh SECONDS [NAME...]
# New inputs are kept in build-test/fuzz/found; a finding ends the run and names its file.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
out=$PWD/build-test/fuzz
cmake -S . -B "$out" -G Ninja -DMATINEE_PLAYER=OFF -DMATINEE_BENCH=OFF -DMATINEE_FUZZ=ON \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 \
    -DMATINEE_SANITIZE=address,undefined >/dev/null
[ $# -gt 0 ] || set -- $(sed -n 's/^add_fuzz(\([a-z0-9_]*\) .*/\1/p' tests/fuzz/CMakeLists.txt)
for name; do
    cmake --build "$out" --target "fuzz_$name" >"$out/build.log" || {
        tail -n 40 "$out/build.log"
        exit 1
    }
    mkdir -p "$out/found/$name"
    "$out/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$out/found/" -print_final_stats=1 -verbosity=0 \
        "$out/found/$name" "tests/fuzz/seeds/$name" 2>"$out/$name.log" || {
            tail -n 40 "$out/$name.log"
            echo "$name: a finding"
            exit 1
        }
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$name.log") inputs in" \
        "$seconds s, no finding"
done
