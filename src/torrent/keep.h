/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of a torrent must outlive the process, in a folder of its own that only we may enter (torrent-
 * engine 5): `state.json` (what it is to us), `meta.torrent`, `resume` (libtorrent's), `pieces` (a
 * journal of what came since `resume` was written) and the files of the torrent under f/, by numbers.
 * Each is replaced whole, on the disk before its name.
 * Threads: each object belongs to whoever holds it, but for keep_put and keep_forget_pieces, which may run
 * beside the rest; all may wait for the disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/why.h"
#include "store/store.h"
#include "torrent/limits.h"

#define KEEP_STATE  "state.json"
#define KEEP_META   "meta.torrent"
#define KEEP_RESUME "resume"

struct keep;

/* Makes or opens root/id. IO, LIMIT (no room), REFUSED. */
MUST_CHECK enum err keep_open(const char *root, const char *id, struct keep **out, struct why *why);
void keep_close(struct keep **keep);
/* What is left of it is deleted at the next start, whatever happens now: nothing is put any more. */
void keep_abandon(struct keep *keep);
/* Deletes the folder and all in it, links themselves and not what they lead to. */
void keep_remove(struct keep **keep);
/* Its path: lent. */
const char *keep_folder(const struct keep *keep);

/* IO, LIMIT; GONE: it was abandoned. */
MUST_CHECK enum err keep_put(struct keep *keep, const char *name, const void *bytes, size_t size);
/* mem_free. NOT_FOUND, LIMIT: larger than `most`; IO. */
MUST_CHECK enum err keep_get(struct keep *keep, const char *name, size_t most, uint8_t **bytes,
                             size_t *size);

/* --- the journal --- */

/* Can be read from now on, whatever becomes of this process. */
void keep_note_piece(struct keep *keep, uint32_t piece);
/* Sets have[piece] of what was noted. */
void keep_noted_pieces(struct keep *keep, uint8_t *have, uint32_t count);
/* A `resume` is being made, which knows of what was noted so far ... */
void keep_turn_pieces(struct keep *keep);
/* ... and is kept by now. */
void keep_forget_pieces(struct keep *keep);

/* A file of the torrent, f/name, as long as it will be, to be read: made where it is not there, never through a
 * link. IO, LIMIT, REFUSED: another thing is in its place. */
MUST_CHECK enum err keep_open_file(struct keep *keep, const char *name, uint64_t size, int *out);
/* Whether what lies under f/ is what we left there: false when some of it is no plain file, which is deleted
 * then, or was written to after the last word of an orderly end. */
bool keep_is_untouched(struct keep *keep, bool was_orderly);

/* --- state.json --- */

struct keep_file {
    char id[STORE_ID_SIZE]; /* of the file, for all of us */
    bool is_wanted;
};
struct keep_state {
    int64_t added_ms;
    char *magnet; /* or NULL */
    char *name;
    bool is_paused;
    bool is_filed; /* the library has what it brought */
    enum torrent_priority priority;
    struct torrent_limits limits; /* keep_state_init */
    bool is_clean;                /* saved as the last thing of an orderly end */
    char boot[CLOCK_BOOT_SIZE];   /* of the machine, when it was saved */
    struct keep_file *files; /* in the order of the torrent; none before its description came */
    size_t file_count;
};
void keep_state_init(struct keep_state *state);
void keep_state_fini(struct keep_state *state);
/* state.json of it, mem_free; NULL: something in it is no UTF-8. */
char *keep_state_text(const struct keep_state *state);
/* BAD_INPUT: it does not read. */
MUST_CHECK enum err keep_state_read(const void *bytes, size_t size, struct keep_state *out);
MUST_CHECK enum err keep_put_state(struct keep *keep, const struct keep_state *state);
/* NOT_FOUND; BAD_INPUT: it does not read; IO. */
MUST_CHECK enum err keep_get_state(struct keep *keep, struct keep_state *out);
