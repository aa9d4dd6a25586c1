# SPDX-License-Identifier: GPL-3.0-or-later
# Tests of steps.sh: what is run again, and what never is.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=
. tests/steps.sh

try() { # try WORDS: a step that says them and fails the first time, and goes well the second
    words=$1
    count=0
    failed=
    twice tried fail_once -- again >"$out/said"
}
fail_once() {
    count=$((count + 1))
    echo "$words"
    return 1
}
again() { count=$((count + 1)); }
must() { # must RUNS FAILED
    [ "$count" = "$1" ] && [ "$failed" = "$2" ] && return
    echo "\"$words\": $count runs, failed: \"$failed\"; not $1, \"$2\""
    exit 1
}

try '3/9 Test #3: unit/hls/media ...***Failed'
must 2 ''
grep -q '^again .*unit/hls/media' "$out/said"
try 'assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log'
must 2 ''
for words in '==123==ERROR: AddressSanitizer: heap-use-after-free on address 0x6' \
    '==123==ERROR: LeakSanitizer: detected memory leaks' \
    'WARNING: ThreadSanitizer: data race (pid=9)' \
    'SUMMARY: ThreadSanitizer: data race room.c:12' \
    'src/hls/room.c:12:7: runtime error: signed integer overflow'; do
    try "$words"
    must 1 ' tried'
    grep -qF "$words" "$out/said"
done
again() { return 1; }
try 'deadline'
must 1 ' tried'

several() {
    step good sh -c 'nice'
    step bad sh -c 'echo a reason; exit 3'
}
failed=' before'
beside quiet several
joined >"$out/said"
grep -q '^ok    good' "$out/said"
[ "$(cat "$out/good.log")" = 19 ]
grep -q '^FAIL  bad' "$out/said"
grep -q 'a reason' "$out/said"
[ "$failed" = ' before bad' ]
# What is tried again waits for what runs beside it.
slowly() { step slow sh -c 'sleep 2'; }
is_busy() { return 1; }
is_alone() { [ -e "$out/slow.log" ] && [ -e "$out/quiet.failed" ]; }
rm -f "$out/quiet.failed"
failed=
beside quiet slowly
twice tried is_busy -- is_alone >"$out/said"
joined >>"$out/said"
[ -z "$failed" ]
[ "$(grep -c '^ok    slow' "$out/said")" = 1 ]
[ -z "$beside_pid" ]
broken() { exit 3; }
failed=
beside quiet broken
joined >"$out/said"
[ "$failed" = ' quiet' ]
failed=

cat >"$out/stories" <<'END'
    # Subtest: picks it
    ok 1 - picks it
      ---
      location: '/a/downloads.test.mjs:30:5'
      ...
ok 1 - downloads
  ---
  location: '/a/downloads.test.mjs:26:3'
  ...
    not ok 2 - seeks
      ---
      location: '/a/play.test.mjs:200:3'
      ...
not ok 2 - a film
  ---
  location: '/a/play.test.mjs:20:1'
  ...
END
[ "$(failed_stories "$out/stories")" = /a/play.test.mjs ] || { echo 'which stories failed'; exit 1; }
try '    not ok 2 - seeks'
grep -qx 'again not ok 2 - seeks' "$out/said"
echo ok
