# SPDX-License-Identifier: GPL-3.0-or-later
# Says where to look: where.sh FILE_WITH_LISTENING_LINE SETUP_CODE_FILE FOLDER
url=$(sed -n "s/^listening on //p" "$1" | head -n 1)
url=${url%/}
scheme=${url%%://*}
rest=${url#*://}
port=$(printf '%s' "$rest" | sed 's|/.*||; s|.*:||')
code=$(cat "$2" 2>/dev/null)
first=
echo
echo "  matinee plays $3"
echo
case $rest in
0.0.0.0:* | \[::\]:*)
    echo "    on this machine    $scheme://127.0.0.1:$port/"
    for address in $(ip -4 -o addr show scope global 2>/dev/null |
        sed -n 's|.* inet \([0-9.]*\)/.*|\1|p'); do
        echo "    in this house      $scheme://$address:$port/"
        first=${first:-$scheme://$address:$port/}
    done
    name=$(uname -n)
    case $name in *.*) ;; *) echo "    by name            $scheme://$name.local:$port/" ;; esac
    ;;
*) echo "    $url/" ;;
esac
if [ -n "$code" ]; then
    first=${first:-$url/}
    echo
    echo "  First visit: make your account with the code  $code"
    echo
    qrencode -t UTF8 -m 2 "${first}setup?code=$code" 2>/dev/null || true
fi
echo
echo "  Ctrl-C stops it."
