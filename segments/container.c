/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The common head of the readers: which one takes the file, and the tracks' common fields. */
#include "segments/container.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/codec_config.h"
#include "segments/container_build.h"
#include "segments/dolby.h"

/* Chapters beyond this are no table of contents. */
#define MAX_CHAPTERS 4096

enum err container_open(struct reader *reader, struct container **out, struct why *why)
{
    enum err err = mkv_open(reader, out, why);
    if (err == ERR_NOT_FOUND)
        err = mp4_open(reader, out, why);
    return err;
}

void container_close(struct container **container)
{
    struct container *old = *container;
    *container = NULL;
    if (old != NULL)
        old->ops->close(old);
}

void container_fini(struct container *container)
{
    for (uint32_t i = 0; i < container->track_count; i++)
        mem_free(container->tracks[i].extradata);
    mem_free(container->chapters);
}

enum plan_container container_kind(const struct container *container)
{
    return container->kind;
}

const struct plan_track *container_tracks(const struct container *container, uint32_t *count)
{
    *count = container->track_count;
    return container->tracks;
}

const struct plan_chapter *container_chapters(const struct container *container, uint32_t *count)
{
    *count = container->chapter_count;
    return container->chapters;
}

int64_t container_duration_ns(const struct container *container)
{
    return container->duration_ns;
}

const char *container_copy_objection(const struct container *container, uint32_t track)
{
    return track < container->track_count ? container->objections[track] : "there is no such track";
}

enum err container_keys(struct container *container, struct reader *reader, uint32_t track,
                        struct key **out, size_t *count, struct why *why)
{
    if (track >= container->track_count)
        return why_set(why, ERR_NOT_FOUND, NULL, "there is no such track");
    return container->ops->keys(container, reader, track, out, count, why);
}

enum err container_scan(struct container *container, struct reader *reader, uint32_t track,
                        container_progress_fn *progress, void *ctx, struct key **out, size_t *count)
{
    if (track >= container->track_count)
        return ERR_NOT_FOUND;
    return container->ops->scan(container, reader, track, progress, ctx, out, count);
}

enum err container_span(struct container *container, struct reader *reader, uint32_t track,
                        int64_t *first_ns, int64_t *end_ns)
{
    if (track >= container->track_count)
        return ERR_NOT_FOUND;
    return container->ops->span(container, reader, track, first_ns, end_ns);
}

enum err container_seek(struct container *container, struct reader *reader, uint32_t track,
                        int64_t time_ns, uint64_t *pos)
{
    if (track >= container->track_count)
        return ERR_NOT_FOUND;
    return container->ops->seek(container, reader, track, time_ns, pos);
}

enum err container_sums(struct container *container, struct reader *reader, uint32_t track,
                        const int64_t *times_ns, const uint64_t *places, size_t count,
                        struct packet_sum *out)
{
    if (track >= container->track_count || container->ops->sums == NULL)
        return ERR_NOT_FOUND;
    return container->ops->sums(container, reader, track, times_ns, places, count, out);
}

enum err cursor_open(struct container *container, struct reader *reader, uint64_t tracks,
                     uint64_t pos, struct cursor **out)
{
    if (container->track_count < CONTAINER_MAX_TRACKS)
        tracks &= (UINT64_C(1) << container->track_count) - 1;
    return container->ops->cursor(container, reader, tracks, pos, out);
}

enum err container_events(struct container *container, struct reader *reader, uint32_t track,
                          int64_t from_ns, int64_t to_ns, bool *by_walk, container_event_fn *fn,
                          void *ctx)
{
    bool was_walked = false;
    enum err err =
        container->ops->events(container, reader, track, from_ns, to_ns, &was_walked, fn, ctx);
    if (by_walk != NULL)
        *by_walk = was_walked;
    return err;
}

enum err container_event_chain(struct container *container, struct reader *reader, uint32_t track,
                               int64_t from_ns, int64_t to_ns, event_role_fn *role,
                               int64_t *next_ns, container_event_fn *fn, void *ctx)
{
    if (container->ops->event_chain == NULL)
        return ERR_NOT_FOUND;
    return container->ops->event_chain(container, reader, track, from_ns, to_ns, role, next_ns, fn,
                                       ctx);
}

enum err container_font(struct container *container, struct reader *reader, uint32_t number,
                        uint64_t *offset, uint64_t *size)
{
    if (container->ops->font == NULL)
        return ERR_NOT_FOUND;
    return container->ops->font(container, reader, number, offset, size);
}

void cursor_close(struct cursor **cursor)
{
    struct cursor *old = *cursor;
    *cursor = NULL;
    if (old != NULL)
        old->close(old);
}

enum err cursor_next(struct cursor *cursor, struct packet *out)
{
    return cursor->next(cursor, out);
}

struct plan_track *container_add_track(struct container *container, enum plan_kind kind)
{
    if (container->track_count == CONTAINER_MAX_TRACKS)
        return NULL;
    uint32_t number = 1;
    for (uint32_t i = 0; i < container->track_count; i++)
        number += container->tracks[i].kind == kind;
    struct plan_track *track = &container->tracks[container->track_count++];
    *track = (struct plan_track){.kind = kind, .number = number, .language = "und"};
    return track;
}

void container_object(struct container *container, uint32_t track, const char *format, ...)
{
    char *objection = container->objections[track];
    if (objection[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(objection, OBJECTION_SIZE, format, args);
    va_end(args);
}

void container_set_codec(struct plan_track *track, const char *name)
{
    static const char *const names[CODEC_COUNT] = {
        [CODEC_H264] = "h264", [CODEC_HEVC] = "hevc", [CODEC_AV1] = "av1",   [CODEC_VP9] = "vp9",
        [CODEC_AAC] = "aac",   [CODEC_AC3] = "ac3",   [CODEC_EAC3] = "eac3", [CODEC_FLAC] = "flac",
        [CODEC_OPUS] = "opus", [CODEC_MP3] = "mp3",
    };
    snprintf(track->codec_name, sizeof track->codec_name, "%s", name);
    track->codec = CODEC_OTHER;
    for (unsigned i = 0; i < CODEC_COUNT; i++)
        if (names[i] != NULL && strcmp(names[i], name) == 0)
            track->codec = (enum plan_codec) i;
}

void container_set_extradata(struct plan_track *track, const uint8_t *bytes, size_t size)
{
    mem_free(track->extradata);
    track->extradata = NULL;
    track->extradata_size = 0;
    if (size == 0 || size > PLAN_MAX_EXTRADATA)
        return;
    track->extradata = mem_dup(bytes, size);
    track->extradata_size = (uint32_t) size;
}

void container_set_text(char *out, size_t room, const char *text, size_t length)
{
    struct str clean = {0};
    out[0] = '\0';
    if (length == 0 || room == 0)
        return;
    str_append_utf8(&clean, text, strnlen(text, length));
    size_t keep = clean.length < room - 1 ? clean.length : room - 1;
    while (keep > 0 && keep < clean.length && (clean.at[keep] & 0xC0) == 0x80)
        keep--;
    memcpy(out, str_text(&clean), keep);
    out[keep] = '\0';
    str_fini(&clean);
}

void container_set_sar(struct plan_track *track, uint64_t num, uint64_t den)
{
    uint64_t a = num, b = den;
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    if (num == 0 || den == 0)
        return;
    num /= a;
    den /= a;
    while (num > INT32_MAX || den > INT32_MAX) {
        num = num / 2 + 1;
        den = den / 2 + 1;
    }
    track->sar_num = (uint32_t) num;
    track->sar_den = (uint32_t) den;
}

void container_fill_from_extradata(struct container *container, uint32_t index)
{
    struct plan_track *track = &container->tracks[index];
    const char *objection = codec_config_fill(track);
    if (objection != NULL)
        container_object(container, index, "%s", objection);
    if (track->kind == PLAN_VIDEO && track->sar_num == 0)
        track->sar_num = track->sar_den = 1;
}

uint32_t container_frame_size(const struct plan_track *track)
{
    switch (track->codec) {
    case CODEC_AAC:
        return 1024;
    case CODEC_AC3:
    case CODEC_EAC3:
        return 1536;
    case CODEC_MP3: /* MPEG-1 1152; the lower rates of MPEG-2 576 (ISO 13818-3) */
        return track->rate < 32000 ? 576 : 1152;
    case CODEC_OTHER:
    case CODEC_H264:
    case CODEC_HEVC:
    case CODEC_AV1:
    case CODEC_VP9:
    case CODEC_FLAC:
    case CODEC_OPUS:
    case CODEC_COUNT:
        return 0;
    }
    return 0;
}

void container_add_chapter(struct container *container, int64_t start_ns, int64_t end_ns,
                           const char *title, size_t title_length)
{
    if (container->chapter_count == MAX_CHAPTERS)
        return;
    container->chapters = mem_realloc_array(container->chapters, container->chapter_count + 1,
                                            sizeof *container->chapters);
    struct plan_chapter *chapter = &container->chapters[container->chapter_count++];
    *chapter = (struct plan_chapter){start_ns / NS_PER_MS, end_ns / NS_PER_MS, ""};
    container_set_text(chapter->title, sizeof chapter->title, title, title_length);
}

void container_set_crop(struct plan_track *track, uint64_t left, uint64_t right, uint64_t top,
                        uint64_t bottom)
{
    if (left >= track->width || right >= track->width - left || top >= track->height ||
        bottom >= track->height - top)
        return;
    track->crop_left = (uint32_t) left;
    track->crop_right = (uint32_t) right;
    track->crop_top = (uint32_t) top;
    track->crop_bottom = (uint32_t) bottom;
}

void container_set_dolby(struct plan_track *track, const uint8_t *bytes, size_t size)
{
    if (size < 5)
        return;
    dolby_set(track, bytes[2] >> 1, bytes[4] >> 4);
}

static int compare_chapters(const void *left, const void *right)
{
    const struct plan_chapter *a = left, *b = right;
    return (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

void container_finish_chapters(struct container *container)
{
    struct plan_chapter *chapters = container->chapters;
    if (container->chapter_count > 1)
        qsort(chapters, container->chapter_count, sizeof *chapters, compare_chapters);
    for (uint32_t i = 0; i < container->chapter_count; i++) {
        int64_t next = i + 1 < container->chapter_count ? chapters[i + 1].start_ms
                                                        : container->duration_ns / NS_PER_MS;
        if (chapters[i].end_ms <= chapters[i].start_ms)
            chapters[i].end_ms = next > chapters[i].start_ms ? next : chapters[i].start_ms;
    }
}

__extension__ typedef __int128 wide; /* products of two times */

int64_t container_scale(int64_t value, int64_t num, int64_t den)
{
    int64_t small;
    if (!__builtin_mul_overflow(value, num, &small) && small < INT64_MAX / 2 &&
        small > -INT64_MAX / 2 && den < INT64_MAX / 2) { /* nearly always */
        int64_t near = small >= 0 ? (small + den / 2) / den : -((-small + den / 2) / den);
        return near > TIME_LIMIT_NS ? TIME_LIMIT_NS : near < -TIME_LIMIT_NS ? -TIME_LIMIT_NS : near;
    }
    wide product = (wide) value * num;
    wide half = den / 2;
    wide result = product >= 0 ? (product + half) / den : -((-product + half) / den);
    if (result > TIME_LIMIT_NS)
        return TIME_LIMIT_NS;
    return result < -TIME_LIMIT_NS ? -TIME_LIMIT_NS : (int64_t) result;
}
