/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/webvtt.h"

#include <string.h>

#include "segments/lines.h"

/* A tag with its classes and annotation; longer ones are text. */
#define TAG_MOST 400

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f';
}

/* --- text --- */

static bool is_name(struct slice name)
{
    static const char *const names[] = {"c", "i", "b", "u", "ruby", "rt", "v", "lang"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is(name, names[i]))
            return true;
    return false;
}

/* What may stand behind a tag's name: no line end, no arrow, nothing that ends text early. */
static bool is_harmless(struct slice rest)
{
    for (size_t i = 0; i < rest.length; i++) {
        unsigned char byte = (unsigned char) rest.at[i];
        if (byte < ' ' || byte == '<' || byte == '&' || byte == 0x7F)
            return false;
    }
    return memmem(rest.at, rest.length, "--", 2) == NULL && str_is_utf8(rest.at, rest.length);
}

/* A tag at the begin of `at`: its length, 0: that is text. */
static size_t take_tag(struct slice at, struct vtt_text *text)
{
    size_t most = at.length < TAG_MOST ? at.length : TAG_MOST;
    const char *end = memchr(at.at, '>', most);
    if (end == NULL)
        return 0;
    size_t length = (size_t) (end - at.at) + 1;
    size_t begin = at.at[1] == '/' ? 2 : 1, name = begin;
    if (at.at[begin] >= '0' && at.at[begin] <= '9') /* a timestamp */
        return length;
    while (name < length - 1 && !is_blank(at.at[name]) && at.at[name] != '.')
        name++;
    struct slice rest = {at.at + name, length - 1 - name};
    if (!is_name((struct slice){at.at + begin, name - begin}) || !is_harmless(rest))
        return 0;
    vtt_text_raw(text, at.at, length);
    return length;
}

void webvtt_put_text(const char *bytes, size_t length, struct vtt_text *text)
{
    size_t begin = 0, i = 0;
    while (i < length) {
        size_t taken = 0;
        if (bytes[i] != '<' && bytes[i] != '&') {
            i++;
            continue;
        }
        vtt_text_put(text, bytes + begin, i - begin);
        begin = i;
        if (bytes[i] == '<')
            taken = take_tag((struct slice){bytes + i, length - i}, text);
        else
            taken = vtt_text_reference(text, bytes + i, length - i);
        i += taken > 0 ? taken : 1;
        begin += taken;
    }
    vtt_text_put(text, bytes + begin, length - begin);
}

/* --- settings (W3C WebVTT 4.4) --- */

static bool is_word_of(struct slice value, const char *const *words)
{
    for (; *words != NULL; words++)
        if (slice_is(value, *words))
            return true;
    return false;
}

static bool take_percent(struct slice *value)
{
    uint32_t number, fraction;
    if (!slice_take_number(value, &number) || number > 100)
        return false;
    if (slice_take(value, '.') && !slice_take_number(value, &fraction))
        return false;
    return slice_take(value, '%');
}

static bool take_line(struct slice *value)
{
    struct slice at = *value;
    uint32_t number;
    if (take_percent(&at)) {
        *value = at;
        return true;
    }
    (void) slice_take(value, '-');
    return slice_take_number(value, &number);
}

static bool is_right(struct slice name, struct slice value)
{
    static const char *const verticals[] = {"rl", "lr", NULL};
    static const char *const aligns[] = {"start", "center", "end", "left", "right", NULL};
    static const char *const sides[] = {",start", ",center", ",end", "", NULL};
    static const char *const places[] = {",line-left", ",center", ",line-right", "", NULL};
    static const char *const nothing[] = {"", NULL};
    if (slice_is(name, "vertical"))
        return is_word_of(value, verticals);
    if (slice_is(name, "align"))
        return is_word_of(value, aligns);
    if (slice_is(name, "line"))
        return take_line(&value) && is_word_of(value, sides);
    if (slice_is(name, "position"))
        return take_percent(&value) && is_word_of(value, places);
    if (slice_is(name, "size"))
        return take_percent(&value) && is_word_of(value, nothing);
    return false;
}

static void put_setting(struct slice setting, struct str *settings)
{
    const char *colon = setting.length > 0 ? memchr(setting.at, ':', setting.length) : NULL;
    if (colon == NULL)
        return;
    struct slice name = {setting.at, (size_t) (colon - setting.at)};
    struct slice value = {colon + 1, setting.length - name.length - 1};
    if (slice_is(value, "middle")) /* as older drafts had it */
        value = SLICE("center");
    if (!is_right(name, value))
        return;
    str_printf(settings, "%s%.*s:%.*s", settings->length > 0 ? " " : "", (int) name.length, name.at,
               (int) value.length, value.at);
}

void webvtt_put_settings(struct slice list, struct str *settings)
{
    enum { MOST = 400 }; /* six settings take less */
    for (size_t at = 0; at < list.length && settings->length < MOST;) {
        size_t length = 0;
        while (at + length < list.length && !is_blank(list.at[at + length]))
            length++;
        put_setting((struct slice){list.at + at, length}, settings);
        at += length + 1;
    }
}

/* --- cues --- */

void webvtt_add_cue(struct slice raw, struct slice settings_list, const int64_t times_ms[2],
                    struct vtt_list *list)
{
    struct vtt_text text = {0};
    struct str settings = {0}, out;
    webvtt_put_settings(settings_list, &settings);
    webvtt_put_text(raw.at, raw.length, &text);
    vtt_text_finish(&text, &out);
    vtt_list_add(list, times_ms[0], times_ms[1], &settings, &out);
    str_fini(&settings);
}

/* "00:01.000 --> 00:02.000 settings". */
static bool read_time_line(struct slice line, int64_t times_ms[2], struct slice *settings)
{
    slice_take_blanks(&line);
    if (!slice_take_time(&line, &times_ms[0]))
        return false;
    slice_take_blanks(&line);
    if (!slice_starts(line, "-->"))
        return false;
    line = (struct slice){line.at + 3, line.length - 3};
    slice_take_blanks(&line);
    if (!slice_take_time(&line, &times_ms[1]))
        return false;
    *settings = line;
    return true;
}

/* Lines up to a blank one, or one with an arrow. */
static struct slice read_payload(struct lines *lines)
{
    struct slice line, payload = {lines->at, 0};
    while (lines_peek(lines, &line) && line.length > 0 &&
           memmem(line.at, line.length, "-->", 3) == NULL) {
        payload.length = (size_t) (line.at + line.length - payload.at);
        (void) lines_next(lines, &line);
    }
    return payload;
}

bool webvtt_read(const char *bytes, size_t length, struct vtt_list *list)
{
    struct lines lines = lines_of(bytes, length);
    struct slice line, settings;
    if (!lines_next(&lines, &line) || !slice_starts(line, "WEBVTT") ||
        (line.length > 6 && !is_blank(line.at[6])))
        return false;
    while (lines_next(&lines, &line)) {
        int64_t times_ms[2];
        if (!read_time_line(line, times_ms, &settings))
            continue;
        struct slice payload = read_payload(&lines);
        if (times_ms[1] > times_ms[0])
            webvtt_add_cue(payload, settings, times_ms, list);
    }
    return true;
}
