/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Storyboards as text and on disk. Sheets are kept under the hash of their content, which is what their
 * URL names; the text, which names them, under what it was made from. Threads: any. */
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "hls/hub.h"

static const char link_prefix[] = "storyboard/";

void storyboard_key(const struct film *film, struct cache_key *out)
{
    static const char label[] = "storyboard";
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->hash);
    crypto_generichash_update(&state, (const uint8_t *) label, sizeof label);
    crypto_generichash_update(&state, (const uint8_t *) film->id, strlen(film->id) + 1);
    crypto_generichash_update(&state, film->keys[0].hash, sizeof film->keys[0].hash);
    crypto_generichash_final(&state, out->hash, sizeof out->hash);
}

void storyboard_sheet_key(const char *file, struct slice name, struct cache_key *out)
{
    static const char label[] = "sheet";
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->hash);
    crypto_generichash_update(&state, (const uint8_t *) label, sizeof label);
    crypto_generichash_update(&state, (const uint8_t *) file, strlen(file) + 1);
    crypto_generichash_update(&state, (const uint8_t *) name.at, name.length);
    crypto_generichash_final(&state, out->hash, sizeof out->hash);
}

/* --- text --- */

/* WebVTT 4.3: hours may have more than two digits. */
static void put_time(struct str *out, int64_t ms)
{
    str_printf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000,
               ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

void storyboard_write(const struct storyboard *board, struct str *out)
{
    uint32_t n = 0;
    str_puts(out, "WEBVTT\n");
    for (uint32_t s = 0; s < board->sheet_count; s++) {
        for (uint32_t i = 0; i < board->sheets[s].count; i++, n++) {
            str_puts(out, "\n");
            put_time(out, board->at_ms[n]);
            str_puts(out, " --> ");
            put_time(out, n + 1 < board->count ? board->at_ms[n + 1] : board->end_ms);
            str_printf(out, "\n%s%s.jpg#xywh=%u,%u,%u,%u\n", link_prefix, board->sheets[s].name,
                       i % STORYBOARD_COLUMNS * board->width,
                       i / STORYBOARD_COLUMNS * board->height, board->width, board->height);
        }
    }
}

bool storyboard_is_whole(struct cache *cache, const char *file, struct slice text)
{
    enum { HEX = STORYBOARD_NAME_SIZE - 1 };
    struct slice last = {"", 0};
    const char *end = text.at + text.length;
    for (const char *at = text.at; at < end;) {
        at = memmem(at, (size_t) (end - at), link_prefix, sizeof link_prefix - 1);
        if (at == NULL)
            break;
        at += sizeof link_prefix - 1;
        struct slice name = {at, end - at < HEX ? (size_t) (end - at) : (size_t) HEX};
        bool is_same = name.length == last.length && memcmp(name.at, last.at, name.length) == 0;
        struct cache_key key;
        storyboard_sheet_key(file, name, &key);
        if (!is_same && !cache_has(cache, &key))
            return false;
        last = name;
    }
    return true;
}

/* --- to disk --- */

static enum err put(struct cache *cache, const struct cache_key *key, const void *bytes,
                    size_t size)
{
    CLEANUP(fd_close) int fd = -1;
    enum err kind = fd_memory("matinee-storyboard", &fd);
    if (kind == OK)
        kind = fd_write_at(fd, bytes, size, 0);
    return kind == OK ? cache_put(cache, key, fd, size, "\"storyboard\"") : kind;
}

/* The hash is of what is stored, not of what its maker might write there meanwhile. */
static enum err store_sheet(struct cache *cache, const struct film *film, int fd,
                            struct storyboard_sheet *sheet)
{
    uint8_t hash[(STORYBOARD_NAME_SIZE - 1) / 2];
    struct cache_key key;
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc((size_t) sheet->length);
    size_t got = 0;
    enum err kind = fd_read_at(fd, bytes, (size_t) sheet->length, sheet->offset, &got);
    if (kind == OK && got < sheet->length)
        kind = ERR_IO;
    if (kind != OK)
        return kind;
    crypto_generichash(hash, sizeof hash, bytes, got, NULL, 0);
    sodium_bin2hex(sheet->name, sizeof sheet->name, hash, sizeof hash);
    storyboard_sheet_key(film->id, slice_of(sheet->name), &key);
    return put(cache, &key, bytes, got);
}

enum err storyboard_store(struct cache *cache, const struct film *film, int fd,
                          struct storyboard *board)
{
    enum err kind = OK;
    for (uint32_t i = 0; i < board->sheet_count && kind == OK; i++)
        kind = store_sheet(cache, film, fd, &board->sheets[i]);
    if (kind != OK)
        return kind;
    CLEANUP(str_fini) struct str text = {0};
    struct cache_key key;
    storyboard_write(board, &text);
    storyboard_key(film, &key);
    return put(cache, &key, text.at, text.length);
}
