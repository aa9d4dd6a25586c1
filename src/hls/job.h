/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What job.c (states), job_run.c (what runs next), job_media.c (what a process says), job_seal.c (when
 * it is made) and job_cache.c (the disk) share. Threads: the hub's loop. */
#pragma once

#include "hls/hub.h"

enum { JOB_VIEWER_MS = 60000 }; /* who asked for nothing so long watches something else */

const struct plan_rendition *job_rendition(const struct entry *entry);
/* Transcodes: what took seconds to make is kept on disk. */
bool job_is_cached(const struct entry *entry);
/* Neither idle nor done. */
bool job_is_active(enum entry_state state);
void job_move(struct entry *entry, enum entry_state to);
/* It is done: keeps `segment` (taken) in memory until the budget asks for the room. */
void job_hold(struct entry *entry, struct segment **segment);
/* Those who wait hear `kind`; idle afterwards. */
void job_fail(struct entry *entry, enum err kind, const struct why *why);
/* Waits to be made from now on. */
void job_queue(struct entry *entry);
/* Ends what is under way; readers of it hear `kind`. */
void job_stop(struct entry *entry, enum err kind, const struct why *why);
/* Nobody waits for it any more. */
void job_cancel(struct entry *entry);
/* What is made for nobody now, since its viewer is elsewhere, and sleeps for bytes that are still to come, would
 * only keep them from who watches. */
void job_drop_left(struct room *room);
void job_mark_bad(struct entry *entry, const struct why *why);
void job_key(const struct entry *entry, struct cache_key *out);
/* It lies in the disk's cache. */
bool job_is_stored(const struct entry *entry);

/* --- job_run.c --- */
/* True when it lies in what is made ahead for somebody. */
bool job_is_watched(const struct room *room, const struct entry *entry, int64_t now_ms);

/* What a copy is made of is read from the disk in one go, before those who read it in small steps come
 * there: 32 MiB of `span` at most. */
void job_read_ahead(const struct entry *entry, struct span span);

/* --- job_media.c --- */
extern const struct media_job_events job_media_events;
/* Decision 12: the copy is not what was announced; the film gets a plan without it. False: the
 * room was ended for it. */
bool job_give_up_copy(struct entry *entry);
/* Its file of `size` bytes is sealed: done. */
void job_sealed(struct entry *entry, uint64_t size);

/* --- job_seal.c --- */
/* Ends with job_sealed or job_fail, not inside the call unless too many wait. */
void job_seal(struct entry *entry, uint64_t size);

/* --- job_cache.c --- */
void job_hash_key(const struct film_key *film, uint32_t n, struct cache_key *out);
/* False: the pool is full. Ends with job_looked. */
bool job_start_lookup(const struct entry *entry, const struct cache_key *key);
void job_looked(struct room *room, uint32_t rendition, uint32_t n, struct segment **found);
/* Writes a done transcode to the cache; then the file takes the memory's place. */
void job_store(struct entry *entry);
