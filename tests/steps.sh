# SPDX-License-Identifier: GPL-3.0-or-later
# How run.sh runs its steps. Needs $out, a folder for their logs; $failed collects who failed.

# step NAME COMMAND...: runs it, keeps its output in build-test/NAME.log, shows it when it fails.
step() {
    name=$1
    shift
    begin=$(date +%s)
    if "$@" >"$out/$name.log" 2>&1; then
        echo "ok    $name ($(($(date +%s) - begin)) s)"
        return 0
    fi
    echo "FAIL  $name ($(($(date +%s) - begin)) s), build-test/$name.log ends:"
    tail -n 60 "$out/$name.log"
    failed="$failed $name"
}

# What sanitizers say: once is enough, in a test that failed or in a server whose test went through.
spoke='==[0-9]+== ?ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|SUMMARY: [A-Za-z]+Sanitizer'
spoke="$spoke|:[0-9]+:[0-9]+: runtime error: "

# twice NAME COMMAND... -- AGAIN...: a step whose tests have deadlines. What fails on a machine that
# is busy with other things is run once more, and that it was is said; never when a sanitizer spoke.
twice() {
    name=$1
    shift
    first=
    while [ "$1" != -- ]; do
        first="$first $1"
        shift
    done
    shift
    begin=$(date +%s)
    if $first >"$out/$name.log" 2>&1; then
        echo "ok    $name ($(($(date +%s) - begin)) s)"
        return 0
    fi
    if grep -qE "$spoke" "$out/$name.log"; then
        echo "FAIL  $name ($(($(date +%s) - begin)) s), a sanitizer spoke, build-test/$name.log:"
        grep -hE -A 30 "$spoke" "$out/$name.log" | head -n 60
        failed="$failed $name"
        return 0
    fi
    grep -hE '\*\*\*Failed|\*\*\*Timeout|^FAILED |^not ok' "$out/$name.log" | sed 's/^/again /' || true
    mv "$out/$name.log" "$out/$name-first.log"
    step "$name" "$@"
}
