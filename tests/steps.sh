# SPDX-License-Identifier: GPL-3.0-or-later
# How run.sh runs its steps. Needs $out, a folder for their logs; $failed collects who failed.

# step NAME COMMAND...: runs it, keeps its output in build-test/NAME.log, shows it when it fails.
step() {
    name=$1
    shift
    begin=$(date +%s)
    code=0
    "$@" >"$out/$name.log" 2>&1 || code=$?
    judge "$name" "$code" $(($(date +%s) - begin))
}

judge() { # judge NAME EXIT-CODE SECONDS
    if [ "$2" -eq 0 ]; then
        echo "ok    $1 ($3 s)"
        return 0
    fi
    echo "FAIL  $1 ($3 s), build-test/$1.log ends:"
    tail -n 60 "$out/$1.log"
    failed="$failed $1"
}

# beside NAME FUNCTION: begins steps that need no punctuality: they take what processor others leave.
# joined: waits for their end and shows what they said; where none run, nothing.
beside_pid=
beside() {
    beside=$1
    (
        sleep 1 # until it is nice
        failed=
        beside_pid=
        "$2"
        printf '%s' "$failed" >"$out/$beside.failed"
    ) >"$out/$beside.log" 2>&1 &
    beside_pid=$!
    renice -n 19 -p "$beside_pid" >/dev/null
}

joined() {
    [ -n "$beside_pid" ] || return 0
    if wait "$beside_pid"; then
        failed="$failed$(cat "$out/$beside.failed")"
    else
        failed="$failed $beside"
    fi
    beside_pid=
    cat "$out/$beside.log"
}

# What sanitizers say: once is enough, in a test that failed or in a server whose test went through.
spoke='==[0-9]+== ?ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|SUMMARY: [A-Za-z]+Sanitizer'
spoke="$spoke|:[0-9]+:[0-9]+: runtime error: "

# The files of the browser's stories that failed, out of the log of `node --test`: each failure says
# where it stands, "location: '/…/play.test.mjs:20:1'".
failed_stories() { # failed_stories LOG
    awk '/^ *(not )?ok / { bad = /not ok/ }
        bad && /^ *location: / { sub(/^ *location: ./, ""); sub(/:[0-9]+:[0-9]+.$/, ""); print }' "$1" |
        sort -u
}

# twice NAME COMMAND... -- AGAIN...: a step whose tests have deadlines. What fails on a machine that
# is busy with other things is run once more, with the machine to itself, and that it was is said;
# never when a sanitizer spoke.
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
    grep -hE '\*\*\*Failed|\*\*\*Timeout|^FAILED |^ *not ok' "$out/$name.log" | sed 's/^ */again /' || true
    mv "$out/$name.log" "$out/$name-first.log"
    joined
    step "$name" "$@"
}
