/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file in the cache of converted segments, whoever left it there. The input is XORed over a good one of
 * its length or less, so that one of zeros is good: it is served as it was written, any other is
 * dropped, and whatever is served has the bytes that were kept. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "hls/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY = 100, BUDGET = 1 << 20 };

static char folder[64];
static char path[192]; /* of the one file */
static const struct cache_key key = {.hash = {1, 2, 3}};
static uint8_t body[BODY], good[4096];
static size_t good_size;

static void tidy(void)
{
    unlink(path);
    rmdir(folder);
}

static void keep_one(void)
{
    CLEANUP(fd_close) int fd = -1;
    struct cache *cache = NULL;
    MUST(cache_open(folder, BUDGET, &cache, NULL) == OK && fd_memory("segment", &fd) == OK);
    memset(body, 'b', sizeof body);
    MUST(fd_write_at(fd, body, sizeof body, 0) == OK);
    MUST(cache_put(cache, &key, fd, sizeof body, "\"tag\"") == OK);
    cache_close(&cache);
}

static void find_path(void)
{
    DIR *dir = opendir(folder);
    MUST(dir != NULL);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        if (entry->d_name[0] != '.')
            snprintf(path, sizeof path, "%s/%.*s", folder, 64, entry->d_name);
    closedir(dir);
}

static void set_up(void)
{
    if (folder[0] != '\0')
        return;
    log_set_level(LOG_ERROR);
    snprintf(folder, sizeof folder, "%s", "/tmp/matinee-fuzz-XXXXXX");
    MUST(mkdtemp(folder) != NULL);
    keep_one();
    find_path();
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && fd_read_at(fd, good, sizeof good, 0, &good_size) == OK);
    MUST(good_size > BODY && good_size < sizeof good);
    atexit(tidy);
}

static void judge(struct segment *segment, bool is_good)
{
    uint8_t seen[BODY];
    size_t got = 0;
    struct media_piece piece;
    MUST(is_good); /* the checksum says so */
    MUST(segment_pieces(segment, 0, &piece, 1) == 1 && piece.length == BODY && !piece.is_source);
    MUST(segment_read(segment, seen, BODY, piece.offset, &got) == OK && got == BODY);
    MUST(memcmp(seen, body, BODY) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache *cache = NULL;
    struct segment *segment = NULL;
    uint8_t bytes[sizeof good];
    set_up();
    size_t length = size < sizeof bytes ? size : sizeof bytes;
    for (size_t i = 0; i < length; i++)
        bytes[i] = data[i] ^ (i < good_size ? good[i] : 0);
    bool is_good = length == good_size && memcmp(bytes, good, good_size) == 0;
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && fd_write_at(fd, bytes, length, 0) == OK);
    MUST(cache_open(folder, BUDGET, &cache, NULL) == OK);
    bool is_found = cache_find(cache, &key, &segment) == OK;
    MUST(is_found || !is_good);
    if (is_found)
        judge(segment, is_good);
    segment_unref(&segment);
    cache_close(&cache);
    return 0;
}
