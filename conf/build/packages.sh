# SPDX-License-Identifier: GPL-3.0-or-later
# Brings Debian's packages: `. conf/build/packages.sh; packages_need $PACKAGES_BUILD`.
# Asks apt only for what is missing, so that a second run needs neither root nor network.

PACKAGES_BUILD="build-essential cmake ninja-build pkg-config
    libavformat-dev libavcodec-dev libavfilter-dev libavutil-dev libswresample-dev libswscale-dev
    libuv1-dev libh2o-dev libcurl4-openssl-dev libssl-dev zlib1g-dev libjansson-dev libjose-dev libfido2-dev libsqlite3-dev libsodium-dev
    libyaml-dev libseccomp-dev libtorrent-rasterbar-dev libuchardet-dev libchromaprint-dev"
PACKAGES_RUN="ffmpeg qrencode util-linux iproute2"
PACKAGES_TEST="libcmocka-dev ffmpeg mkvtoolnix python3 python3-pytest python3-pytest-xdist python3-jwt python3-cryptography
    python3-yaml python3-jsonschema python3-libtorrent iproute2 util-linux chromium clang-14 clang-format-14 clang-tidy-14
    libclang-rt-14-dev valgrind git fonts-dejavu-core procps"
# For the long form: another engine that knows HLS, and a screen for it.
PACKAGES_FULL="libwebkit2gtk-4.1-0 gir1.2-webkit2-4.1 gir1.2-gtk-3.0 python3-gi gstreamer1.0-plugins-base
    gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav gstreamer1.0-gl xvfb xauth dbus"

packages_missing() {
    for package; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -q '^installed$' ||
            printf '%s ' "$package"
    done
}

packages_need() {
    missing=$(packages_missing "$@")
    # Any npm will do; Debian's own would push another Node.js off the machine.
    command -v npm >/dev/null 2>&1 || missing="$missing npm"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || {
        echo "matinee: needs these packages of Debian 12, and there is no apt-get: $missing" >&2
        return 1
    }
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            echo "matinee: needs these packages; install them as root, then run this again:" >&2
            echo "    apt-get install --no-install-recommends $missing" >&2
            return 1
        }
        as_root=sudo
    fi
    echo "matinee: installing $missing"
    $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
