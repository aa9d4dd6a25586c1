/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/key_finder.h"

#include "base/mem.h"

#define NS_PER_S INT64_C(1000000000)

/* A picture may be shown this much later than one that follows it in the file. */
#define REORDER_NS NS_PER_S
/* How far the key after is looked for. */
#define AFTER_NS (60 * NS_PER_S)

/* How much earlier the walk to a key begins, try by try: films whose keys are further apart are
 * nobody's. */
static const int64_t back_ns[] = {0, 4 * NS_PER_S, 16 * NS_PER_S, 64 * NS_PER_S, 256 * NS_PER_S};
#define BACK_COUNT (sizeof back_ns / sizeof *back_ns)

struct key_finder {
    /* fixed after new */
    const struct plan *plan;
    struct reader reader;

    bool is_open; /* was tried */
    bool is_needed;
    struct container *container; /* NULL: not needed */
};

struct key_finder *key_finder_new(const struct reader *reader, const struct plan *plan)
{
    struct key_finder *finder = mem_new(struct key_finder);
    finder->reader = *reader;
    finder->plan = plan;
    return finder;
}

void key_finder_free(struct key_finder **finder)
{
    struct key_finder *old = *finder;
    *finder = NULL;
    if (old == NULL)
        return;
    container_close(&old->container);
    mem_free(old);
}

void key_finder_set_cancelled(struct key_finder *finder, _Atomic bool *cancelled)
{
    finder->reader.cancelled = cancelled;
}

static bool is_fatal(enum err err)
{
    return err == ERR_IO || err == ERR_CANCELLED || err == ERR_GONE;
}

/* Whether an index is there that can be trusted is asked once, as the planner asks. */
static enum err look_for_index(struct key_finder *finder, uint32_t track)
{
    struct key *keys = NULL;
    size_t count = 0;
    uint32_t tracks = 0;
    enum err err = container_open(&finder->reader, &finder->container, NULL);
    if (err != OK)
        return is_fatal(err) ? err : OK;
    container_tracks(finder->container, &tracks);
    if (container_kind(finder->container) == CONTAINER_MKV && tracks == finder->plan->track_count)
        err = container_keys(finder->container, &finder->reader, track, &keys, &count, NULL);
    mem_free(keys);
    finder->is_needed = err == ERR_NOT_FOUND;
    return is_fatal(err) ? err : OK;
}

static enum err open_film(struct key_finder *finder, uint32_t track)
{
    if (finder->is_open)
        return OK;
    if (finder->plan->container != CONTAINER_MKV) {
        finder->is_open = true;
        return OK;
    }
    enum err err = look_for_index(finder, track);
    if (err == OK)
        finder->is_open = true;
    if (err != OK || !finder->is_needed)
        container_close(&finder->container);
    return err;
}

/* From `pos` on up to the first key after `time_ns`. NOT_FOUND: no key stands before that. */
static enum err walk(struct key_finder *finder, uint32_t track, uint64_t pos, int64_t time_ns,
                     struct key_pair *out)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    bool is_found = false;
    enum err err =
        cursor_open(finder->container, &finder->reader, UINT64_C(1) << track, pos, &cursor);
    out->has_after = false;
    while (err == OK && !out->has_after && (err = cursor_next(cursor, &packet)) == OK) {
        struct key key = key_of_packet(&packet);
        if (packet.pts_ns > time_ns + (is_found ? AFTER_NS : REORDER_NS))
            break;
        if (!packet.is_key)
            continue;
        out->has_after = packet.pts_ns > time_ns;
        is_found = is_found || !out->has_after;
        *(out->has_after ? &out->after : &out->before) = key;
    }
    cursor_close(&cursor);
    if (is_fatal(err))
        return err;
    return is_found ? OK : ERR_NOT_FOUND;
}

enum err key_finder_find(struct key_finder *finder, uint32_t track, int64_t time_ns,
                         struct key_pair *out)
{
    enum err err = open_film(finder, track);
    if (err == OK && finder->container == NULL)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < BACK_COUNT && err == OK; i++) {
        uint64_t pos = 0;
        err = container_seek(finder->container, &finder->reader, track, time_ns - back_ns[i], &pos);
        if (err == OK)
            err = walk(finder, track, pos, time_ns, out);
        if (err == OK)
            return OK;
        if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA)
            err = OK; /* from further back, perhaps */
    }
    return err == OK ? ERR_NOT_FOUND : err;
}
