/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "torrent/inside.h"

enum {
    SAVE_MS = 30000,
    GIVE_UP_MS = 5 * SAVE_MS,
    RETRY_MS = 5000,   /* after the disk failed */
    LONELY_MS = 15000, /* without a peer: they are called again, and later and later */
    LONELIEST_MS = 300000,
    WAITS_MS = 800,
    ROOM_BYTES =
        64 * 1024 * 1024, /* so much more than must stay free, or it would be full at once */
    READS = 64,
    ENDS = 16,               /* two of each file: of a season, the first ones */
    GATE_LOOKS = 256,        /* each is a word with libtorrent's thread */
    MOST_CONTRADICTIONS = 3, /* now and then libtorrent finds one where there is none */
    MOST_RESUME_BYTES = 32 * 1024 * 1024,
    MOST_DESCRIPTION_BYTES = 32 * 1024 * 1024, /* with those that were wrong */
};

/* --- life --- */

struct torrent *torrent_new(struct torrents *torrents, const char *id, struct keep **keep,
                            struct keep_state *state)
{
    struct torrent *torrent = mem_new(struct torrent);
    CLEANUP(mem_free_at) char *name = NULL;
    torrent->torrents = torrents;
    memcpy(torrent->id, id, strlen(id) + 1);
    torrent->keep = *keep;
    torrent->state = *state;
    *keep = NULL;
    *state = (struct keep_state){0};
    torrent->moved_ms = torrent->saved_ms = torrent->called_ms = clock_mono_ms();
    torrent->lonely_ms = LONELY_MS;
    if (torrent->state.magnet != NULL)
        (void) !shim_magnet_read(torrent->state.magnet, &torrent->hashes, &name, NULL);
    TAILQ_INSERT_TAIL(&torrents->list, torrent, link);
    return torrent;
}

void torrent_free(struct torrent **torrent)
{
    struct torrent *gone = *torrent;
    const struct why why = {.text = "the download has ended"};
    *torrent = NULL;
    TAILQ_REMOVE(&gone->torrents->list, gone, link);
    files_fail(gone, ERR_CANCELLED, &why);
    for (size_t i = 0; gone->meta != NULL && i < gone->meta->file_count; i++)
        source_unref(&gone->files[i].source);
    mem_free(gone->files);
    mem_free(gone->have);
    mem_free(gone->pending);
    picker_free(&gone->picker);
    shim_meta_free(&gone->meta);
    keep_state_fini(&gone->state);
    disk_close(gone->torrents, &gone->keep);
    mem_free(gone);
}

static void tell(struct torrent *torrent)
{
    torrent->is_changed = false;
    if (torrent->torrents->changed != NULL)
        torrent->torrents->changed(torrent->torrents->ctx, torrent->id);
}

void torrent_save_state(struct torrent *torrent, bool is_clean)
{
    torrent->state.is_clean = is_clean;
    memcpy(torrent->state.boot, torrent->torrents->boot, sizeof torrent->state.boot);
    void *text = keep_state_text(&torrent->state);
    if (text != NULL)
        disk_put(torrent, KEEP_STATE, &text, strlen(text));
    torrent->is_changed = true;
}

void torrent_fail(struct torrent *torrent, const char *format, ...)
{
    char text[sizeof torrent->failure.text];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    why_set(&torrent->failure, ERR_IO, NULL, "%s", text);
    torrent->phase = PHASE_FAILED;
    log_warning("torrent.failed", log_str("id", torrent->id), log_str("why", text));
    files_fail(torrent, ERR_IO, &torrent->failure);
    if (torrent->shim != NULL)
        shim_stop(torrent->shim);
    torrent->is_changed = true;
}

/* --- its description --- */

static void set_wanted_pieces(struct torrent *torrent)
{
    const struct shim_meta *meta = torrent->meta;
    for (uint32_t i = 0; i < meta->pieces; i++)
        picker_want(torrent->picker, i, false);
    for (size_t i = 0; i < meta->file_count; i++) {
        uint32_t piece, end;
        if (!torrent->state.files[i].is_wanted || !files_pieces(meta, i, &piece, &end))
            continue;
        for (; piece < end; piece++)
            picker_want(torrent->picker, piece, true);
    }
}

static void give_ids(struct torrent *torrent)
{
    const struct shim_meta *meta = torrent->meta;
    struct keep_state *state = &torrent->state;
    mem_free(state->files);
    state->files = mem_new_array(struct keep_file, meta->file_count);
    state->file_count = meta->file_count;
    for (size_t i = 0; i < meta->file_count; i++) {
        store_new_id(state->files[i].id);
        state->files[i].is_wanted = !meta->files[i].is_hidden;
    }
    mem_free(state->name);
    state->name = mem_strdup(meta->name);
}

void torrent_describe(struct torrent *torrent, struct shim_meta **meta)
{
    torrent->meta = *meta;
    *meta = NULL;
    torrent->hashes = torrent->meta->hashes;
    torrent->picker =
        picker_new(torrent->meta->pieces, torrent->meta->piece_bytes, torrent->meta->size);
    torrent->have = mem_new_array(uint8_t, torrent->meta->pieces);
    torrent->files = mem_new_array(struct torrent_file, torrent->meta->file_count);
    if (torrent->state.file_count != torrent->meta->file_count)
        give_ids(torrent);
    set_wanted_pieces(torrent);
    torrent_save_state(torrent, false);
}

bool *torrent_wanted(const struct torrent *torrent)
{
    bool *wanted = mem_new_array(bool, torrent->meta->file_count);
    for (size_t i = 0; i < torrent->meta->file_count; i++)
        wanted[i] = torrent->state.files[i].is_wanted;
    return wanted;
}

/* --- its own limits --- */

static bool wants_bytes(const struct torrent *torrent)
{
    return torrent->phase == PHASE_RUNNING && !torrent->is_whole && !torrent->state.is_paused;
}

bool torrent_is_moving(const struct torrent *torrent)
{
    return wants_bytes(torrent) && !torrent->is_stalled && torrent->disk.text[0] == '\0';
}

static struct told_limits limits_of(const struct torrent *torrent, bool yields)
{
    const struct torrent_limits *limits = &torrent->state.limits;
    int64_t download = limits->download_rate > 0 ? limits->download_rate : 0;
    if (yields && (download == 0 || download > LIMITS_YIELD))
        download = LIMITS_YIELD;
    return (struct told_limits){download, limits->upload_rate > 0 ? limits->upload_rate : 0};
}

void torrent_limit(struct torrent *torrent, bool yields)
{
    const struct told_limits limits = limits_of(torrent, yields);
    if (torrent->shim == NULL ||
        (limits.download == torrent->told.download && limits.upload == torrent->told.upload))
        return;
    shim_limit(torrent->shim, limits.download, limits.upload);
    torrent->told = limits;
}

/* It has given back what it is to. */
static bool has_given_enough(const struct torrent *torrent)
{
    const struct torrent_limits *limits = &torrent->state.limits;
    double ratio = limits->ratio_percent >= 0 ? (double) limits->ratio_percent / 100
                                              : torrent->torrents->ratio;
    int64_t seed_ms = limits->seed_s >= 0 ? limits->seed_s * 1000 : torrent->torrents->seed_ms;
    return (double) torrent->status.uploaded >= ratio * (double) torrent->meta->size ||
           torrent->status.seeding_s * 1000 >= seed_ms;
}

void torrent_change_limits(struct torrent *torrent, const struct torrents_change *change)
{
    bool is_changed = torrent_limits_change(&torrent->state.limits, &change->limits);
    if (change->sets_priority) {
        is_changed |= torrent->state.priority != change->priority;
        torrent->state.priority = change->priority;
    }
    if (!is_changed)
        return;
    torrent_save_state(torrent, false);
    if (!torrent->has_given || has_given_enough(torrent))
        return;
    torrent->has_given = false; /* torrent_look judges anew */
    if (!torrent->state.is_paused && torrent->phase == PHASE_RUNNING && torrent->shim != NULL)
        shim_start(torrent->shim);
}

/* --- into the session --- */

static void add_to_session(struct torrent *torrent, struct shim_order *order, struct why *why)
{
    size_t count = torrent->meta != NULL ? torrent->meta->file_count : 0;
    CLEANUP(mem_free_at) char(*names)[32] = mem_zalloc_array(count + 1, sizeof *names);
    CLEANUP(mem_free_at) const char **list = mem_new_array(const char *, count + 1);
    CLEANUP(mem_free_at) bool *wanted = torrent->meta != NULL ? torrent_wanted(torrent) : NULL;
    for (size_t i = 0; i < count; i++) {
        files_name(torrent, i, names[i]);
        list[i] = names[i];
    }
    order->names = list;
    order->wanted = wanted;
    order->magnet = torrent->state.magnet;
    order->folder = keep_folder(torrent->keep);
    order->is_stopped = torrent->state.is_paused;
    order->ctx = torrent;
    torrent->phase = order->torrent != NULL ? PHASE_CHECKING : PHASE_DESCRIPTION;
    torrent->told = limits_of(torrent, false); /* torrents.c says soon whether it yields */
    order->download_limit = torrent->told.download;
    order->upload_limit = torrent->told.upload;
    torrents_hurry(torrent->torrents);
    if (shim_add(torrent->torrents->shim, order, &torrent->shim, why) != OK)
        torrent_fail(torrent, "%s", why->text);
}

void torrent_begin(struct torrent *torrent, const void *bytes, size_t size, bool is_kept)
{
    struct why why = {0};
    CLEANUP(mem_free_at) uint8_t *resume = NULL;
    CLEANUP(mem_free_at) uint8_t *noted = NULL;
    struct shim_order order = {.torrent = torrent->meta != NULL ? bytes : NULL,
                               .torrent_size = size};
    if (torrents_session(torrent->torrents, &why) != OK) {
        torrent_fail(torrent, "%s", why.text);
        return;
    }
    if (torrent->meta == NULL && torrent->state.magnet == NULL) {
        torrent_fail(torrent, "its .torrent cannot be read any more");
        return;
    }
    if (torrent->meta != NULL && is_kept) {
        noted = mem_new_array(uint8_t, torrent->meta->pieces);
        keep_noted_pieces(torrent->keep, noted, torrent->meta->pieces);
        order.have = noted;
        if (keep_get(torrent->keep, KEEP_RESUME, MOST_RESUME_BYTES, &resume, &order.resume_size) ==
            OK)
            order.resume = resume;
    }
    add_to_session(torrent, &order, &why);
}

static void take_description(struct torrent *torrent)
{
    struct shim_meta *meta = NULL;
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    struct why why = {0};
    if (torrent->phase != PHASE_DESCRIPTION)
        return;
    enum err kind = shim_metadata(torrent->shim, &meta, &bytes, &size, &why);
    if (kind == ERR_NOT_FOUND)
        return;
    if (kind != OK) {
        torrent_fail(torrent, "%s", why.text);
        return;
    }
    void *copy = mem_dup(bytes, size);
    disk_put(torrent, KEEP_META, &copy, size);
    torrent_describe(torrent, &meta);
    log_info("torrent.described", log_str("id", torrent->id), log_str("name", torrent->state.name),
             log_int("files", (int64_t) torrent->meta->file_count),
             log_int("bytes", (int64_t) torrent->meta->size));
    struct shim_torrent *old = torrent->shim;
    torrent->shim = NULL;
    struct shim_order order = {.torrent = bytes, .torrent_size = size, .instead = &old};
    add_to_session(torrent, &order, &why);
}

/* --- pieces --- */

static void add_pending(struct torrent *torrent, uint32_t piece)
{
    if (torrent->meta == NULL || piece >= torrent->meta->pieces || torrent->have[piece])
        return;
    mem_grow(torrent->pending, torrent->pending_count, torrent->pending_room);
    torrent->pending[torrent->pending_count++] = piece;
    torrents_gate(torrent->torrents);
}

static void collect(struct torrent *torrent)
{
    if (torrent->meta == NULL || torrent->shim == NULL)
        return;
    CLEANUP(mem_free_at) uint8_t *known = mem_new_array(uint8_t, torrent->meta->pieces);
    shim_pieces(torrent->shim, known, torrent->meta->pieces);
    for (size_t i = 0; i < torrent->pending_count; i++)
        known[torrent->pending[i]] = 0;
    for (uint32_t i = 0; i < torrent->meta->pieces; i++)
        if (known[i])
            add_pending(torrent, i);
}

static void take_piece(struct torrent *torrent, uint32_t piece)
{
    if (torrent->have[piece])
        return;
    torrent->have[piece] = 1;
    picker_have(torrent->picker, piece, true);
    keep_note_piece(torrent->keep, piece);
    files_fill(torrent, piece);
    torrent->is_dirty = torrent->is_changed = true;
    torrent->contradictions = 0;
    torrent->moved_ms = clock_mono_ms();
    torrent->uncounted -= torrent->uncounted > 0 ? 1 : 0;
}

bool torrent_gate(struct torrent *torrent)
{
    size_t kept = 0, looks = 0;
    for (size_t i = 0; i < torrent->pending_count; i++) {
        uint32_t piece = torrent->pending[i];
        if (looks++ < GATE_LOOKS && torrent->shim != NULL && shim_has(torrent->shim, piece))
            take_piece(torrent, piece);
        else
            torrent->pending[kept++] = piece;
    }
    torrent->pending_count = kept;
    return kept == 0;
}

/* --- what is fetched first --- */

bool torrent_is_watched(const struct torrent *torrent)
{
    struct picker_read read;
    bool is_watched = false;
    if (torrent->phase == PHASE_RUNNING && !torrent->is_whole)
        (void) files_reads(torrent, &read, 1, &is_watched);
    return is_watched;
}

/* Whether somebody has waited for the same byte a while. */
static bool is_waited_for(struct torrent *torrent, const struct picker_read *reads, size_t count)
{
    int64_t now_ms = clock_mono_ms();
    const struct picker_read *first = NULL;
    for (size_t i = 0; i < count; i++)
        if (reads[i].is_now && (first == NULL || reads[i].span.begin < first->span.begin))
            first = &reads[i];
    if (first == NULL) {
        torrent->waits_ms = 0;
    } else if (torrent->waits_ms == 0 || torrent->waits_at != first->span.begin) {
        torrent->waits_at = first->span.begin;
        torrent->waits_ms = now_ms;
    }
    return first != NULL && now_ms - torrent->waits_ms > WAITS_MS;
}

void torrent_plan(struct torrent *torrent)
{
    struct picker_read reads[READS];
    struct picker_moves moves;
    bool is_watched = false;
    if (!wants_bytes(torrent))
        return;
    size_t count = files_reads(torrent, reads, READS, &is_watched);
    if (shim_watch_peers(torrent->shim, is_waited_for(torrent, reads, count))) {
        log_debug("torrent.peer_left", log_str("id", torrent->id));
        picker_urge(torrent->picker);
    }
    if (is_watched)
        torrent_limit(torrent, false);
    else /* for who presses play: what he needs first is there already */
        count = files_ends(torrent, reads, ENDS);
    if (!is_watched && !torrent->is_sequential && count == 0)
        return;
    picker_plan(torrent->picker, reads, count, is_watched, torrent->status.download_rate,
                clock_mono_ms(), &moves);
    if (moves.is_sequential != torrent->is_sequential)
        shim_set_sequential(torrent->shim, moves.is_sequential);
    torrent->is_sequential = moves.is_sequential;
    for (size_t i = 0; i < moves.cleared_count; i++)
        shim_clear_deadline(torrent->shim, moves.cleared[i]);
    for (size_t i = 0; i < moves.set_count; i++)
        shim_set_deadline(torrent->shim, moves.set[i].piece, moves.set[i].ms);
    if (moves.priority_count > 0)
        shim_prioritize(torrent->shim, moves.priorities, moves.priority_count);
}

static void look_at_disk(struct torrent *torrent);

static void tell_wanted(struct torrent *torrent)
{
    CLEANUP(mem_free_at) bool *wanted = torrent_wanted(torrent);
    torrent->is_chosen = false;
    torrent->is_telling = true;
    shim_want(torrent->shim, wanted, torrent->meta->file_count);
}

static void start_running(struct torrent *torrent)
{
    if (torrent->phase == PHASE_FAILED || torrent->phase == PHASE_LEAVING)
        return;
    torrent->phase = PHASE_RUNNING;
    if (torrent->is_chosen)
        tell_wanted(torrent);
    picker_begin(torrent->picker);
    collect(torrent);
    torrent->uncounted = torrent->pending_count;
    look_at_disk(torrent); /* before anything comes */
    torrent_plan(torrent);
    torrent->is_changed = true;
}

void torrent_want(struct torrent *torrent, const bool *wanted)
{
    for (size_t i = 0; i < torrent->meta->file_count; i++)
        torrent->state.files[i].is_wanted = wanted[i] && !torrent->meta->files[i].is_hidden;
    set_wanted_pieces(torrent);
    torrent->is_whole = torrent->state.is_filed = false;
    torrent_save_state(torrent, false);
    torrent->is_chosen = torrent->phase == PHASE_CHECKING;
    if (torrent->shim != NULL && torrent->phase == PHASE_RUNNING)
        tell_wanted(torrent);
}

void torrent_pause(struct torrent *torrent, bool is_paused)
{
    torrent->state.is_paused = is_paused;
    torrent->moved_ms = clock_mono_ms();
    torrent_save_state(torrent, false);
    if (torrent->shim == NULL || torrent->phase == PHASE_FAILED)
        return;
    torrent->has_given = false; /* torrent_look judges anew */
    if (is_paused)
        shim_stop(torrent->shim);
    else
        shim_start(torrent->shim);
}

/* --- the disk --- */

void torrent_ask_resume(struct torrent *torrent)
{
    torrent->is_saving = torrent->is_asking = true;
    shim_save(torrent->shim);
}

static void save(struct torrent *torrent)
{
    torrent->is_dirty = false;
    torrent->saved_ms = clock_mono_ms();
    keep_turn_pieces(torrent->keep);
    torrent_ask_resume(torrent);
}

static void take_resume(struct torrent *torrent, const struct shim_event *event)
{
    if (!torrent->is_asking)
        return; /* it was given up, or asked for twice */
    torrent->is_asking = false;
    void *bytes = mem_dup(event->bytes, event->size);
    disk_put_resume(torrent, &bytes, event->size);
}

static uint64_t free_bytes(const struct torrent *torrent)
{
    struct statvfs disk;
    if (statvfs(keep_folder(torrent->keep), &disk) != 0)
        return 0;
    return (uint64_t) disk.f_bavail * disk.f_frsize;
}

/* One word in the log for what may come for each block. */
static void take_disk(struct torrent *torrent, const struct shim_event *event)
{
    if (torrent->disk.text[0] == '\0')
        log_warning("torrent.disk", log_str("id", torrent->id), log_str("why", event->words));
    if (event->failure == ERR_BAD_MEDIA && ++torrent->contradictions > MOST_CONTRADICTIONS) {
        torrent_fail(torrent, "%s", event->words);
        return;
    }
    if (event->failure == ERR_LIMIT)
        why_set(&torrent->disk, ERR_LIMIT, NULL, "the disk is full");
    else
        why_set(&torrent->disk, ERR_IO, NULL, "the disk failed: %s", event->words);
    torrent->failed_ms = clock_mono_ms();
    torrent->is_changed = true;
}

static void look_at_disk(struct torrent *torrent)
{
    uint64_t spare = torrent->torrents->spare_bytes;
    uint64_t left = free_bytes(torrent);
    bool is_full = torrent->disk.text[0] != '\0';
    if (!is_full && left < spare && !torrent->is_whole) {
        why_set(&torrent->disk, ERR_LIMIT, NULL,
                "the disk has %" PRIu64 " MB left, fewer than the %" PRIu64 " MB that stay free",
                left / 1000000, spare / 1000000);
        shim_stop(torrent->shim);
        torrent->is_changed = true;
    } else if (is_full && left >= spare + ROOM_BYTES && !torrent->state.is_paused &&
               clock_mono_ms() - torrent->failed_ms >= RETRY_MS) {
        torrent->disk = (struct why){0};
        shim_retry_disk(torrent->shim);
        torrent->is_changed = true;
    }
}

/* --- from time to time --- */

static bool is_all_here(const struct torrent *torrent)
{
    for (size_t i = 0; i < torrent->meta->file_count; i++)
        if (torrent->state.files[i].is_wanted &&
            torrent->files[i].here < torrent->meta->files[i].size)
            return false;
    return true;
}

static void look_at_end(struct torrent *torrent)
{
    if (!torrent->is_whole && is_all_here(torrent)) {
        torrent->is_whole = torrent->is_dirty = torrent->is_changed = true;
        torrent->saved_ms = clock_mono_ms() - SAVE_MS;
        log_info("torrent.complete", log_str("id", torrent->id),
                 log_str("name", torrent->state.name));
    }
    if (!torrent->is_whole || torrent->has_given || !has_given_enough(torrent))
        return;
    torrent->has_given = true;
    shim_stop(torrent->shim);
}

static void look_at_peers(struct torrent *torrent, int64_t now_ms)
{
    if (!wants_bytes(torrent) || torrent->status.peers > 0) {
        torrent->lonely_ms = LONELY_MS;
        torrent->called_ms = now_ms;
    }
    if (now_ms - torrent->called_ms < torrent->lonely_ms)
        return;
    torrent->called_ms = now_ms;
    torrent->lonely_ms =
        torrent->lonely_ms < LONELIEST_MS / 2 ? 2 * torrent->lonely_ms : LONELIEST_MS;
    log_debug("torrent.call_again", log_str("id", torrent->id));
    shim_call_again(torrent->shim);
}

void torrent_look(struct torrent *torrent, int64_t now_ms)
{
    if (torrent->phase == PHASE_RUNNING) {
        look_at_end(torrent);
        look_at_disk(torrent);
        if (torrent->is_saving && now_ms - torrent->saved_ms >= GIVE_UP_MS)
            torrent->is_saving = torrent->is_asking = false; /* it never comes */
        if (torrent->is_dirty && !torrent->is_saving && now_ms - torrent->saved_ms >= SAVE_MS)
            save(torrent);
    }
    look_at_peers(torrent, now_ms);
    bool is_stalled = view_is_stalled(torrent, now_ms);
    torrent->is_changed |= is_stalled != torrent->is_stalled;
    torrent->is_stalled = is_stalled;
    if (torrent->is_changed && torrent->phase != PHASE_LEAVING)
        tell(torrent);
}

/* --- events --- */

static void take_status(struct torrent *torrent, const struct shim_status *status)
{
    if (status->done > torrent->status.done)
        torrent->moved_ms = clock_mono_ms();
    torrent->status = *status;
    torrent->is_changed = true;
    if (torrent->phase == PHASE_CHECKING && !status->is_checking)
        start_running(torrent);
    /* libtorrent does not take one that is larger, but asks for it again and again. */
    if (torrent->phase == PHASE_DESCRIPTION && status->came > MOST_DESCRIPTION_BYTES)
        torrent_fail(torrent, "its description is larger than 4 MiB, or never comes as it should");
}

/* Some of what libtorrent had to say is lost: it is asked what became of it. Whether it has checked what is on
 * the disk, its status says, which follows. */
static void take_missed(struct torrent *torrent)
{
    log_debug("torrent.missed", log_str("id", torrent->id));
    if (torrent->shim == NULL)
        return;
    take_description(torrent);
    collect(torrent);
    if (torrent->is_telling && torrent->phase == PHASE_RUNNING)
        tell_wanted(torrent);
    if (torrent->is_asking)
        torrent_ask_resume(torrent);
}

static void removed(struct torrent *torrent)
{
    disk_remove(torrent->torrents, &torrent->keep);
    torrent_free(&torrent);
}

void torrent_event(struct torrent *torrent, const struct shim_event *event)
{
    switch (event->kind) {
    case SHIM_METADATA:
        take_description(torrent);
        break;
    case SHIM_WANTED:
        torrent->is_telling = false;
        if (torrent->phase == PHASE_RUNNING)
            start_running(torrent);
        break;
    case SHIM_CHECKED:
        if (torrent->phase == PHASE_CHECKING)
            start_running(torrent);
        break;
    case SHIM_PIECE:
        add_pending(torrent, event->piece);
        break;
    case SHIM_STATUS:
        take_status(torrent, event->status);
        break;
    case SHIM_RESUME:
        take_resume(torrent, event);
        break;
    case SHIM_RESUME_FAILED:
        torrent->is_saving = torrent->is_asking = false;
        break;
    case SHIM_DISK:
        take_disk(torrent, event);
        break;
    case SHIM_TRACKER:
        torrent->tracker = (struct why){0};
        if (event->words != NULL)
            why_set(&torrent->tracker, event->failure, NULL, "%s", event->words);
        break;
    case SHIM_MISSED:
        take_missed(torrent);
        break;
    case SHIM_LISTEN:
        break;
    case SHIM_REMOVED:
        removed(torrent);
        break;
    }
}

void torrent_leave(struct torrent *torrent)
{
    const struct why why = {.text = "the download was removed"};
    torrent->phase = PHASE_LEAVING;
    torrent->pending_count = 0;
    keep_abandon(torrent->keep);
    files_fail(torrent, ERR_GONE, &why);
    tell(torrent);
    if (torrent->shim != NULL)
        shim_remove(&torrent->shim);
    else
        removed(torrent);
}
