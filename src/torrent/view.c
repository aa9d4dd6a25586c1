/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "torrent/inside.h"

/* Peers that hesitate are given longer than none at all. */
enum { STALLED_MS = 10000, ALONE_MS = 5000 };

const char *torrent_state_name(enum torrent_state state)
{
#define NAME(state, name) [state] = (name),
    static const char *const names[] = {TORRENT_STATES(NAME)};
#undef NAME
    return names[state];
}

void torrent_view_fini(struct torrent_view *view)
{
    for (size_t i = 0; i < view->file_count; i++) {
        mem_free(view->files[i].path);
        mem_free(view->files[i].place);
    }
    mem_free(view->files);
    mem_free(view->name);
    *view = (struct torrent_view){0};
}

static char *place_of(const struct torrent *torrent, size_t file)
{
    char name[32];
    struct str place = {0};
    files_name(torrent, file, name);
    str_printf(&place, "%s/%s", keep_folder(torrent->keep), name);
    return str_take(&place);
}

static void view_files(const struct torrent *torrent, struct torrent_view *out)
{
    const struct shim_meta *meta = torrent->meta;
    out->files = mem_new_array(struct torrent_view_file, meta->file_count);
    for (size_t i = 0; i < meta->file_count; i++) {
        const struct shim_file *file = &meta->files[i];
        const struct keep_file *kept = &torrent->state.files[i];
        if (file->is_hidden)
            continue;
        struct torrent_view_file *to = &out->files[out->file_count++];
        to->path = mem_strdup(file->path);
        to->place = place_of(torrent, i);
        memcpy(to->id, kept->id, sizeof to->id);
        to->size = file->size;
        to->here = torrent->files[i].here;
        to->is_wanted = kept->is_wanted;
        if (!kept->is_wanted)
            continue;
        out->size += to->size;
        out->here += to->here;
    }
}

static enum torrent_state state_of(const struct torrent *torrent)
{
    if (torrent->phase == PHASE_FAILED)
        return TORRENT_FAILED;
    if (torrent->is_whole)
        return TORRENT_COMPLETE;
    if (torrent->state.is_paused)
        return TORRENT_PAUSED;
    if (torrent->phase == PHASE_CHECKING || torrent->status.is_checking || torrent->uncounted > 0)
        return TORRENT_CHECKING;
    return torrent->phase == PHASE_RUNNING ? TORRENT_DOWNLOADING : TORRENT_METADATA;
}

static void say_stalled(const struct torrent *torrent, char *out, size_t size)
{
    const struct shim_status *status = &torrent->status;
    const char *what = torrent->meta != NULL ? "what is missing" : "what the torrent holds";
    if (torrent->tracker.text[0] != '\0' && status->peers == 0)
        snprintf(out, size, "no peer is connected; the tracker says: %.300s",
                 torrent->tracker.text);
    else if (status->peers == 0 && status->known_peers == 0)
        snprintf(out, size, "no peer has been found");
    else if (status->peers == 0)
        snprintf(out, size, "none of %d peers answers", status->known_peers);
    else if (status->seeds == 0 && torrent->meta != NULL)
        snprintf(out, size, "none of the %d peers has all of it, or sends", status->peers);
    else
        snprintf(out, size, "the %d peers do not send %s", status->peers, what);
}

bool view_is_stalled(const struct torrent *torrent, int64_t now_ms)
{
    enum torrent_state state = state_of(torrent);
    bool is_waiting = state == TORRENT_METADATA || state == TORRENT_DOWNLOADING;
    int64_t patience_ms = torrent->status.peers > 0 ? STALLED_MS : ALONE_MS;
    return is_waiting && now_ms - torrent->moved_ms > patience_ms;
}

static void say_why(const struct torrent *torrent, enum torrent_state state, char *out, size_t size)
{
    if (state == TORRENT_FAILED)
        snprintf(out, size, "%s", torrent->failure.text);
    else if (torrent->disk.text[0] != '\0' && state != TORRENT_COMPLETE)
        snprintf(out, size, "%s", torrent->disk.text);
    else if (view_is_stalled(torrent, clock_mono_ms()))
        say_stalled(torrent, out, size);
}

void view_of(const struct torrent *torrent, struct torrent_view *out)
{
    const struct shim_status *status = &torrent->status;
    *out = (struct torrent_view){0};
    memcpy(out->id, torrent->id, sizeof out->id);
    snprintf(out->hash, sizeof out->hash, "%s", shim_hash(&torrent->hashes));
    out->name = mem_strdup(torrent->state.name);
    out->state = state_of(torrent);
    out->added_ms = torrent->state.added_ms;
    out->is_filed = torrent->state.is_filed;
    out->rate = status->download_rate;
    out->up_rate = status->upload_rate;
    out->uploaded = status->uploaded;
    out->peers = status->peers;
    out->priority = torrent->state.priority;
    out->limits = torrent->state.limits;
    out->eta_s = -1;
    if (torrent->meta != NULL)
        view_files(torrent, out);
    if (out->state == TORRENT_DOWNLOADING && out->rate > 0 && out->size >= out->here)
        out->eta_s = (int64_t) ((out->size - out->here) / (uint64_t) out->rate);
    say_why(torrent, out->state, out->reason, sizeof out->reason);
}
