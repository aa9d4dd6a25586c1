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
for node in "$MATINEE_BUILD"/node/node_modules/node-linux-*/bin/node; do :; done
stories() { # stories HOW-MANY-AT-ONCE FILE...
    at_once=$1
    shift
    "$node" --test --test-concurrency="$at_once" "$@"
}
[ $# -eq 0 ] || { stories 1 "$@"; exit; }

# Two pages at a time, the longest first; one where pictures must move in time, and do not wait most
# of it.
films="play timeline swarm"
long="faults pages remote"
for name in $long; do
    set -- "$@" "$here/$name.test.mjs"
done
for story in "$here"/*.test.mjs; do
    case " $films $long " in
    *" $(basename "$story" .test.mjs) "*) ;;
    *) set -- "$@" "$story" ;;
    esac
done
ended=0
stories 2 "$@" || ended=1
stories 1 $(for film in $films; do echo "$here/$film.test.mjs"; done) || ended=1
exit $ended
