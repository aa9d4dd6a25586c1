/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments to and from the disk's cache. Work on hls's pool, between two moments on the hub. */
#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hls/job.h"

void job_hash_key(const struct film_key *film, uint32_t n, struct cache_key *out)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->hash);
    crypto_generichash_update(&state, film->hash, sizeof film->hash);
    crypto_generichash_update(&state, (const uint8_t *) &n, sizeof n);
    crypto_generichash_final(&state, out->hash, sizeof out->hash);
}

struct disk_work {
    struct hls *hls;
    uint64_t room;
    uint32_t rendition, n;
    struct cache_key key;
    struct segment *made;  /* to store */
    struct segment *found; /* looked up, or stored */
};

static struct disk_work *new_work(const struct entry *entry, const struct cache_key *key)
{
    struct disk_work *work = mem_new(struct disk_work);
    *work = (struct disk_work){.hls = entry->room->hls,
                               .room = entry->room->serial,
                               .rendition = entry->rendition,
                               .n = entry->n,
                               .key = *key};
    return work;
}

static void drop_work(struct disk_work *work)
{
    segment_unref(&work->made);
    segment_unref(&work->found);
    mem_free(work);
}

static void look(void *arg)
{
    struct disk_work *work = arg;
    if (cache_find(work->hls->cache, &work->key, &work->found) != OK)
        work->found = NULL;
}

static void looked(void *arg)
{
    struct disk_work *work = arg;
    struct room *room = room_by_serial(work->hls, work->room);
    if (room != NULL)
        job_looked(room, work->rendition, work->n, &work->found);
    drop_work(work);
}

bool job_start_lookup(const struct entry *entry, const struct cache_key *key)
{
    struct disk_work *work = new_work(entry, key);
    if (pool_run(work->hls->pool, look, looked, work, work->hls->mailbox) == OK)
        return true;
    drop_work(work);
    return false;
}

static void store(void *arg)
{
    struct disk_work *work = arg;
    struct segment_view view;
    segment_look(work->made, &view);
    if (cache_put(work->hls->cache, &work->key, segment_fd(work->made), view.bytes, view.tag) != OK)
        return;
    if (cache_find(work->hls->cache, &work->key, &work->found) != OK)
        work->found = NULL;
}

static void stored(void *arg)
{
    struct disk_work *work = arg;
    struct room *room = room_by_serial(work->hls, work->room);
    if (room != NULL && work->found != NULL) {
        struct entry *entry = job_entry(room, work->rendition, work->n);
        entry->is_stored = true;
        if (entry->state == ENTRY_DONE && entry->segment == work->made)
            job_hold(entry, &work->found);
    }
    drop_work(work);
}

void job_store(struct entry *entry)
{
    struct cache_key key;
    job_key(entry, &key);
    struct disk_work *work = new_work(entry, &key);
    work->made = segment_ref(entry->segment);
    if (pool_run(work->hls->pool, store, stored, work, work->hls->mailbox) == OK)
        return;
    /* It stays in memory, and is made again when that forgets it. */
    log_warning("cache.busy", log_str("file", entry->room->id), log_int("n", entry->n));
    drop_work(work);
}
