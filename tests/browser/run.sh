#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The browser tests: sh tests/browser/run.sh BUILD_DIR [FILE.test.mjs...]
# Builds the page, then runs each story in Chromium: against the server in MATINEE_BIN, or without it
# against the fake one. FULL=1 takes real waits. Needs: npm, ffmpeg, /usr/bin/chromium.
set -eu

[ $# -ge 1 ] || { echo "usage: sh tests/browser/run.sh BUILD_DIR [FILE.test.mjs...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
sh "$root/conf/build/player.sh" "$1"
MATINEE_BUILD=$(cd "$1" && pwd)
export MATINEE_BUILD
shift
[ $# -gt 0 ] || set -- "$here"/*.test.mjs
for node in "$MATINEE_BUILD"/node/node_modules/node-linux-*/bin/node; do :; done
# One file after the other: each has a browser, and pictures must move in time.
exec "$node" --test --test-concurrency=1 "$@"
