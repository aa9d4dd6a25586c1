#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing, builds matinee, starts it, and says where to look.
#     sh conf/run.sh [FOLDER]            with no FOLDER it makes a short demo film
#     sh conf/run.sh --install [FOLDER]  the same as a service that starts with the machine
# Started as root it serves as the user `matinee`, or as the owner of FOLDER where only that one
# can read it. Started by a user it uses sudo for apt alone. MATINEE_LISTEN (0.0.0.0:8080) and all
# other settings of conf/matinee.yaml can be given in the environment.
set -eu
cd "$(dirname "$0")/.."
. conf/build/packages.sh

install=
[ "${1:-}" = --install ] && { install=yes; shift; }
case "${1:-}" in
-h | --help) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
-*) echo "matinee: what is $1? sh conf/run.sh [--install] [FOLDER]" >&2; exit 2 ;;
esac
folder=${1:-}
if [ -n "$folder" ]; then
    [ -d "$folder" ] || { echo "matinee: there is no folder $folder" >&2; exit 2; }
    folder=$(cd "$folder" && pwd)
fi

packages_need $PACKAGES_BUILD $PACKAGES_RUN
cmake -S . -B build -G Ninja -DMATINEE_TESTS=OFF -DMATINEE_BENCH=OFF >build.log 2>&1 &&
    cmake --build build >>build.log 2>&1 || {
        tail -n 40 build.log >&2
        echo "matinee: the build failed; all of it is in build.log" >&2
        exit 1
    }
rm -f build.log

# Who serves, and where its data stands.
me=$(id -un)
user=$me
if [ "$me" = root ]; then
    user=matinee
    id matinee >/dev/null 2>&1 ||
        useradd --system --home-dir /var/lib/matinee --shell /usr/sbin/nologin matinee
    if [ -n "$folder" ] && ! setpriv --reuid matinee --regid matinee --clear-groups \
        test -r "$folder" -a -x "$folder"; then
        user=$(stat -c %U "$folder")
        [ "$user" != root ] || echo "matinee: only root can read $folder, so matinee runs as" \
            "root. Better: chgrp matinee $folder && chmod g+rx $folder" >&2
    fi
    data=${MATINEE_DATA:-/var/lib/matinee}
    program=/usr/local
    cmake --install build --prefix "$program" >/dev/null
    mkdir -p "$data"
    chown -R "$user": "$data"
    matinee=$program/bin/matinee
else
    data=${MATINEE_DATA:-${XDG_DATA_HOME:-$HOME/.local/share}/matinee}
    mkdir -p "$data"
    matinee=$PWD/build/matinee
fi

as_user() {
    if [ "$me" = root ] && [ "$user" != root ]; then
        group=$(id -gn "$user")
        setpriv --reuid "$user" --regid "$group" --init-groups --no-new-privs \
            env HOME="$data" "$@"
    else
        "$@"
    fi
}

if [ -z "$folder" ]; then
    folder=$data/demo
    demo="$folder/A Short Demo (2026).mkv"
    if [ ! -s "$demo" ]; then
        echo "matinee: no FOLDER given, so here is a demo film to play with"
        as_user mkdir -p "$folder"
        as_user sh conf/build/demo.sh "$folder/.demo.mkv" </dev/null 2>/dev/null ||
            { echo "matinee: could not make the demo film in $folder" >&2; exit 1; }
        as_user mv "$folder/.demo.mkv" "$demo"
    fi
fi

if [ -n "$install" ]; then
    [ "$me" = root ] || { echo "matinee: --install needs root" >&2; exit 2; }
    sed -e "s|@USER@|$user|" -e "s|@MATINEE@|$matinee|" -e "s|@DATA@|$data|" \
        -e "s|@FOLDER@|$folder|" conf/matinee.service >/etc/systemd/system/matinee.service
    systemctl daemon-reload
    systemctl enable --now matinee.service
    echo "matinee: installed. systemctl status matinee; journalctl -u matinee"
    exit 0
fi

# The server's first line tells the real port; the code is there while there is no account.
said=$data/.listening
as_user rm -f "$said"
as_user sh -c 'exec "$0" serve --data "$1" --library "$2" >"$3"' \
    "$matinee" "$data" "$folder" "$said" &
server=$!
trap 'kill -TERM $server 2>/dev/null' INT TERM HUP
until grep -q '^listening on ' "$said" 2>/dev/null; do
    kill -0 $server 2>/dev/null || { wait $server || exit $?; exit 1; }
    sleep 0.1
done
sh conf/build/where.sh "$said" "$data/setup-code" "$folder"
while kill -0 $server 2>/dev/null; do
    wait $server && status=0 || status=$?
done
exit "${status:-0}"
