/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/subtitle.h"

#include <string.h>

#include "base/log.h"
#include "segments/ass.h"
#include "segments/screens.h"
#include "segments/srt.h"
#include "segments/tx3g.h"
#include "segments/webvtt.h"

#define NS_PER_MS INT64_C(1000000)

/* Readers of one event, by libav's name of the codec. */
enum form { FORM_NONE, FORM_SRT, FORM_ASS, FORM_WEBVTT, FORM_TX3G, FORM_WVTT };

static enum form find_form(enum plan_container container, const char *codec)
{
    bool is_mp4 = container == CONTAINER_MP4;
    if (strcmp(codec, "webvtt") == 0)
        return is_mp4 ? FORM_WVTT : FORM_WEBVTT;
    if (is_mp4)
        return strcmp(codec, "mov_text") == 0 ? FORM_TX3G : FORM_NONE;
    if (strcmp(codec, "subrip") == 0)
        return FORM_SRT;
    return strcmp(codec, "ass") == 0 ? FORM_ASS : FORM_NONE;
}

static bool is_picture(const char *codec)
{
    static const char *const codecs[] = {"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle",
                                         "xsub", "mp4s"};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (strcmp(codec, codecs[i]) == 0)
            return true;
    return false;
}

const char *subtitle_refusal(enum plan_container container, const struct plan_track *track)
{
    if (screens_can_read(container, track))
        return "";
    if (is_picture(track->codec_name))
        return "subtitles that are pictures are read from Matroska and MP4 alone: PGS, VobSub and "
               "DVB";
    return subtitle_text_refusal(container, track);
}

const char *subtitle_text_refusal(enum plan_container container, const struct plan_track *track)
{
    if (is_picture(track->codec_name))
        return "these subtitles are pictures, not text";
    if (container == CONTAINER_OTHER)
        return "subtitles are read from Matroska and MP4 alone";
    if (find_form(container, track->codec_name) == FORM_NONE)
        return "subtitles of this kind are not converted";
    return "";
}

static bool is_letter(char byte)
{
    char low = char_lower(byte);
    return low >= 'a' && low <= 'z';
}

/* Whether a whole word of the title is `word`. */
static bool has_word(const char *title, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = title; *at != '\0'; at++) {
        bool begins = at == title || !is_letter(at[-1]);
        if (begins && strncasecmp(at, word, length) == 0 && !is_letter(at[length]))
            return true;
    }
    return false;
}

void subtitle_read_title(struct plan_track *track)
{
    if (has_word(track->title, "forced"))
        track->is_forced = true;
    if (has_word(track->title, "sdh") || has_word(track->title, "cc") ||
        has_word(track->title, "hearing"))
        track->is_sdh = true;
    if (has_word(track->title, "commentary"))
        track->is_commentary = true;
}

/* Events on their way into a list. */
struct collecting {
    enum form form;
    int64_t t0_ns;
    const struct ass_header *header;
    struct vtt_list *list;
};

static int64_t to_ms(int64_t ns)
{
    int64_t moved = ns + NS_PER_MS / 2;
    return moved >= 0 ? moved / NS_PER_MS : -((-moved + NS_PER_MS - 1) / NS_PER_MS);
}

static void add_srt(const struct event *event, const int64_t times_ms[2], struct vtt_list *list)
{
    struct vtt_text text = {0};
    struct str settings = {0}, out;
    srt_put_text((const char *) event->bytes, event->size, &text, &settings);
    vtt_text_finish(&text, &out);
    vtt_list_add(list, times_ms[0], times_ms[1], &settings, &out);
    str_fini(&settings);
}

static void on_event(void *ctx, const struct event *event)
{
    const struct collecting *to = ctx;
    const int64_t times_ms[2] = {to_ms(event->start_ns - to->t0_ns),
                                 to_ms(event->end_ns - to->t0_ns)};
    const char *text = (const char *) event->bytes;
    switch (to->form) {
    case FORM_NONE:
        break;
    case FORM_SRT:
        add_srt(event, times_ms, to->list);
        break;
    case FORM_ASS:
        ass_add_event(to->header, text, event->size, times_ms[0], times_ms[1], to->list);
        break;
    case FORM_WEBVTT:
        webvtt_add_cue((struct slice){text, event->size},
                       (struct slice){(const char *) event->beside, event->beside_size}, times_ms,
                       to->list);
        break;
    case FORM_TX3G:
        tx3g_add_sample(event->bytes, event->size, times_ms, to->list);
        break;
    case FORM_WVTT:
        wvtt_add_sample(event->bytes, event->size, times_ms, to->list);
        break;
    }
}

enum err subtitle_collect(struct container *container, struct reader *reader, uint32_t track,
                          int64_t from_ns, int64_t to_ns, int64_t t0_ns, struct vtt_list *list)
{
    uint32_t count = 0;
    const struct plan_track *t = &container_tracks(container, &count)[track];
    struct ass_header header = {0};
    struct collecting to = {.form = find_form(container_kind(container), t->codec_name),
                            .t0_ns = t0_ns,
                            .header = &header,
                            .list = list};
    bool by_walk = false;
    if (to.form == FORM_ASS && t->extradata != NULL)
        ass_header_read((const char *) t->extradata, t->extradata_size, &header);
    enum err err =
        container_events(container, reader, track, from_ns, to_ns, &by_walk, on_event, &to);
    ass_header_fini(&header);
    if (by_walk)
        log_debug("segments.subtitle", log_int("track", t->number),
                  log_str("by", "a walk: the index does not list it"));
    return err;
}

enum err subtitle_segment(struct container *container, struct reader *reader,
                          const struct plan *plan, uint32_t rendition, uint32_t n,
                          const struct sink *sink)
{
    int64_t begin = plan_segment_start(plan, rendition, n);
    int64_t end = plan_segment_start(plan, rendition, n + 1);
    int64_t scale = plan->timescale;
    int64_t from_ms = begin * 1000 / scale, to_ms = (end * 1000 + scale - 1) / scale;
    struct vtt_list list = {0};
    struct str out = {0};
    /* a millisecond more: those that only rounding brings into the segment */
    enum err err = subtitle_collect(container, reader, plan->renditions[rendition].track,
                                    plan->t0_ns + (from_ms - 1) * NS_PER_MS,
                                    plan->t0_ns + (to_ms + 1) * NS_PER_MS, plan->t0_ns, &list);
    vtt_list_finish(&list);
    vtt_write_head(&out, true);
    vtt_write_cues(&list, from_ms, to_ms, &out);
    if (err == OK)
        err = sink_bytes(sink, str_text(&out), out.length);
    if (err == OK)
        err = sink_flush(sink);
    str_fini(&out);
    vtt_list_fini(&list);
    return err;
}
