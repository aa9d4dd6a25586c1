/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What episodes sound like, and what was found of it, on disk: both under what they were made from, so
 * that a file of other bytes has neither. What is read back is judged as if it came from outside.
 * Threads: any; all that touches the disk sleeps. */
#include "hls/intros_keep.h"

#include <sodium.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/plan.h"

static const char magic[4] = {'M', 'm', 'k', '1'};

enum { MARKER_BYTES = 12 };

/* --- keys --- */

static void make_key(const char *label, const struct hls_episode *episode, struct cache_key *out)
{
    const uint32_t plan = PLAN_VERSION; /* whose times these are */
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->hash);
    crypto_generichash_update(&state, (const uint8_t *) label, strlen(label) + 1);
    crypto_generichash_update(&state, (const uint8_t *) &plan, sizeof plan);
    crypto_generichash_update(&state, (const uint8_t *) episode->id, strlen(episode->id) + 1);
    crypto_generichash_update(&state, (const uint8_t *) &episode->size, sizeof episode->size);
    crypto_generichash_update(&state, episode->hash, sizeof episode->hash);
    crypto_generichash_final(&state, out->hash, sizeof out->hash);
}

void intros_fingerprint_key(const struct hls_episode *episode, struct cache_key *out)
{
    make_key("fingerprint", episode, out);
}

static void markers_key(const struct hls_episode *episode, struct cache_key *out)
{
    make_key("markers", episode, out);
}

/* --- bytes on disk --- */

static enum err put(struct cache *cache, const struct cache_key *key, const struct str *bytes)
{
    CLEANUP(fd_close) int fd = -1;
    enum err kind = fd_memory("matinee-intros", &fd);
    if (kind == OK)
        kind = fd_write_at(fd, bytes->at, bytes->length, 0);
    return kind == OK ? cache_put(cache, key, fd, bytes->length, "\"intros\"") : kind;
}

/* The caller's (mem_free). NOT_FOUND, LIMIT, IO. */
static enum err get(struct cache *cache, const struct cache_key *key, size_t most, uint8_t **out,
                    size_t *size)
{
    struct segment *segment = NULL;
    struct segment_view view;
    enum err kind = cache_find(cache, key, &segment);
    if (kind != OK)
        return kind;
    segment_look(segment, &view);
    if (view.bytes > most)
        kind = ERR_LIMIT;
    uint8_t *bytes = kind == OK ? mem_zalloc((size_t) view.bytes + 1) : NULL;
    if (kind == OK)
        kind = segment_read(segment, bytes, (size_t) view.bytes, 0, size);
    segment_unref(&segment);
    if (kind != OK)
        mem_free_at(&bytes);
    *out = bytes;
    return kind;
}

enum err intros_store(struct cache *cache, const struct hls_episode *episode,
                      const struct fingerprint *fingerprint)
{
    CLEANUP(str_fini) struct str bytes = {0};
    struct cache_key key;
    fingerprint_write(fingerprint, &bytes);
    intros_fingerprint_key(episode, &key);
    return put(cache, &key, &bytes);
}

/* False: it cannot be had, and is one of no items. */
static bool load(struct cache *cache, const struct hls_episode *episode, struct fingerprint *out)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct cache_key key;
    size_t size = 0;
    *out = (struct fingerprint){0};
    intros_fingerprint_key(episode, &key);
    return get(cache, &key, FINGERPRINT_BYTES, &bytes, &size) == OK &&
           fingerprint_read(bytes, size, out, NULL) == OK;
}

/* --- markers as bytes --- */

void intros_write(const struct kept_markers *kept, struct str *out)
{
    str_append(out, magic, sizeof magic);
    str_append(out, kept->basis, sizeof kept->basis);
    for (uint32_t i = 0; i < kept->count; i++) {
        str_put_u32(out, kept->markers[i].kind);
        str_put_u32(out, (uint32_t) kept->markers[i].start_ms);
        str_put_u32(out, (uint32_t) kept->markers[i].end_ms);
    }
}

enum err intros_read(const uint8_t *bytes, size_t size, struct kept_markers *out)
{
    enum { HEAD = sizeof magic + sizeof out->basis };
    const int64_t most_ms = (int64_t) PLAN_MAX_HOURS * 3600 * 1000;
    struct kept_markers kept = {.count = 0};
    if (size < HEAD || memcmp(bytes, magic, sizeof magic) != 0 ||
        (size - HEAD) % MARKER_BYTES != 0 || (size - HEAD) / MARKER_BYTES > MARKERS_MOST)
        return ERR_BAD_INPUT;
    memcpy(kept.basis, bytes + sizeof magic, sizeof kept.basis);
    for (; kept.count < (size - HEAD) / MARKER_BYTES; kept.count++) {
        const uint8_t *at = bytes + HEAD + (size_t) kept.count * MARKER_BYTES;
        const struct marker *before = kept.count > 0 ? &kept.markers[kept.count - 1] : NULL;
        struct marker *marker = &kept.markers[kept.count];
        uint32_t kind = str_get_u32(at);
        marker->kind = kind == MARKER_INTRO ? MARKER_INTRO : MARKER_CREDITS;
        marker->start_ms = str_get_u32(at + 4);
        marker->end_ms = str_get_u32(at + 8);
        if (kind > MARKER_CREDITS || marker->start_ms >= marker->end_ms ||
            marker->end_ms > most_ms || (before != NULL && before->kind >= marker->kind))
            return ERR_BAD_INPUT;
    }
    *out = kept;
    return OK;
}

bool intros_find(struct cache *cache, const struct hls_episode *episode, struct kept_markers *out)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    struct cache_key key;
    size_t size = 0;
    markers_key(episode, &key);
    return get(cache, &key, sizeof *out + MARKERS_MOST * MARKER_BYTES, &bytes, &size) == OK &&
           intros_read(bytes, size, out) == OK;
}

/* --- a season --- */

/* Whom an episode is held against: the nearest by number. Versions of one episode are one. */
struct company {
    const struct hls_episode *others[MATCH_OTHERS];
    size_t count;
};

static bool is_new(const struct company *company, const struct hls_episode *episode)
{
    for (size_t i = 0; i < company->count; i++)
        if (company->others[i]->number == episode->number)
            return false;
    return true;
}

/* Of the two next to what was looked at, the nearer one, which is taken. */
static const struct hls_episode *take_nearest(const struct hls_season *season, int number,
                                              size_t *low, size_t *high)
{
    bool is_before = *low > 0;
    if (is_before && *high < season->count)
        is_before =
            number - season->episodes[*low - 1].number <= season->episodes[*high].number - number;
    return is_before ? &season->episodes[--*low] : &season->episodes[(*high)++];
}

static void choose_company(const struct hls_season *season, size_t of, struct company *out)
{
    const int number = season->episodes[of].number;
    size_t low = of, high = of + 1;
    out->count = 0;
    while (out->count < MATCH_OTHERS && (low > 0 || high < season->count)) {
        const struct hls_episode *next = take_nearest(season, number, &low, &high);
        if (next->number != number && is_new(out, next))
            out->others[out->count++] = next;
    }
}

/* What the markers are made from. */
static void find_basis(const struct hls_episode *episode, const struct company *company,
                       uint8_t out[INTROS_BASIS_BYTES])
{
    const uint32_t way = MATCH_VERSION;
    struct cache_key key;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, INTROS_BASIS_BYTES);
    crypto_generichash_update(&state, (const uint8_t *) &way, sizeof way);
    intros_fingerprint_key(episode, &key);
    crypto_generichash_update(&state, key.hash, sizeof key.hash);
    for (size_t i = 0; i < company->count; i++) {
        intros_fingerprint_key(company->others[i], &key);
        crypto_generichash_update(&state, key.hash, sizeof key.hash);
    }
    crypto_generichash_final(&state, out, INTROS_BASIS_BYTES);
}

/* False: not all of them can be had. */
static bool compare(struct cache *cache, const struct hls_episode *episode,
                    const struct company *company, struct kept_markers *out)
{
    struct fingerprint own, others[MATCH_OTHERS];
    const struct fingerprint *heard[MATCH_OTHERS];
    size_t count = 0;
    bool is_whole = load(cache, episode, &own);
    for (size_t i = 0; i < company->count; i++) {
        is_whole = load(cache, company->others[i], &others[i]) && is_whole;
        if (others[i].first.count > 0 || others[i].last.count > 0)
            heard[count++] = &others[i];
    }
    if (is_whole)
        out->count = (uint32_t) match_markers(&own, heard, count, out->markers);
    for (size_t i = 0; i < company->count; i++)
        fingerprint_fini(&others[i]);
    fingerprint_fini(&own);
    return is_whole;
}

/* Whether what is kept of an episode was made from the same; *before is that, of no markers where there
 * is none, *now the basis. */
static bool is_settled(struct cache *cache, const struct hls_season *season, size_t of,
                       struct company *company, struct kept_markers *before,
                       struct kept_markers *now)
{
    const struct hls_episode *episode = &season->episodes[of];
    choose_company(season, of, company);
    *now = (struct kept_markers){.count = 0};
    find_basis(episode, company, now->basis);
    if (company->count > 0 && intros_find(cache, episode, before))
        return memcmp(before->basis, now->basis, sizeof now->basis) == 0;
    before->count = 0;
    return company->count == 0;
}

bool intros_are_settled(struct cache *cache, const struct hls_season *season)
{
    struct company company;
    struct kept_markers before, now;
    for (size_t i = 0; i < season->count; i++)
        if (!is_settled(cache, season, i, &company, &before, &now))
            return false;
    return true;
}

/* True: it has other markers than before. */
static bool settle(struct cache *cache, const struct hls_season *season, size_t of)
{
    const struct hls_episode *episode = &season->episodes[of];
    struct company company;
    struct kept_markers before, now;
    CLEANUP(str_fini) struct str bytes = {0};
    struct cache_key key;
    if (is_settled(cache, season, of, &company, &before, &now) ||
        !compare(cache, episode, &company, &now))
        return false;
    intros_write(&now, &bytes);
    markers_key(episode, &key);
    return put(cache, &key, &bytes) == OK && (before.count > 0 || now.count > 0);
}

void intros_settle(struct cache *cache, const struct hls_season *season, intros_settled_fn *settled,
                   void *ctx)
{
    for (size_t i = 0; i < season->count; i++)
        if (settle(cache, season, i))
            settled(ctx, season->episodes[i].id);
}
