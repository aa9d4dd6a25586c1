/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/srt.h"

#include <string.h>

#include "segments/lines.h"

/* Longer ones are text between angles. */
#define TAG_MOST 400

static bool is_letter(char byte)
{
    char low = char_lower(byte);
    return low >= 'a' && low <= 'z';
}

/* --- tags --- */

enum tag_kind { TAG_NONE, TAG_STYLE, TAG_BREAK, TAG_DROPPED };

static enum tag_kind judge_name(struct slice name, char *style)
{
    static const struct {
        const char *name;
        enum tag_kind kind;
        char style;
    } tags[] = {
        {"i", TAG_STYLE, 'i'},    {"b", TAG_STYLE, 'b'},      {"u", TAG_STYLE, 'u'},
        {"em", TAG_STYLE, 'i'},   {"br", TAG_BREAK, 0},       {"strong", TAG_STYLE, 'b'},
        {"font", TAG_DROPPED, 0}, {"s", TAG_DROPPED, 0},      {"strike", TAG_DROPPED, 0},
        {"span", TAG_DROPPED, 0}, {"center", TAG_DROPPED, 0}, {"p", TAG_DROPPED, 0},
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!slice_is_nocase(name, tags[i].name))
            continue;
        *style = tags[i].style;
        return tags[i].kind;
    }
    return TAG_NONE;
}

/* A tag at `at`, which begins with '<'. Its length, 0: that is text. */
static size_t take_tag(struct slice at, struct vtt_text *text)
{
    size_t most = at.length < TAG_MOST ? at.length : TAG_MOST;
    const char *end = memchr(at.at, '>', most);
    char style = 0;
    if (end == NULL)
        return 0;
    size_t length = (size_t) (end - at.at) + 1;
    size_t begin = at.at[1] == '/' ? 2 : 1, name = begin;
    while (is_letter(at.at[name]))
        name++;
    char after = at.at[name];
    if (after != '>' && after != ' ' && after != '/')
        return 0;
    switch (judge_name((struct slice){at.at + begin, name - begin}, &style)) {
    case TAG_NONE:
        return 0;
    case TAG_STYLE:
        if (begin == 2)
            vtt_text_close(text, style);
        else
            vtt_text_open(text, style);
        break;
    case TAG_BREAK:
        vtt_text_line_end(text);
        break;
    case TAG_DROPPED:
        break;
    }
    return length;
}

/* "{\an8}" of ASS, "{y:i}" of MicroDVD: the first places, all are dropped. */
static size_t take_braces(struct slice at, struct str *settings)
{
    size_t most = at.length < TAG_MOST ? at.length : TAG_MOST;
    const char *end = memchr(at.at, '}', most);
    if (end == NULL || end - at.at < 3)
        return 0;
    size_t length = (size_t) (end - at.at) + 1;
    bool is_microdvd =
        at.at[2] == ':' && at.at[1] != '\0' && strchr("CcFfoPSsYy", at.at[1]) != NULL;
    if (at.at[1] != '\\' && !is_microdvd)
        return 0;
    if (length >= 6 && memcmp(at.at, "{\\an", 4) == 0 && at.at[4] >= '1' && at.at[4] <= '9')
        vtt_place_keypad(settings, (unsigned) (at.at[4] - '0'));
    return length;
}

void srt_put_text(const char *bytes, size_t length, struct vtt_text *text, struct str *settings)
{
    for (size_t i = 0, begin = 0; i <= length;) {
        struct slice at = {bytes + i, length - i};
        size_t taken = 0;
        bool is_special = at.length > 0 && (*at.at == '<' || *at.at == '{' || *at.at == '&');
        if (is_special || at.length == 0)
            vtt_text_put(text, bytes + begin, i - begin);
        if (at.length == 0)
            return;
        if (is_special)
            begin = i;
        if (*at.at == '<')
            taken = take_tag(at, text);
        else if (*at.at == '{')
            taken = take_braces(at, settings);
        else if (*at.at == '&')
            taken = vtt_text_reference(text, at.at, at.length);
        if (taken > 0)
            begin = i + taken;
        i += taken > 0 ? taken : 1;
    }
}

/* --- files --- */

/* "00:01:02,500 --> 00:01:04,000 X1:100 ...". */
static bool read_time_line(struct slice line, int64_t *start_ms, int64_t *end_ms)
{
    slice_take_blanks(&line);
    if (!slice_take_time(&line, start_ms))
        return false;
    slice_take_blanks(&line);
    while (slice_take(&line, '-'))
        continue;
    if (!slice_take(&line, '>'))
        return false;
    slice_take_blanks(&line);
    return slice_take_time(&line, end_ms);
}

static bool is_number(struct slice line)
{
    uint32_t number;
    line = slice_trim(line);
    return slice_take_number(&line, &number) && line.length == 0;
}

/* Whether a cue begins here: a time line, or a number and then one. `lines` is what follows. */
static bool begins_cue(struct slice line, const struct lines *lines)
{
    int64_t ms;
    struct slice next;
    if (read_time_line(line, &ms, &ms))
        return true;
    return is_number(line) && lines_peek(lines, &next) && read_time_line(next, &ms, &ms);
}

static void add_cue(struct vtt_list *list, int64_t start_ms, int64_t end_ms, const struct str *raw)
{
    struct vtt_text text = {0};
    struct str settings = {0}, out;
    srt_put_text(str_text(raw), raw->length, &text, &settings);
    vtt_text_finish(&text, &out);
    vtt_list_add(list, start_ms, end_ms, &settings, &out);
    str_fini(&settings);
}

/* A cue's text goes on over blank lines: only the next cue ends it. */
static void read_text(struct lines *lines, struct str *raw)
{
    struct slice line;
    str_clear(raw);
    while (lines_peek(lines, &line)) {
        struct lines after = *lines;
        (void) lines_next(&after, &line);
        if (begins_cue(line, &after))
            return;
        *lines = after;
        if (raw->length > 0)
            str_putc(raw, '\n');
        if (raw->length < VTT_MAX_TEXT)
            str_append(raw, line.at, line.length < VTT_MAX_TEXT ? line.length : VTT_MAX_TEXT);
    }
}

bool srt_read(const char *bytes, size_t length, struct vtt_list *list)
{
    struct lines lines = lines_of(bytes, length);
    struct slice line;
    struct str raw = {0};
    bool has_any = false;
    while (lines_next(&lines, &line)) {
        int64_t start_ms, end_ms;
        if (!read_time_line(line, &start_ms, &end_ms))
            continue;
        has_any = true;
        read_text(&lines, &raw);
        add_cue(list, start_ms, end_ms, &raw);
    }
    str_fini(&raw);
    return has_any;
}
