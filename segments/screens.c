/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What decodes is libavcodec's; which events it gets, and from when to when a screen stands, is said
 * here. A PGS or DVB event changes what those before it drew, and ends the screen before it; an SPU of
 * VobSub stands alone. */
#include "segments/screens.h"

#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "segments/display_sets.h"

#define NS_PER_MS INT64_C(1000000)
/* Of one that says of itself no end, nor is followed by any. */
#define UNSAID_NS (5000 * NS_PER_MS)
/* The same where no more than this was looked at (container_event_chain). */
#define UNSEEN_NS (10000 * NS_PER_MS)

enum {
    MOST_PARTS = 64,
    MOST_PIXELS = 4096 * 2304, /* of a plane */
    LIST_BYTES = 64 << 20,
    SD_WIDTH = 720,
    SD_HEIGHT = 576,
    PALETTE_COLORS = 16, /* of a DVD */
    PALETTE_BYTES = 4 * PALETTE_COLORS,
};

struct kind {
    const char *codec; /* libav's name */
    enum AVCodecID id;
    event_role_fn *role; /* NULL: each event stands alone */
};

static const struct kind kinds[] = {
    {"hdmv_pgs_subtitle", AV_CODEC_ID_HDMV_PGS_SUBTITLE, pgs_role},
    {"dvd_subtitle", AV_CODEC_ID_DVD_SUBTITLE, NULL},
    {"dvb_subtitle", AV_CODEC_ID_DVB_SUBTITLE, dvb_role},
};

static const struct kind *find_kind(const char *codec)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].codec, codec) == 0)
            return &kinds[i];
    return NULL;
}

bool screens_can_read(enum plan_container container, const struct plan_track *track)
{
    const struct kind *kind = find_kind(track->codec_name);
    if (kind == NULL || avcodec_find_decoder(kind->id) == NULL)
        return false;
    return container == CONTAINER_MKV || (container == CONTAINER_MP4 && kind->role == NULL);
}

/* --- lists --- */

static void screen_fini(struct screen *screen)
{
    for (size_t i = 0; i < screen->part_count; i++)
        mem_free(screen->parts[i].pixels);
    mem_free(screen->parts);
    *screen = (struct screen){0};
}

void screens_fini(struct screens *screens)
{
    for (size_t i = 0; i < screens->count; i++)
        screen_fini(&screens->items[i]);
    mem_free(screens->items);
    *screens = (struct screens){0};
}

const struct screen *screens_at(const struct screens *screens, int64_t ns)
{
    const struct screen *found = NULL;
    for (size_t i = 0; i < screens->count && screens->items[i].start_ns <= ns; i++)
        if (screens->items[i].end_ns > ns)
            found = &screens->items[i];
    return found;
}

static int compare_starts(const void *left, const void *right)
{
    const struct screen *a = left, *b = right;
    return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

/* --- decoding --- */

struct screen_decoder {
    const struct kind *kind;
    AVCodecContext *codec;
    AVPacket *packet;
    /* of the PGS composition that came last: libavcodec shows objects whole */
    struct pgs_crop crops[MOST_PARTS];
    int crop_count;
};

static int clip(int value)
{
    return value < 0 ? 0 : value > UINT8_MAX ? UINT8_MAX : value;
}

/* A colour of a DVD: Y, Cr, Cb in the narrow range of BT.601, as RRGGBB. */
static unsigned rgb_of(const uint8_t *ycc)
{
    int y = 1164 * (ycc[0] - 16), cr = ycc[1] - 128, cb = ycc[2] - 128;
    int red = clip((y + 1596 * cr) / 1000), blue = clip((y + 2018 * cb) / 1000);
    int green = clip((y - 813 * cr - 391 * cb) / 1000);
    return (unsigned) red << 16 | (unsigned) green << 8 | (unsigned) blue;
}

/* The palette of a DVD's program chain, as MP4 has it, in the words of an .idx file. */
static void describe_palette(const struct plan_track *track, struct str *out)
{
    if (track->width > 0 && track->height > 0)
        str_printf(out, "size: %ux%u\n", track->width, track->height);
    str_puts(out, "palette: ");
    for (unsigned i = 0; i < PALETTE_COLORS; i++)
        str_printf(out, "%s%06x", i > 0 ? ", " : "", rgb_of(track->extradata + 4 * i + 1));
    str_putc(out, '\n');
}

static void set_extradata(AVCodecContext *codec, const void *bytes, size_t size)
{
    codec->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    MUST(codec->extradata != NULL);
    memcpy(codec->extradata, bytes, size);
    codec->extradata_size = (int) size;
}

static void set_headers(struct screen_decoder *decoder, const struct plan_track *track)
{
    struct str text = {0};
    bool is_dvd = decoder->kind->id == AV_CODEC_ID_DVD_SUBTITLE;
    if (is_dvd && track->extradata_size == PALETTE_BYTES)
        describe_palette(track, &text);
    if (text.length > 0)
        set_extradata(decoder->codec, text.at, text.length);
    else if (track->extradata_size > 0 && track->extradata_size <= PLAN_MAX_EXTRADATA)
        set_extradata(decoder->codec, track->extradata, track->extradata_size);
    str_fini(&text);
}

struct screen_decoder *screen_decoder_new(const struct plan_track *track)
{
    const struct kind *kind = find_kind(track->codec_name);
    const AVCodec *codec = kind != NULL ? avcodec_find_decoder(kind->id) : NULL;
    if (codec == NULL)
        return NULL;
    struct screen_decoder *decoder = mem_new(struct screen_decoder);
    decoder->kind = kind;
    decoder->codec = avcodec_alloc_context3(codec);
    decoder->packet = av_packet_alloc();
    MUST(decoder->codec != NULL && decoder->packet != NULL);
    set_headers(decoder, track);
    decoder->codec->max_pixels = MOST_PIXELS;
    decoder->codec->pkt_timebase = (AVRational){1, AV_TIME_BASE};
    decoder->codec->thread_count = 1;
    if (avcodec_open2(decoder->codec, codec, NULL) < 0)
        screen_decoder_free(&decoder);
    return decoder;
}

void screen_decoder_free(struct screen_decoder **decoder)
{
    struct screen_decoder *old = *decoder;
    *decoder = NULL;
    if (old == NULL)
        return;
    avcodec_free_context(&old->codec);
    av_packet_free(&old->packet);
    mem_free(old);
}

static bool is_usable(const AVSubtitleRect *rect)
{
    return rect->type == SUBTITLE_BITMAP && rect->w > 0 && rect->h > 0 && rect->x >= 0 &&
           rect->y >= 0 && (int64_t) rect->w * rect->h <= MOST_PIXELS && rect->data[0] != NULL &&
           rect->data[1] != NULL && rect->linesize[0] >= rect->w;
}

static void copy_part(const AVSubtitleRect *rect, struct screen_part *part)
{
    size_t width = (size_t) rect->w, height = (size_t) rect->h;
    size_t colors = rect->nb_colors > 0 && rect->nb_colors < 256 ? (size_t) rect->nb_colors : 256;
    *part = (struct screen_part){.x = (uint32_t) rect->x,
                                 .y = (uint32_t) rect->y,
                                 .width = (uint32_t) rect->w,
                                 .height = (uint32_t) rect->h,
                                 .is_forced = (rect->flags & AV_SUBTITLE_FLAG_FORCED) != 0,
                                 .pixels = mem_zalloc(width * height)};
    for (size_t row = 0; row < height; row++)
        memcpy(part->pixels + row * width, rect->data[0] + row * (size_t) rect->linesize[0], width);
    memcpy(part->palette, rect->data[1], colors * sizeof *part->palette);
}

/* In place. */
static void crop_part(struct screen_part *part, const struct pgs_crop *crop)
{
    if (crop->width == 0 || crop->x >= part->width || crop->y >= part->height)
        return;
    uint32_t most_width = part->width - crop->x, most_height = part->height - crop->y;
    uint32_t width = crop->width < most_width ? crop->width : most_width;
    uint32_t height = crop->height < most_height ? crop->height : most_height;
    if (height == 0)
        return;
    for (uint32_t row = 0; row < height; row++)
        memmove(part->pixels + (size_t) row * width,
                part->pixels + (size_t) (row + crop->y) * part->width + crop->x, width);
    part->width = width;
    part->height = height;
}

static void set_plane(const struct screen_decoder *decoder, struct screen *screen)
{
    const AVCodecContext *codec = decoder->codec;
    bool is_told = codec->width > 0 && codec->height > 0;
    screen->width = is_told ? (uint32_t) codec->width : SD_WIDTH;
    screen->height = is_told ? (uint32_t) codec->height : SD_HEIGHT;
}

static void add_screen(const struct screen_decoder *decoder, const AVSubtitle *subtitle,
                       int64_t start_ns, int64_t end_ns, struct screens *out)
{
    struct screen screen = {.start_ns = start_ns, .end_ns = end_ns};
    size_t bytes = 0;
    unsigned count = subtitle->num_rects < MOST_PARTS ? subtitle->num_rects : MOST_PARTS;
    set_plane(decoder, &screen);
    screen.parts = mem_new_array(struct screen_part, count);
    for (unsigned i = 0; i < count; i++) {
        const AVSubtitleRect *rect = subtitle->rects[i];
        if (!is_usable(rect))
            continue;
        copy_part(rect, &screen.parts[screen.part_count]);
        if ((int) i < decoder->crop_count)
            crop_part(&screen.parts[screen.part_count], &decoder->crops[i]);
        screen.part_count++;
        bytes += sizeof *screen.parts + (size_t) rect->w * (size_t) rect->h;
    }
    if (screen.part_count == 0 || bytes > LIST_BYTES - out->bytes) {
        screen_fini(&screen);
        return;
    }
    out->bytes += bytes;
    mem_grow(out->items, out->count, out->room);
    out->items[out->count++] = screen;
}

static void end_last(struct screens *out, int64_t ns)
{
    struct screen *last = out->count > 0 ? &out->items[out->count - 1] : NULL;
    if (last != NULL && last->end_ns > ns)
        last->end_ns = ns;
}

static void take_subtitle(const struct screen_decoder *decoder, const struct event *event,
                          const AVSubtitle *subtitle, struct screens *out)
{
    bool is_chained = decoder->kind->role != NULL;
    bool is_timed = subtitle->end_display_time > subtitle->start_display_time &&
                    subtitle->end_display_time < UINT32_MAX;
    int64_t start_ns = event->start_ns + subtitle->start_display_time * NS_PER_MS;
    int64_t end_ns = event->start_ns + subtitle->end_display_time * NS_PER_MS;
    if (is_chained)
        end_last(out, start_ns);
    if (!is_timed && is_chained)
        end_ns = INT64_MAX;
    else if (!is_timed)
        end_ns = event->end_ns > start_ns ? event->end_ns : start_ns + UNSAID_NS;
    if (subtitle->num_rects > 0)
        add_screen(decoder, subtitle, start_ns, end_ns, out);
}

static void read_crops(struct screen_decoder *decoder, const struct event *event)
{
    int count = decoder->kind->role == pgs_role
                    ? pgs_read_crops(event->bytes, event->size, decoder->crops, MOST_PARTS)
                    : -1;
    if (count >= 0)
        decoder->crop_count = count;
}

void screen_decoder_take(struct screen_decoder *decoder, const struct event *event,
                         struct screens *out)
{
    AVSubtitle subtitle = {0};
    int got = 0;
    if (event->size == 0 || event->size > INT32_MAX / 2 ||
        av_new_packet(decoder->packet, (int) event->size) < 0)
        return;
    memcpy(decoder->packet->data, event->bytes, event->size);
    read_crops(decoder, event);
    decoder->packet->pts = 0;
    int code = avcodec_decode_subtitle2(decoder->codec, &subtitle, &got, decoder->packet);
    if (code >= 0 && got != 0)
        take_subtitle(decoder, event, &subtitle, out);
    if (got != 0)
        avsubtitle_free(&subtitle);
    av_packet_unref(decoder->packet);
}

/* --- a track --- */

struct collecting {
    struct screen_decoder *decoder;
    struct screens *out;
};

static void on_event(void *ctx, const struct event *event)
{
    const struct collecting *to = ctx;
    screen_decoder_take(to->decoder, event, to->out);
}

/* The last screen is ended by what was not decoded any more. */
static void end_chain(struct screens *out, int64_t next_ns)
{
    if (out->count == 0)
        return;
    if (next_ns == INT64_MIN)
        end_last(out, out->items[out->count - 1].start_ns + UNSEEN_NS);
    else if (next_ns != INT64_MAX)
        end_last(out, next_ns);
}

enum err screens_collect(struct container *container, struct reader *reader, uint32_t track,
                         int64_t from_ns, int64_t to_ns, struct screens *out)
{
    uint32_t count = 0;
    const struct plan_track *t = &container_tracks(container, &count)[track];
    struct screen_decoder *decoder = screen_decoder_new(t);
    struct collecting to = {decoder, out};
    int64_t next_ns = INT64_MIN;
    if (decoder == NULL)
        return ERR_NOT_FOUND;
    event_role_fn *role = decoder->kind->role;
    enum err err = role != NULL ? container_event_chain(container, reader, track, from_ns, to_ns,
                                                        role, &next_ns, on_event, &to)
                                : container_events(container, reader, track, from_ns, to_ns, NULL,
                                                   on_event, &to);
    if (err == OK && role != NULL)
        end_chain(out, next_ns);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, compare_starts);
    screen_decoder_free(&decoder);
    return err;
}
