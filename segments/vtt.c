/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/vtt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "segments/plan.h"

/* Where nothing says how long a cue stands. */
#define UNKNOWN_MOST_MS 5000
/* A list takes no more than this of memory for texts. */
#define LIST_MAX_BYTES (64u << 20)
/* "&thetasym;" is long for a reference; longer ones are text. */
#define REFERENCE_MOST 12

/* --- lists --- */

void vtt_list_fini(struct vtt_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i].settings);
        mem_free(list->items[i].text);
    }
    mem_free(list->items);
    *list = (struct vtt_list){0};
}

void vtt_list_add(struct vtt_list *list, int64_t start_ms, int64_t end_ms, struct str *settings,
                  struct str *text)
{
    size_t bytes = settings->length + text->length;
    if (text->length == 0 || list->count == VTT_MAX_CUES || bytes > LIST_MAX_BYTES - list->bytes) {
        str_fini(settings);
        str_fini(text);
        return;
    }
    mem_grow(list->items, list->count, list->room);
    list->items[list->count++] = (struct vtt_cue){
        .start_ms = start_ms,
        .end_ms = end_ms,
        .settings = str_take(settings),
        .text = str_take(text),
    };
    list->bytes += bytes;
}

/* A stable order needs the place a cue had before. */
struct place {
    int64_t start_ms;
    size_t index;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void sort(struct vtt_list *list)
{
    CLEANUP(mem_free_at) struct place *places = mem_new_array(struct place, list->count);
    struct vtt_cue *sorted = mem_new_array(struct vtt_cue, list->count);
    for (size_t i = 0; i < list->count; i++)
        places[i] = (struct place){list->items[i].start_ms, i};
    qsort(places, list->count, sizeof *places, compare_places);
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = list->items[places[i].index];
    mem_free(list->items);
    list->items = sorted;
    list->room = list->count;
}

/* Cues from the last to the first, so that the next later start is at hand. */
static void end_unknown(struct vtt_list *list)
{
    int64_t later_ms = INT64_MAX, same_ms = INT64_MAX;
    for (size_t i = list->count; i > 0; i--) {
        struct vtt_cue *cue = &list->items[i - 1];
        if (cue->start_ms != same_ms) {
            later_ms = same_ms;
            same_ms = cue->start_ms;
        }
        if (cue->end_ms >= cue->start_ms)
            continue;
        cue->end_ms = cue->start_ms + UNKNOWN_MOST_MS;
        if (later_ms < cue->end_ms)
            cue->end_ms = later_ms;
    }
}

static bool is_same(const struct vtt_cue *a, const struct vtt_cue *b)
{
    return a->start_ms == b->start_ms && a->end_ms == b->end_ms && strcmp(a->text, b->text) == 0 &&
           strcmp(a->settings, b->settings) == 0;
}

/* Layers of one text, a shadow and an outline, stand beside one another. */
static void drop_equal(struct vtt_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct vtt_cue *cue = &list->items[i];
        if (kept > 0 && is_same(&list->items[kept - 1], cue)) {
            mem_free(cue->settings);
            mem_free(cue->text);
        } else {
            list->items[kept++] = *cue;
        }
    }
    list->count = kept;
}

void vtt_list_finish(struct vtt_list *list)
{
    if (list->count == 0)
        return;
    sort(list);
    end_unknown(list);
    drop_equal(list);
}

/* --- files --- */

void vtt_write_head(struct str *out, bool is_mapped)
{
    str_puts(out, "WEBVTT\n");
    if (is_mapped)
        str_printf(out, "X-TIMESTAMP-MAP=MPEGTS:%d,LOCAL:00:00:00.000\n", PLAN_OFFSET_S * 90000);
}

static void put_time(struct str *out, int64_t ms)
{
    int64_t seconds = ms / 1000;
    str_printf(out, "%02" PRId64 ":%02d:%02d.%03d", seconds / 3600, (int) (seconds / 60 % 60),
               (int) (seconds % 60), (int) (ms % 1000));
}

void vtt_write_cues(const struct vtt_list *list, int64_t from_ms, int64_t to_ms, struct str *out)
{
    for (size_t i = 0; i < list->count && list->items[i].start_ms < to_ms; i++) {
        const struct vtt_cue *cue = &list->items[i];
        int64_t start_ms = cue->start_ms > 0 ? cue->start_ms : 0;
        if (cue->end_ms <= start_ms || cue->end_ms <= from_ms)
            continue;
        str_putc(out, '\n');
        put_time(out, start_ms);
        str_puts(out, " --> ");
        put_time(out, cue->end_ms);
        if (cue->settings[0] != '\0')
            str_printf(out, " %s", cue->settings);
        str_printf(out, "\n%s\n", cue->text);
    }
}

/* --- text --- */

/* A line end that is due, unless it would make a blank line. */
static void begin_here(struct vtt_text *text)
{
    if (text->has_line_end && text->out.length > 0)
        str_putc(&text->out, '\n');
    text->has_line_end = false;
}

static void put_plain(struct vtt_text *text, char byte)
{
    begin_here(text);
    if (byte == '&')
        str_puts(&text->out, "&amp;");
    else if (byte == '<')
        str_puts(&text->out, "&lt;");
    else if (byte == '>')
        str_puts(&text->out, "&gt;");
    else
        str_putc(&text->out, byte);
    text->is_visible |= byte != ' ' && byte != '\t';
}

void vtt_text_put(struct vtt_text *text, const char *bytes, size_t length)
{
    struct str clean = {0};
    str_append_utf8(&clean, bytes, length);
    for (size_t i = 0; i < clean.length && text->out.length < VTT_MAX_TEXT; i++) {
        char byte = clean.at[i];
        bool is_end = byte == '\n' || (byte == '\r' && clean.at[i + 1] != '\n');
        if (is_end)
            vtt_text_line_end(text);
        else if (byte != '\0' && byte != '\r')
            put_plain(text, byte);
    }
    str_fini(&clean);
}

void vtt_text_line_end(struct vtt_text *text)
{
    text->has_line_end = true;
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

size_t vtt_text_reference(struct vtt_text *text, const char *bytes, size_t length)
{
    size_t at = 1;
    if (length < 4 || bytes[0] != '&')
        return 0;
    if (bytes[1] == '#') {
        bool is_hex = bytes[2] == 'x' || bytes[2] == 'X';
        for (at = is_hex ? 3 : 2; at < length && at < REFERENCE_MOST; at++)
            if (!is_digit(bytes[at]) && !(is_hex && is_letter(bytes[at])))
                break;
    } else {
        while (at < length && at < REFERENCE_MOST && is_letter(bytes[at]))
            at++;
    }
    if (at < 3 || at >= length || bytes[at] != ';' || text->out.length >= VTT_MAX_TEXT)
        return 0;
    begin_here(text);
    str_append(&text->out, bytes, at + 1);
    text->is_visible = true;
    return at + 1;
}

static int find_open(const struct vtt_text *text, char tag)
{
    for (unsigned i = 0; i < text->open_count; i++)
        if (text->open[i] == tag)
            return (int) i;
    return -1;
}

void vtt_text_open(struct vtt_text *text, char tag)
{
    if (find_open(text, tag) >= 0 || text->open_count == VTT_MOST_OPEN)
        return;
    begin_here(text);
    text->open[text->open_count++] = tag;
    str_printf(&text->out, "<%c>", tag);
}

void vtt_text_close(struct vtt_text *text, char tag)
{
    int place = find_open(text, tag);
    if (place < 0)
        return;
    for (unsigned i = text->open_count; i > (unsigned) place; i--)
        str_printf(&text->out, "</%c>", text->open[i - 1]);
    text->open_count--;
    memmove(text->open + place, text->open + place + 1, text->open_count - (unsigned) place);
    for (unsigned i = (unsigned) place; i < text->open_count; i++)
        str_printf(&text->out, "<%c>", text->open[i]);
}

void vtt_text_close_all(struct vtt_text *text)
{
    while (text->open_count > 0)
        str_printf(&text->out, "</%c>", text->open[--text->open_count]);
}

void vtt_text_raw(struct vtt_text *text, const char *bytes, size_t length)
{
    if (text->out.length >= VTT_MAX_TEXT)
        return;
    begin_here(text);
    str_append(&text->out, bytes, length);
}

void vtt_text_finish(struct vtt_text *text, struct str *out)
{
    vtt_text_close_all(text);
    *out = (struct str){0};
    if (text->is_visible) {
        *out = text->out;
        text->out = (struct str){0};
    }
    str_fini(&text->out);
    *text = (struct vtt_text){0};
}

void vtt_place_keypad(struct str *settings, unsigned keypad)
{
    static const char *const lines[] = {"", "line:50%", "line:0"};
    static const char *const sides[] = {"align:left", "", "align:right"};
    str_clear(settings);
    if (keypad < 1 || keypad > 9)
        return;
    const char *line = lines[(keypad - 1) / 3], *side = sides[(keypad - 1) % 3];
    str_printf(settings, "%s%s%s", line, line[0] != '\0' && side[0] != '\0' ? " " : "", side);
}
