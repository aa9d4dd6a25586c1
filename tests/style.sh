# SPDX-License-Identifier: GPL-3.0-or-later
# The gates of the house style: style.sh BUILD_DIR. Prints what breaks which rule; exits 1 then.
set -u
build=$1
bad=0
say() { # say RULE LINES
    [ -z "$2" ] && return
    printf '%s\n%s\n\n' "$1" "$2"
    bad=1
}
for tool in clang-format-14 clang-tidy-14 nm cc; do
    command -v $tool >/dev/null || say 'missing:' "$tool"
done
for file in matinee matinee-media compile_commands.json; do
    [ -f "$build/$file" ] || say 'not built:' "$build/$file"
done
sources=$(find src segments tests/unit tests/fuzz tests/fakes bench \( -name "*.[ch]" -o -name "*.[ch]pp" \) | sort)
ours=$(find src segments \( -name "*.[ch]" -o -name "*.[ch]pp" \) | sort)

say 'clang-format would change:' "$(clang-format-14 --dry-run $sources 2>&1 | grep warning |
    cut -d: -f1 | sort -u)"
say 'no licence line at the top:' "$(for f in $sources; do
    head -n 1 "$f" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || echo "$f"; done)"
say 'banned functions:' "$(grep -nE \
    '\b(strcpy|strcat|sprintf|strtok|atoi|system|popen|alloca|gets)\(' $ours /dev/null)"
say 'memory not by mem.h:' "$(grep -nE '[^_a-z](malloc|calloc|realloc|strdup|strndup)\(' $ours \
    /dev/null | grep -v '^src/base/mem\.')"
say 'files over 800 lines:' "$(wc -l $sources | awk '$2 != "total" && $1 > 800')"
say 'notes to self:' "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $sources /dev/null)"

# Layers: includes point right only.
# allow FOLDER PATTERN: what files of the folder may include of ours.
allow() {
    say "$1 includes what is not below it (may: $2):" "$(find "$1" -name '*.[ch]' -exec \
        grep -nHE '#include "' {} + | grep -vE "#include \"($2|$(basename "$1"))/" |
        grep -vE "#include \"[a-z0-9_]+\.h\"")"
}
allow src/base 'base'
allow src/source 'base'
allow src/store 'base|source'
allow src/http 'base'
allow src/auth 'base|fetch|http|store'
allow src/fetch 'base|http|source|store'
allow src/torrent 'base|source|store'
allow src/library 'base|source|store|segments'
allow src/hls 'base|http|source|segments'
allow src/api 'base|http|source|store|auth|library|hls|fetch|torrent|segments'
allow segments 'base|segments'

# One library, one folder.
only() { # only HEADER-PATTERN WHERE
    say "headers of $1 outside $2:" "$(grep -nE "#include <($1)" $ours /dev/null |
        grep -vE "^($2)")"
}
only 'h2o' 'src/http/'
only 'sqlite3' 'src/store/'
only 'curl' 'src/fetch/'
only 'libav|libsw' 'segments/'
only 'chromaprint' 'segments/'
only 'yaml' 'src/config\.c'
only 'libtorrent' 'src/torrent/shim'
say 'C++ outside of the shim:' "$(find src segments -name '*.[ch]pp' | grep -v '^src/torrent/shim')"
only 'seccomp' 'segments/'
only 'jose/|fido' 'src/auth/'
only 'sodium' 'src/(api|auth|fetch|hls|source|store|library)/'

# The programs hold no library of the other's.
symbols() { nm -D --undefined-only "$1" 2>/dev/null | awk '{print $2}'; }
say 'libav in the server:' "$(symbols "$build/matinee" | grep -E '^(av|sws|swr|chromaprint)_|^avcodec_|^avformat_')"
say 'the server'\''s libraries in matinee-media:' \
    "$(symbols "$build/matinee-media" | grep -E '^(h2o_|sqlite3_|curl_|uv_|SSL_)')"

# Each header stands alone.
say 'headers that do not compile alone:' "$(find src segments -name '*.h' | xargs -P 2 -I '{}' sh -c '
    echo "#include \"{}\"" | cc -std=gnu17 -D_GNU_SOURCE -DH2O_USE_LIBUV=1 -Isrc -I. \
        -fsyntax-only -x c - 2>/dev/null || echo "{}"')"

# clang-tidy: all checks over the programs, the analyzer (which takes nearly all of the time) in the long
# form; over tests and bench only how involved functions are (the analyzer and the compiler's own warnings
# do not know that cmocka's asserts do not return).
tidy() { # tidy LIST-OF-FILES ARGUMENTS...: what it found; or that it could not be run
    list=$1
    shift
    found=$(printf '%s\n' $list | xargs -P 2 -n 4 clang-tidy-14 -quiet "$@" 2>&1)
    [ $? -eq 0 ] && return
    printf '%s\n' "$found" | grep -E 'warning:|error:' | sort -u | head -n 40 | grep . ||
        printf 'it failed:\n%s\n' "$found"
}
programs=$(printf '%s\n' $ours | grep '\.c$')
others=$(printf '%s\n' $sources | grep -E '^(tests|bench)/.*\.c$')
checks=
[ "${MATINEE_TEST_SIZE:-full}" = plain ] && checks='-clang-analyzer-*'
say 'clang-tidy:' "$(tidy "$programs" -p "$build" -checks="$checks")"
say 'clang-tidy:' "$(tidy "$others" -p "$build" \
    -extra-arg=-w -checks='-*,readability-function-cognitive-complexity')"
echo "clang-tidy looked at $(printf '%s\n' $programs | wc -l) files of src and segments," \
    "$(printf '%s' "$others" | grep -c .) of tests and bench"

# The gate itself: what breaks a rule must be found.
bait=$(mktemp -d)
printf 'int bait(int *p);\nint bait(int *p) { p = 0; return *p; }\n' >"$bait/bait.c"
case $(tidy "$bait/bait.c" --config-file=.clang-tidy) in
*clang-analyzer-core*) ;;
*) say 'clang-tidy finds nothing:' "a null pointer that is read went through" ;;
esac
printf '#define BAIT(x) x * 2\nint bait(int x);\nint bait(int x) { return BAIT(x + 1); }\n' >"$bait/bait.c"
case $(tidy "$bait/bait.c" --config-file=.clang-tidy -checks="$checks") in
*bugprone-macro-parentheses*) ;;
*) say 'clang-tidy finds nothing:' "an argument of a macro without parentheses went through" ;;
esac
rm -r "$bait"
exit $bad
