# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests of the threaded parts under ThreadSanitizer: threads.sh BUILD_DIR [FLAG]
# libav, libuv and h2o are not built with it; what is said of them alone stands in tsan.supp.
set -eu
TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1" \
    ctest --test-dir "$1" --output-on-failure -j 3 ${2:-} -R 'unit/(base|source|store|hls|http|library|auth|fetch)'
