/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What container.c and the two readers behind it share: the common head of a container and of a
 * cursor, and what both readers need to fill in tracks. Nobody else includes this.
 * Life of a container: container_open tries each reader -> immutable, but for tables that a reader
 * loads at first use under its own lock -> container_close. */
#pragma once

#include "segments/container.h"

#define OBJECTION_SIZE 200
#define NS_PER_S       INT64_C(1000000000)
#define NS_PER_MS      INT64_C(1000000)
/* 2^62 ns are 146 years: times beyond are lies, and sums of two such times do not overflow. */
#define TIME_LIMIT_NS (INT64_C(1) << 62)
/* Tracks are chosen by a mask of 64 bits. */
#define CONTAINER_MAX_TRACKS 64

struct container_ops {
    void (*close)(struct container *container);
    enum err (*keys)(struct container *container, struct reader *reader, uint32_t track,
                     struct key **out, size_t *count, struct why *why);
    enum err (*scan)(struct container *container, struct reader *reader, uint32_t track,
                     container_progress_fn *progress, void *ctx, struct key **out, size_t *count);
    enum err (*span)(struct container *container, struct reader *reader, uint32_t track,
                     int64_t *first_ns, int64_t *end_ns);
    enum err (*seek)(struct container *container, struct reader *reader, uint32_t track,
                     int64_t time_ns, uint64_t *pos);
    enum err (*cursor)(struct container *container, struct reader *reader, uint64_t tracks,
                       uint64_t pos, struct cursor **out);
    enum err (*events)(struct container *container, struct reader *reader, uint32_t track,
                       int64_t from_ns, int64_t to_ns, bool *by_walk, container_event_fn *fn,
                       void *ctx);
    /* NULL: there are never any */
    enum err (*event_chain)(struct container *container, struct reader *reader, uint32_t track,
                            int64_t from_ns, int64_t to_ns, event_role_fn *role, int64_t *next_ns,
                            container_event_fn *fn, void *ctx);
    /* NULL: there are never any */
    enum err (*font)(struct container *container, struct reader *reader, uint32_t number,
                     uint64_t *offset, uint64_t *size);
    /* NULL: no tables */
    enum err (*sums)(struct container *container, struct reader *reader, uint32_t track,
                     const int64_t *times_ns, const uint64_t *places, size_t count,
                     struct packet_sum *out);
};

struct container {
    const struct container_ops *ops;
    enum plan_container kind;
    struct plan_track tracks[CONTAINER_MAX_TRACKS];
    char objections[CONTAINER_MAX_TRACKS][OBJECTION_SIZE];
    uint32_t track_count;
    struct plan_chapter *chapters;
    uint32_t chapter_count;
    int64_t duration_ns;
};

struct cursor {
    enum err (*next)(struct cursor *cursor, struct packet *out);
    void (*close)(struct cursor *cursor);
};

/* Each: NOT_FOUND: not this kind. */
MUST_CHECK enum err mkv_open(struct reader *reader, struct container **out, struct why *why);
MUST_CHECK enum err mp4_open(struct reader *reader, struct container **out, struct why *why);

/* Frees what the common head holds; the readers' close calls it. */
void container_fini(struct container *container);
/* A new track of this kind with its number, "und" and square pixels; NULL when there are too many. */
struct plan_track *container_add_track(struct container *container, enum plan_kind kind);
/* Objects to a copy of the track, unless somebody has before. */
PRINTF_LIKE(3, 4)
void container_object(struct container *container, uint32_t track, const char *format, ...);
/* Takes codec and codec_name from one of our names ("h264"). */
void container_set_codec(struct plan_track *track, const char *name);
void container_set_extradata(struct plan_track *track, const uint8_t *bytes, size_t size);
/* A language as the file writes it (ISO 639-2 T or B, BCP 47) as BCP 47. */
void container_set_language(struct plan_track *track, const char *code, size_t length);
/* Text up to its first NUL, made well-formed UTF-8, cut at a whole character, terminated. */
void container_set_text(char *out, size_t room, const char *text, size_t length);
void container_set_sar(struct plan_track *track, uint64_t num, uint64_t den);
/* What of the picture, whose size is set, is not to be shown; passed over where nothing would be left. */
void container_set_crop(struct plan_track *track, uint64_t left, uint64_t right, uint64_t top,
                        uint64_t bottom);
/* A DOVIDecoderConfigurationRecord: the body of dvcC, dvvC and dvwC, and of Matroska's mappings of these
 * names. Whose base layer cannot be shown without Dolby's own decoder is refused. */
void container_set_dolby(struct plan_track *track, const uint8_t *bytes, size_t size);
/* What the codec's own header says of size, colour, depth, rate where the container said nothing;
 * and an objection where that header cannot be read. */
void container_fill_from_extradata(struct container *container, uint32_t track);
/* Samples in each packet of the codec, 0 = not constant or not known. */
uint32_t container_frame_size(const struct plan_track *track);
void container_add_chapter(struct container *container, int64_t start_ns, int64_t end_ns,
                           const char *title, size_t title_length);
/* Orders chapters by time and gives those without an end the start of the next. */
void container_finish_chapters(struct container *container);

/* How far before a time an event is looked for that may still stand then, where no index says. */
#define EVENT_LOOK_BACK_NS (10 * NS_PER_S)
/* An event that does not say how long it lasts stands at most so long. */
#define EVENT_UNSAID_NS (5 * NS_PER_S)
/* Payloads beyond are no text. */
#define EVENT_LIMIT (UINT64_C(1) << 20)

/* value * num / den, rounded to the nearest, in 128 bits; clamped to +-TIME_LIMIT_NS. */
int64_t container_scale(int64_t value, int64_t num, int64_t den);
