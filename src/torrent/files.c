/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "torrent/inside.h"

/* Numbers in place of names: what a torrent calls its files is no path of ours (torrent-engine 6). The
 * ending stays, for those who look into the folder. */
void files_name(const struct torrent *torrent, size_t file, char out[32])
{
    enum { MOST_ENDING = 5 };
    const char *path = torrent->meta->files[file].path;
    const char *dot = strrchr(path, '.');
    char ending[MOST_ENDING + 1] = "bin";
    size_t length = dot != NULL ? strlen(dot + 1) : 0;
    bool is_plain = length > 0 && length <= MOST_ENDING;
    for (size_t i = 0; is_plain && i < length; i++) {
        char c = char_lower(dot[1 + i]);
        is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    }
    for (size_t i = 0; is_plain && i <= length; i++)
        ending[i] = char_lower(dot[1 + i]);
    snprintf(out, 32, "f/%06zu.%s", file, ending);
}

int files_find(const struct torrent *torrent, const char *id)
{
    for (size_t i = 0; torrent->meta != NULL && i < torrent->meta->file_count; i++)
        if (!torrent->meta->files[i].is_hidden && strcmp(torrent->state.files[i].id, id) == 0)
            return (int) i;
    return -1;
}

/* Decision 1: the info-hash, which file, its size. */
static struct source_identity identity_of(const struct torrent *torrent, size_t file)
{
    struct source_identity identity = {.size = torrent->meta->files[file].size};
    const char *hex = shim_hash(&torrent->hashes);
    for (size_t i = 0; i < sizeof identity.hash && hex[2 * i] != '\0'; i++) {
        unsigned byte = 0;
        (void) !sscanf(hex + 2 * i, "%2x", &byte);
        identity.hash[i] = (uint8_t) byte;
    }
    for (size_t i = 0; i < 4; i++)
        identity.hash[sizeof identity.hash - 1 - i] ^= (uint8_t) (file >> 8 * i);
    return identity;
}

/* A plan is on its way at most once. */
static void plan_now(void *arg)
{
    struct torrents *torrents = arg;
    struct torrent *torrent;
    atomic_store(&torrents->is_woken, false);
    TAILQ_FOREACH(torrent, &torrents->list, link)
    torrent_plan(torrent);
}

static void wake(void *ctx)
{
    struct torrents *torrents = ctx;
    if (!atomic_exchange(&torrents->is_woken, true))
        mailbox_post(loop_mailbox(torrents->loop), plan_now, torrents);
}

bool files_pieces(const struct shim_meta *meta, size_t file, uint32_t *first, uint32_t *end)
{
    uint64_t offset = meta->files[file].offset, size = meta->files[file].size;
    if (size == 0)
        return false;
    *first = (uint32_t) (offset / meta->piece_bytes);
    *end = (uint32_t) ((offset + size - 1) / meta->piece_bytes) + 1;
    return true;
}

/* The part of the file that lies in the piece, as bytes of the file. */
static struct span part_of(const struct shim_meta *meta, const struct shim_file *file,
                           uint32_t piece)
{
    uint64_t begin = (uint64_t) piece * meta->piece_bytes;
    uint64_t end = begin + meta->piece_bytes;
    if (begin < file->offset)
        begin = file->offset;
    if (end > file->offset + file->size)
        end = file->offset + file->size;
    return (struct span){begin - file->offset,
                         end > begin ? end - file->offset : begin - file->offset};
}

static void fill_all(const struct torrent *torrent, size_t index)
{
    const struct shim_meta *meta = torrent->meta;
    const struct shim_file *file = &meta->files[index];
    uint32_t i, end;
    if (!files_pieces(meta, index, &i, &end))
        return;
    for (; i < end; i++) {
        const struct span part = part_of(meta, file, i);
        if (torrent->have[i])
            source_fill(torrent->files[index].source, &part);
    }
}

static enum err make_source(struct torrent *torrent, size_t index, struct why *why)
{
    const struct source_identity identity = identity_of(torrent, index);
    const struct source_filler filler = {.ctx = torrent->torrents, .wake = wake};
    char name[32];
    CLEANUP(fd_close) int fd = -1;
    files_name(torrent, index, name);
    enum err kind = keep_open_file(torrent->keep, name, identity.size, &fd);
    if (kind == OK)
        kind = source_new_sparse(&fd, &identity, &filler, &torrent->files[index].source);
    if (kind != OK)
        return why_set(why, kind, NULL, "the file of the download cannot be opened: %s",
                       err_text(kind));
    torrent->files[index].opened_ms = clock_mono_ms();
    fill_all(torrent, index);
    return OK;
}

enum err files_open(struct torrent *torrent, size_t file, struct source **out, struct why *why)
{
    if (torrent->phase == PHASE_FAILED)
        return why_set(why, ERR_BAD_MEDIA, NULL, "the download has failed: %s",
                       torrent->failure.text);
    if (torrent->phase != PHASE_RUNNING)
        return why_set(why, ERR_BUSY, NULL, "the download is being checked");
    if (!torrent->state.files[file].is_wanted) {
        CLEANUP(mem_free_at) bool *wanted = torrent_wanted(torrent);
        wanted[file] = true;
        torrent_want(torrent, wanted);
    }
    if (torrent->files[file].source == NULL) {
        enum err kind = make_source(torrent, file, why);
        if (kind != OK)
            return kind;
    }
    *out = source_ref(torrent->files[file].source);
    return OK;
}

/* The first file that ends behind the byte. */
static size_t first_file(const struct shim_meta *meta, uint64_t byte)
{
    size_t low = 0, high = meta->file_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct shim_file *file = &meta->files[middle];
        if (file->offset + file->size <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void files_fill(struct torrent *torrent, uint32_t piece)
{
    const struct shim_meta *meta = torrent->meta;
    uint64_t begin = (uint64_t) piece * meta->piece_bytes;
    for (size_t i = first_file(meta, begin);
         i < meta->file_count && meta->files[i].offset < begin + meta->piece_bytes; i++) {
        const struct span part = part_of(meta, &meta->files[i], piece);
        torrent->files[i].here += part.end - part.begin;
        if (torrent->files[i].source != NULL && part.begin < part.end)
            source_fill(torrent->files[i].source, &part);
    }
}

/* What the library has is read on, though it is not ours any more. */
static bool lives_on(const struct torrent *torrent, size_t file)
{
    return torrent->state.is_filed && torrent->files[file].here == torrent->meta->files[file].size;
}

void files_fail(struct torrent *torrent, enum err kind, const struct why *why)
{
    for (size_t i = 0; torrent->meta != NULL && i < torrent->meta->file_count; i++)
        if (torrent->files[i].source != NULL && !lives_on(torrent, i))
            source_fail(torrent->files[i].source, kind, why);
}

/* The index of a film often stands at its end, and what says how long it is. */
enum { HEAD_BYTES = 1024 * 1024, END_BYTES = 1536 * 1024 };

static bool is_all_here(const struct torrent *torrent, struct span span)
{
    uint64_t piece_bytes = torrent->meta->piece_bytes;
    for (uint64_t piece = span.begin / piece_bytes; piece * piece_bytes < span.end; piece++)
        if (!torrent->have[piece])
            return false;
    return true;
}

size_t files_ends(const struct torrent *torrent, struct picker_read *out, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < torrent->meta->file_count && count + 2 <= room; i++) {
        const struct shim_file *file = &torrent->meta->files[i];
        uint64_t begin = file->offset, end = begin + file->size;
        if (!torrent->state.files[i].is_wanted || file->size < HEAD_BYTES + END_BYTES)
            continue;
        const struct span ends[] = {{begin, begin + HEAD_BYTES}, {end - END_BYTES, end}};
        for (size_t j = 0; j < 2; j++)
            if (!is_all_here(torrent, ends[j]))
                out[count++] = (struct picker_read){.span = ends[j], .is_index = true};
    }
    return count;
}

/* Who opens a film reads its index soon. */
static bool wants_end(const struct torrent *torrent, size_t index, struct picker_read *out)
{
    enum { SOON_MS = 30000 };
    const struct torrent_file *file = &torrent->files[index];
    uint64_t size = torrent->meta->files[index].size;
    uint64_t begin = size > END_BYTES ? size - END_BYTES : 0;
    uint64_t offset = torrent->meta->files[index].offset;
    *out = (struct picker_read){.span = {begin + offset, size + offset}, .is_index = true};
    return clock_mono_ms() - file->opened_ms < SOON_MS &&
           !source_has(file->source, begin, size - begin);
}

size_t files_reads(const struct torrent *torrent, struct picker_read *out, size_t room,
                   bool *is_watched)
{
    enum { MOST = 32 };
    struct source_wanted wanted[MOST];
    size_t count = 0;
    *is_watched = false;
    for (size_t i = 0; i < torrent->meta->file_count; i++) {
        const struct source *source = torrent->files[i].source;
        if (source == NULL || !source_is_shared(source))
            continue;
        *is_watched = true;
        size_t found = source_wants(source, wanted, MOST);
        uint64_t offset = torrent->meta->files[i].offset;
        for (size_t j = 0; j < found && j < MOST && count < room; j++)
            out[count++] =
                (struct picker_read){{wanted[j].span.begin + offset, wanted[j].span.end + offset},
                                     .is_now = wanted[j].urgency == SOURCE_NOW,
                                     .is_start = wanted[j].span.begin == 0};
        if (count < room && wants_end(torrent, i, &out[count]))
            count++;
    }
    return count;
}
