#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing, builds twice (sanitizers, Release) and runs every test.
#     sh tests/run.sh            every behaviour once; what continuous integration runs: half an hour
#     sh tests/run.sh full       every file, every rendition, every order, real waits, an hour of chaos: three hours and more
# Tests take free ports on 127.0.0.0/8, work in temporary folders, and leave nothing behind.
set -eu
cd "$(dirname "$0")/.."
. conf/build/packages.sh

size=${1:-plain}
case $size in
plain | full) ;;
*) echo "usage: sh tests/run.sh [full]" >&2; exit 2 ;;
esac
[ "$size" = full ] && export FULL=1
export MATINEE_TEST_SIZE=$size

packages_need $PACKAGES_BUILD $PACKAGES_TEST
[ "$size" = plain ] || packages_need $PACKAGES_FULL
out=$PWD/build-test
mkdir -p "$out"
failed=
. tests/steps.sh

build() { # build NAME CMAKE-ARGUMENTS...: $targets; all, where that is empty
    folder=$out/$1
    shift
    cmake -S . -B "$folder" -G Ninja "$@" && cmake --build "$folder" ${targets:+--target $targets}
}

unit() { # unit NAME [FLAG]: the unit tests of one build
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
        ctest --test-dir "$out/$1" --output-on-failure -j 3 ${2:-}
}

system() ( # system NAME [FLAG or TEST...]: the server of one build, over real HTTP
    name=$1
    shift
    case $* in *tests/system/*) ;; *) set -- "$@" tests/system ;; esac
    MATINEE_BIN=$out/$name/matinee MATINEE_BUILD=$out/$name /usr/bin/python3 -m pytest -q \
        -n "${at_once:-2}" --dist loadgroup -o cache_dir="$out/pytest-$name" --durations=20 "$@"
)

system_alone() ( # system_alone NAME TEST...: one after the other
    at_once=1
    system "$@"
)

but_alone() ( # but_alone NAME [FLAG...]: all others
    system "$@" --ignore=tests/system/test_chaos.py --ignore=tests/system/test_mutations.py \
        tests/system
)

# Stories of films that come from elsewhere wait for swarms and servers most of their time.
waiting="downloads fetched links seeks swarm torrent_cases torrent_safety upstreams"

chosen() ( # chosen NAME [FLAG...]: the same without the long form: under sanitizers that takes hours
    unset FULL
    at_once=3 # each waits a quarter of its time
    for name in $waiting; do
        set -- "$@" "--ignore=tests/system/test_$name.py"
    done
    system "$@" tests/system
)

waits() ( # waits NAME [FLAG...]: what chosen leaves out
    unset FULL
    at_once=6
    for name in $waiting; do
        set -- "$@" "tests/system/test_$name.py"
    done
    system "$@"
)

# In the plain form each story is told once, under sanitizers, but for those of the server itself: they
# are always asked of both builds, and the sandbox is another one in each.
brief() ( # brief NAME [FLAG...]
    stories=
    for name in bad_input faults openapi remote sending tool; do
        stories="$stories tests/system/test_$name.py"
    done
    system "$@" $stories tests/system/test_cases.py::test_case_24_everything_runs_under_the_sandbox
)

# Films that come from elsewhere pass through more threads than any other: theirs, libtorrent's, curl's.
arriving() ( # arriving NAME [FLAG...]
    unset FULL
    export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1"
    stories="tests/system/test_downloads.py tests/system/test_fetched.py"
    [ "$size" = plain ] || stories="$stories tests/system/test_links.py \
        tests/system/test_torrent_cases.py tests/system/test_seeks.py tests/system/test_personal.py \
        tests/system/test_accounts.py tests/system/test_tokens.py tests/system/test_backup.py \
        tests/system/test_others.py tests/system/test_mail.py tests/system/test_passkeys.py"
    system "$@" $stories
)

browser() { # browser [FILE.test.mjs...]
    MATINEE_BIN=$out/release/matinee sh tests/browser/run.sh "$out/release" "$@"
}

browser_again() { # the files in which something failed
    browser $(failed_stories "$out/browser-first.log")
}

# The release's own unit tests are of the long form.
targets=
[ "$size" = full ] || targets="matinee matinee-media player viewers load bare fake-resolver fake_disk"
step build-release build release -DCMAKE_BUILD_TYPE=Release
targets=
[ -z "$failed" ] || { echo "1 passed, 1 failed"; exit 1; }

# What has no deadlines, or long ones, while the browser's stories wait most of their time.
units() {
    step build-sanitized build sanitized -DCMAKE_BUILD_TYPE=Debug -DMATINEE_PLAYER=OFF \
        -DMATINEE_BENCH=OFF -DMATINEE_SANITIZE=address,undefined
    step build-threads build threads -DCMAKE_BUILD_TYPE=Debug -DMATINEE_PLAYER=OFF \
        -DMATINEE_BENCH=OFF -DMATINEE_SANITIZE=thread
    [ -z "$failed" ] || return 0
    step style sh tests/style.sh "$out/release"
    [ "$size" = plain ] || twice unit-release unit release -- unit release --rerun-failed
    twice unit-sanitized unit sanitized -- unit sanitized --rerun-failed
    twice unit-threads sh tests/threads.sh "$out/threads" -- sh tests/threads.sh "$out/threads" \
        --rerun-failed
}
step steps sh tests/steps_test.sh
beside units units
step page sh conf/build/player.sh "$out/release" test
twice browser browser -- browser_again
joined
case $failed in *build-*) echo "1 passed, 1 failed"; exit 1 ;; esac

twice system-threads arriving threads -- arriving threads --lf
case $size in
full)
    # What judges memory and the order of things over an hour has the machine to itself.
    step system-chaos system_alone release tests/system/test_chaos.py
    step system-mutations system_alone release tests/system/test_mutations.py
    twice system-release but_alone release -- but_alone release --lf
    ;;
plain) twice system-release brief release -- brief release --lf ;;
esac
twice system-sanitized chosen sanitized -- chosen sanitized --lf
twice system-waiting waits sanitized -- waits sanitized --lf

# What each runner counted, as one line.
passed=$(cat "$out"/unit-*.log "$out"/system-*.log 2>/dev/null | awk '
    /tests passed, .* tests failed out of/ { n += $NF }
    match($0, /[0-9]+ passed/) && /in [0-9.]+s/ { n += substr($0, RSTART, RLENGTH) + 0 }
    END { print n + 0 }')
wrong=$(printf '%s' "$failed" | wc -w)
[ -z "$failed" ] || echo "failed:$failed"
echo "$passed passed, $wrong failed"
[ "$wrong" -eq 0 ]
