/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/convert.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/ass.h"
#include "segments/charset.h"
#include "segments/container.h"
#include "segments/srt.h"
#include "segments/subtitle.h"
#include "segments/webvtt.h"
#include "segments/window.h"

/* Earlier than any event; times are added to it. */
#define BEGIN_NS (INT64_MIN / 4)

static void move_times(struct vtt_list *list, const struct convert_what *what)
{
    for (size_t i = 0; i < list->count; i++) {
        struct vtt_cue *cue = &list->items[i];
        cue->start_ms = cue->start_ms * what->scale / CONVERT_SCALE_ONE + what->shift_ms;
        cue->end_ms = cue->end_ms * what->scale / CONVERT_SCALE_ONE + what->shift_ms;
    }
}

static void write_list(struct vtt_list *list, const struct convert_what *what, struct str *out)
{
    vtt_list_finish(list);
    move_times(list, what);
    vtt_write_head(out, what->form == CONVERT_HLS);
    vtt_write_cues(list, INT64_MIN, INT64_MAX, out);
}

/* --- files --- */

static bool has_events(const struct str *text)
{
    return text->length > 0 && strcasestr(text->at, "[events]") != NULL;
}

static bool read_list(const struct str *text, struct vtt_list *list)
{
    const char *at = str_text(text);
    if (webvtt_read(at, text->length, list))
        return true;
    if (has_events(text) && ass_read(at, text->length, list))
        return true;
    return srt_read(at, text->length, list);
}

enum err convert_text(const uint8_t *bytes, size_t size, const struct convert_what *what,
                      struct str *out, struct why *why)
{
    struct str text = {0};
    struct vtt_list list = {0};
    enum err err = OK;
    const char *charset = charset_to_utf8(bytes, size, &text);
    log_debug("segments.convert", log_str("charset", charset));
    if (what->form == CONVERT_ASS) {
        if (has_events(&text))
            str_append(out, text.at, text.length);
        else
            err = why_set(why, ERR_NOT_FOUND, NULL, "these subtitles are not ASS");
    } else if (read_list(&text, &list)) {
        write_list(&list, what, out);
    } else {
        err = why_set(why, ERR_BAD_MEDIA, NULL,
                      "it is neither SubRip nor WebVTT nor ASS: there are no times in it");
    }
    vtt_list_fini(&list);
    str_fini(&text);
    return err;
}

static enum err convert_file(struct reader *reader, const struct convert_what *what,
                             struct str *out, struct why *why)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    uint64_t size = input_size(reader->input);
    enum err err = window_load(reader, 0, size, CONVERT_FILE_BYTES, &bytes);
    if (err == ERR_LIMIT)
        return why_set(why, ERR_LIMIT, NULL, "it is larger than subtitles are");
    return err == OK ? convert_text(bytes, (size_t) size, what, out, why) : err;
}

/* --- tracks --- */

static int find_track(const struct container *container, uint32_t number)
{
    uint32_t count = 0;
    const struct plan_track *tracks = container_tracks(container, &count);
    for (uint32_t i = 0; i < count; i++)
        if (tracks[i].kind == PLAN_SUBTITLE && tracks[i].number == number)
            return (int) i;
    return -1;
}

struct script {
    struct str *out;
    int64_t t0_ns;
};

static void put_ass_time(struct str *out, int64_t ns)
{
    int64_t hundredths = ns > 0 ? (ns + 5000000) / 10000000 : 0;
    str_printf(out, "%" PRId64 ":%02d:%02d.%02d", hundredths / 360000,
               (int) (hundredths / 6000 % 60), (int) (hundredths / 100 % 60),
               (int) (hundredths % 100));
}

/* "ReadOrder,Layer,Style,..." of Matroska as a line of a script. */
static void put_dialogue(void *ctx, const struct event *event)
{
    const struct script *script = ctx;
    const uint8_t *order = memchr(event->bytes, ',', event->size);
    if (order == NULL)
        return;
    size_t left = event->size - (size_t) (order + 1 - event->bytes);
    const uint8_t *layer = memchr(order + 1, ',', left);
    if (layer == NULL)
        return;
    str_printf(script->out, "Dialogue: %.*s,", (int) (layer - order - 1), (const char *) order + 1);
    put_ass_time(script->out, event->start_ns - script->t0_ns);
    str_putc(script->out, ',');
    put_ass_time(script->out, event->end_ns - script->t0_ns);
    left = event->size - (size_t) (layer - event->bytes);
    for (size_t i = 0; i < left; i++)
        if (layer[i] != '\n' && layer[i] != '\r' && layer[i] != '\0')
            str_putc(script->out, (char) layer[i]);
    str_putc(script->out, '\n');
}

/* CodecPrivate has all up to the events, and mostly the line that begins them. */
static enum err write_script(struct container *container, struct reader *reader, uint32_t track,
                             int64_t t0_ns, struct str *out)
{
    uint32_t count = 0;
    const struct plan_track *t = &container_tracks(container, &count)[track];
    struct script script = {out, t0_ns};
    if (t->extradata != NULL)
        str_append_utf8(out, (const char *) t->extradata, t->extradata_size);
    if (out->length > 0 && out->at[out->length - 1] != '\n')
        str_putc(out, '\n');
    if (!has_events(out))
        str_puts(out, "\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, "
                      "MarginV, Effect, Text\n");
    return container_events(container, reader, track, BEGIN_NS, INT64_MAX, NULL, put_dialogue,
                            &script);
}

static enum err convert_track(struct container *container, struct reader *reader, uint32_t track,
                              int64_t t0_ns, const struct convert_what *what, struct str *out,
                              struct why *why)
{
    uint32_t count = 0;
    const struct plan_track *t = &container_tracks(container, &count)[track];
    struct vtt_list list = {0};
    const char *refusal = subtitle_text_refusal(container_kind(container), t);
    if (refusal[0] != '\0' || t->refused[0] != '\0')
        return why_set(why, ERR_BAD_MEDIA, NULL, "%s", refusal[0] != '\0' ? refusal : t->refused);
    if (what->form == CONVERT_ASS && strcmp(t->codec_name, "ass") != 0)
        return why_set(why, ERR_NOT_FOUND, NULL, "these subtitles are not ASS");
    if (what->form == CONVERT_ASS)
        return write_script(container, reader, track, t0_ns, out);
    enum err err = subtitle_collect(container, reader, track, BEGIN_NS, INT64_MAX, t0_ns, &list);
    if (err == OK)
        write_list(&list, what, out);
    vtt_list_fini(&list);
    return err;
}

/* OpenType and TrueType, one or several in a file (ISO 14496-22 4.5). */
static bool is_font(const uint8_t *bytes, size_t size)
{
    static const char *const tags[] = {"OTTO", "true", "ttcf"};
    static const uint8_t version[4] = {0, 1, 0, 0};
    if (size < 12)
        return false;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (memcmp(bytes, tags[i], 4) == 0)
            return true;
    return memcmp(bytes, version, sizeof version) == 0;
}

static enum err copy_font(struct container *container, struct reader *reader, uint32_t number,
                          struct str *out, struct why *why)
{
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    uint64_t offset = 0, size = 0;
    enum err err = container_font(container, reader, number, &offset, &size);
    if (err == OK)
        err = window_load(reader, offset, size, CONVERT_FONT_BYTES, &bytes);
    if (err == ERR_NOT_FOUND)
        return why_set(why, err, NULL, "the film has no such font");
    if (err == ERR_LIMIT)
        return why_set(why, err, NULL, "the font is larger than fonts are");
    if (err == OK && !is_font(bytes, (size_t) size))
        return why_set(why, ERR_BAD_MEDIA, NULL, "what is called a font is none");
    if (err == OK)
        str_append(out, bytes, (size_t) size);
    return err;
}

enum err convert_subtitle(struct reader *reader, const struct plan *plan,
                          const struct convert_what *what, struct str *out, struct why *why)
{
    struct container *container = NULL;
    if (what->track == 0 && what->form == CONVERT_FONT)
        return why_set(why, ERR_NOT_FOUND, NULL, "fonts are counted from 1");
    if (what->track == 0)
        return convert_file(reader, what, out, why);
    enum err err = container_open(reader, &container, why);
    if (err != OK)
        return err == ERR_NOT_FOUND ? why_set(why, ERR_BAD_MEDIA, NULL,
                                              "subtitles are read from Matroska and MP4 alone")
                                    : err;
    int track = find_track(container, what->track);
    if (what->form == CONVERT_FONT)
        err = copy_font(container, reader, what->track, out, why);
    else if (track < 0)
        err = why_set(why, ERR_NOT_FOUND, NULL, "there is no such subtitle");
    else
        err = convert_track(container, reader, (uint32_t) track, plan != NULL ? plan->t0_ns : 0,
                            what, out, why);
    container_close(&container);
    return err;
}
