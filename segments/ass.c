/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/ass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "segments/lines.h"

#define MOST_STYLES 4096
#define MOST_FIELDS 64
/* The picture that scripts without a resolution are written for. */
#define USUAL_WIDTH  384
#define USUAL_HEIGHT 288
#define MOST_SIDE    32768
/* A line of text takes about so much of the picture's height. */
#define LINE_PERCENT 6
/* What stands lower than this, bottom aligned, stands where WebVTT puts text anyway. */
#define LOW_PERCENT 80
/* Boxes are as wide as what is left beside their position: some room is kept. */
#define ROOM_PERCENT 20

/* --- headers --- */

enum section { SECTION_OTHER, SECTION_INFO, SECTION_STYLES, SECTION_OLD_STYLES, SECTION_EVENTS };

static bool read_section(struct slice line, enum section *section)
{
    static const struct {
        const char *name;
        enum section section;
    } names[] = {
        {"[Script Info]", SECTION_INFO},  {"[V4+ Styles]", SECTION_STYLES},
        {"[V4 Styles+]", SECTION_STYLES}, {"[V4 Styles]", SECTION_OLD_STYLES},
        {"[Events]", SECTION_EVENTS},
    };
    line = slice_trim(line);
    if (line.length < 3 || line.at[0] != '[' || line.at[line.length - 1] != ']')
        return false;
    *section = SECTION_OTHER;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is_nocase(line, names[i].name))
            *section = names[i].section;
    return true;
}

/* "Key: value". */
static bool split(struct slice line, struct slice *key, struct slice *value)
{
    const char *colon = line.length > 0 ? memchr(line.at, ':', line.length) : NULL;
    if (colon == NULL)
        return false;
    size_t length = (size_t) (colon - line.at);
    *key = slice_trim((struct slice){line.at, length});
    *value = slice_trim((struct slice){colon + 1, line.length - length - 1});
    return true;
}

/* The fields of a line between commas; the last of `most` takes all that is left. */
static unsigned split_fields(struct slice line, unsigned most, struct slice fields[MOST_FIELDS])
{
    unsigned count = 0;
    while (count < most) {
        const char *comma =
            count + 1 < most && line.length > 0 ? memchr(line.at, ',', line.length) : NULL;
        size_t length = comma != NULL ? (size_t) (comma - line.at) : line.length;
        fields[count++] = (struct slice){line.at, length};
        if (comma == NULL)
            break;
        line.at += length + 1;
        line.length -= length + 1;
    }
    return count;
}

/* What the Format line says stands where; MOST_FIELDS: nowhere. */
struct format {
    unsigned count, name, alignment, italic; /* of styles */
    unsigned start, end, style, text;        /* of events */
};

static const struct format old_styles = {18, 0, 10, 8, 0, 0, 0, 0};
static const struct format new_styles = {23, 0, 18, 8, 0, 0, 0, 0};
static const struct format events = {10, 0, 0, 0, 1, 2, 3, 9};

static void read_format(struct slice value, struct format *format)
{
    struct slice fields[MOST_FIELDS];
    struct format read = {.name = MOST_FIELDS,
                          .alignment = MOST_FIELDS,
                          .italic = MOST_FIELDS,
                          .start = MOST_FIELDS,
                          .end = MOST_FIELDS,
                          .style = MOST_FIELDS,
                          .text = MOST_FIELDS};
    read.count = split_fields(value, MOST_FIELDS, fields);
    for (unsigned i = 0; i < read.count; i++) {
        struct slice field = slice_trim(fields[i]);
        if (slice_is_nocase(field, "Name"))
            read.name = i;
        else if (slice_is_nocase(field, "Alignment"))
            read.alignment = i;
        else if (slice_is_nocase(field, "Italic"))
            read.italic = i;
        else if (slice_is_nocase(field, "Start"))
            read.start = i;
        else if (slice_is_nocase(field, "End"))
            read.end = i;
        else if (slice_is_nocase(field, "Style"))
            read.style = i;
        else if (slice_is_nocase(field, "Text"))
            read.text = i;
    }
    *format = read;
}

/* SSA counts from the left in rows: 1 to 3 at the bottom, 5 to 7 at the top, 9 to 11 between. */
static unsigned keypad_of_ssa(uint32_t alignment)
{
    static const unsigned keypads[12] = {2, 1, 2, 3, 2, 7, 8, 9, 2, 4, 5, 6};
    return alignment < 12 ? keypads[alignment] : 2;
}

static unsigned read_alignment(struct slice field, bool is_old)
{
    uint32_t alignment = 2;
    field = slice_trim(field);
    if (!slice_take_number(&field, &alignment))
        return 2;
    if (is_old)
        return keypad_of_ssa(alignment);
    return alignment <= 9 ? alignment : 2;
}

static void add_style(struct ass_header *header, struct slice value, const struct format *format,
                      bool is_old)
{
    struct slice fields[MOST_FIELDS];
    unsigned count = split_fields(value, MOST_FIELDS, fields);
    if (format->name >= count || header->style_count == MOST_STYLES)
        return;
    mem_grow(header->styles, header->style_count, header->style_room);
    struct ass_style *style = &header->styles[header->style_count++];
    struct slice name = slice_trim(fields[format->name]);
    *style = (struct ass_style){.keypad = 2};
    snprintf(style->name, sizeof style->name, "%.*s", (int) (name.length < 63 ? name.length : 63),
             name.at);
    if (format->italic < count) {
        struct slice italic = slice_trim(fields[format->italic]);
        style->is_italic = slice_is(italic, "-1") || slice_is(italic, "1");
    }
    if (format->alignment < count)
        style->keypad = read_alignment(fields[format->alignment], is_old);
}

static void read_info(struct ass_header *header, struct slice key, struct slice value)
{
    uint32_t number;
    if (!slice_take_number(&value, &number) || number == 0 || number > MOST_SIDE)
        return;
    if (slice_is_nocase(key, "PlayResX"))
        header->width = number;
    else if (slice_is_nocase(key, "PlayResY"))
        header->height = number;
}

/* A script while it is read. */
struct script {
    struct ass_header *header;
    enum section section;
    struct format styles, events;
    struct vtt_list *list; /* NULL: the header alone */
    bool has_events;
};

static void add_dialogue(struct script *script, struct slice value);

static void read_line(struct script *script, struct slice line)
{
    struct slice key, value;
    bool is_old = script->section == SECTION_OLD_STYLES;
    if (!split(line, &key, &value))
        return;
    switch (script->section) {
    case SECTION_OTHER:
        break;
    case SECTION_INFO:
        read_info(script->header, key, value);
        break;
    case SECTION_STYLES:
    case SECTION_OLD_STYLES:
        if (slice_is_nocase(key, "Format"))
            read_format(value, &script->styles);
        else if (slice_is_nocase(key, "Style"))
            add_style(script->header, value, &script->styles, is_old);
        break;
    case SECTION_EVENTS:
        if (slice_is_nocase(key, "Format"))
            read_format(value, &script->events);
        else if (slice_is_nocase(key, "Dialogue") && script->list != NULL)
            add_dialogue(script, value);
        break;
    }
}

static void read_script(struct script *script, const char *bytes, size_t length)
{
    struct lines lines = lines_of(bytes, length);
    struct slice line;
    script->events = events;
    script->styles = new_styles;
    while (lines_next(&lines, &line)) {
        if (!read_section(line, &script->section)) {
            read_line(script, line);
            continue;
        }
        if (script->section == SECTION_OLD_STYLES)
            script->styles = old_styles;
        else if (script->section == SECTION_STYLES)
            script->styles = new_styles;
        script->has_events |= script->section == SECTION_EVENTS;
    }
}

void ass_header_read(const char *bytes, size_t length, struct ass_header *header)
{
    struct script script = {.header = header};
    read_script(&script, bytes, length);
}

void ass_header_fini(struct ass_header *header)
{
    mem_free(header->styles);
    *header = (struct ass_header){0};
}

/* --- events --- */

/* The text of an event while it is read. */
struct event {
    const struct ass_header *header;
    struct ass_style style;
    struct vtt_text text;
    unsigned keypad;
    unsigned lines;
    bool is_drawing, has_place;
    double x, y;
};

static struct ass_style find_style(const struct ass_header *header, struct slice name)
{
    name = slice_trim(name);
    if (name.length > 0 && name.at[0] == '*')
        name = (struct slice){name.at + 1, name.length - 1};
    for (size_t i = header->style_count; i > 0; i--)
        if (slice_is_nocase(name, header->styles[i - 1].name))
            return header->styles[i - 1];
    return (struct ass_style){.keypad = 2};
}

static void set_style(struct event *event, char tag, bool is_on)
{
    if (is_on)
        vtt_text_open(&event->text, tag);
    else
        vtt_text_close(&event->text, tag);
}

static void reset_style(struct event *event)
{
    vtt_text_close_all(&event->text);
    if (event->style.is_italic)
        vtt_text_open(&event->text, 'i');
}

static bool is_number(struct slice text)
{
    return text.length == 0 || (text.at[0] >= '0' && text.at[0] <= '9');
}

/* "(x,y..." */
static void read_place(struct event *event, struct slice value)
{
    char text[64], *end;
    size_t length = value.length < sizeof text - 1 ? value.length : sizeof text - 1;
    if (length < 4 || value.at[0] != '(')
        return;
    memcpy(text, value.at + 1, length - 1);
    text[length - 1] = '\0';
    double x = strtod(text, &end);
    if (end == text || *end != ',')
        return;
    const char *second = end + 1;
    double y = strtod(second, &end);
    if (end == second || !(x > -MOST_SIDE && x < MOST_SIDE && y > -MOST_SIDE && y < MOST_SIDE))
        return;
    event->x = x;
    event->y = y;
    event->has_place = true;
}

/* Whether `tag` begins with `name`; *value is what follows. */
static bool is_tag(struct slice tag, const char *name, struct slice *value)
{
    size_t length = strlen(name);
    if (!slice_starts(tag, name))
        return false;
    *value = (struct slice){tag.at + length, tag.length - length};
    return true;
}

/* i, b, u with a number behind, or none: back to the style's. */
static void take_style_tag(struct event *event, char tag, struct slice value)
{
    uint32_t number = 0;
    bool is_said = slice_take_number(&value, &number);
    if (tag == 'i' && !is_said)
        number = event->style.is_italic ? 1 : 0;
    /* weights of a font: 400 is plain, 700 is bold */
    set_style(event, tag, tag == 'b' ? number == 1 || number >= 600 : number == 1);
}

/* True when it was one of those that place the text. */
static bool take_placing(struct event *event, struct slice tag)
{
    struct slice value;
    uint32_t number = 0;
    if (is_tag(tag, "pos", &value) || is_tag(tag, "move", &value)) {
        read_place(event, value);
        return true;
    }
    if (is_tag(tag, "an", &value) && slice_take_number(&value, &number)) {
        event->keypad = number >= 1 && number <= 9 ? number : event->keypad;
        return true;
    }
    if (is_tag(tag, "a", &value) && slice_take_number(&value, &number)) {
        event->keypad = keypad_of_ssa(number);
        return true;
    }
    return false;
}

/* One override, without its backslash; most names begin like others, and numbers tell them apart. */
static void take_override(struct event *event, struct slice tag)
{
    struct slice value;
    uint32_t number = 0;
    if (take_placing(event, tag))
        return;
    if (is_tag(tag, "p", &value) && slice_take_number(&value, &number)) {
        event->is_drawing = number > 0;
    } else if (is_tag(tag, "r", &value) && !slice_starts(tag, "rnd")) {
        if (value.length > 0)
            event->style = find_style(event->header, value);
        reset_style(event);
    } else {
        for (const char *style = "ibu"; *style != '\0'; style++) {
            const char name[2] = {*style, '\0'};
            if (is_tag(tag, name, &value) && is_number(value))
                take_style_tag(event, *style, value);
        }
    }
}

/* "{\i1\pos(1,2)comment}": what no backslash begins is a comment. `inside` is without braces. */
static void take_overrides(struct event *event, struct slice inside)
{
    size_t at = 0;
    while (at < inside.length) {
        if (inside.at[at++] != '\\')
            continue;
        size_t begin = at, depth = 0;
        for (; at < inside.length && (depth > 0 || inside.at[at] != '\\'); at++) {
            if (inside.at[at] == '(')
                depth++;
            else if (inside.at[at] == ')' && depth > 0)
                depth--;
        }
        take_override(event, slice_trim((struct slice){inside.at + begin, at - begin}));
    }
}

/* What begins with '\' or '{': how many bytes were taken, 0: that is text. */
static size_t take_special(struct event *event, struct slice at)
{
    if (at.at[0] == '{') {
        const char *end = memchr(at.at, '}', at.length);
        if (end == NULL)
            return 0;
        size_t inside = (size_t) (end - at.at) - 1;
        take_overrides(event, (struct slice){at.at + 1, inside});
        return inside + 2;
    }
    if (at.length < 2)
        return 0;
    switch (at.at[1]) {
    case 'N':
    case 'n':
        vtt_text_line_end(&event->text);
        event->lines++;
        return 2;
    case 'h':
        if (!event->is_drawing)
            vtt_text_put(&event->text, "\xC2\xA0", 2);
        return 2;
    case '{':
    case '}':
        if (!event->is_drawing)
            vtt_text_put(&event->text, at.at + 1, 1);
        return 2;
    default:
        return 0;
    }
}

static void put_text(struct event *event, struct slice text)
{
    size_t begin = 0, i = 0;
    for (; i <= text.length;) {
        bool is_special = i < text.length && (text.at[i] == '{' || text.at[i] == '\\');
        if (!is_special && i < text.length) {
            i++;
            continue;
        }
        if (!event->is_drawing)
            vtt_text_put(&event->text, text.at + begin, i - begin);
        begin = i;
        if (i == text.length)
            return;
        size_t taken = take_special(event, (struct slice){text.at + i, text.length - i});
        i += taken > 0 ? taken : 1;
        begin += taken;
    }
}

static int percent(double value, uint32_t whole, uint32_t usual)
{
    double side = whole > 0 ? whole : usual;
    double part = 100 * value / side;
    return part < 0 ? 0 : part > 100 ? 100 : (int) (part + 0.5);
}

static int within(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

/* WebVTT has a top line and a side; where the text's lower edge or middle is told, the top is
 * guessed from the number of lines. */
static void write_place(const struct event *event, struct str *settings)
{
    static const char *const sides[] = {" align:left", "", " align:right"};
    unsigned row = (event->keypad - 1) / 3, column = (event->keypad - 1) % 3;
    int x = percent(event->x, event->header->width, USUAL_WIDTH);
    int y = percent(event->y, event->header->height, USUAL_HEIGHT);
    int height = (int) (event->lines < 10 ? event->lines : 10) * LINE_PERCENT;
    str_clear(settings);
    int least = column == 0 ? 0 : ROOM_PERCENT, most = column == 2 ? 100 : 100 - ROOM_PERCENT;
    x = within(x, least, most);
    if (row == 0 && y >= LOW_PERCENT) {
        if (column != 1 || x < 45 || x > 55)
            str_printf(settings, "position:%d%%%s", x, sides[column]);
        return;
    }
    int top = within(row == 2 ? y : row == 1 ? y - height / 2 : y - height, 0, 100 - LINE_PERCENT);
    str_printf(settings, "line:%d%% position:%d%%%s", top, x, sides[column]);
}

static void add_event(const struct ass_header *header, struct slice style, struct slice text,
                      const int64_t times_ms[2], struct vtt_list *list)
{
    struct event event = {.header = header, .style = find_style(header, style), .lines = 1};
    struct str settings = {0}, out;
    event.keypad = event.style.keypad;
    reset_style(&event);
    put_text(&event, text);
    if (event.keypad < 1 || event.keypad > 9)
        event.keypad = 2;
    vtt_place_keypad(&settings, event.keypad);
    if (event.has_place)
        write_place(&event, &settings);
    vtt_text_finish(&event.text, &out);
    vtt_list_add(list, times_ms[0], times_ms[1], &settings, &out);
    str_fini(&settings);
}

void ass_add_event(const struct ass_header *header, const char *bytes, size_t length,
                   int64_t start_ms, int64_t end_ms, struct vtt_list *list)
{
    enum { FIELDS = 9, STYLE = 2, TEXT = 8 };
    struct slice fields[MOST_FIELDS];
    const int64_t times_ms[2] = {start_ms, end_ms};
    if (split_fields((struct slice){bytes, length}, FIELDS, fields) == FIELDS)
        add_event(header, fields[STYLE], fields[TEXT], times_ms, list);
}

static void add_dialogue(struct script *script, struct slice value)
{
    struct slice fields[MOST_FIELDS];
    const struct format *format = &script->events;
    unsigned most = format->text < MOST_FIELDS ? format->text + 1 : format->count;
    unsigned count = split_fields(value, most, fields);
    int64_t times_ms[2];
    if (format->start >= count || format->end >= count || format->text >= count)
        return;
    struct slice start = slice_trim(fields[format->start]), end = slice_trim(fields[format->end]);
    struct slice style = format->style < count ? fields[format->style] : SLICE("");
    if (slice_take_time(&start, &times_ms[0]) && slice_take_time(&end, &times_ms[1]))
        add_event(script->header, style, fields[format->text], times_ms, script->list);
}

bool ass_read(const char *bytes, size_t length, struct vtt_list *list)
{
    struct ass_header header = {0};
    struct script script = {.header = &header, .list = list};
    read_script(&script, bytes, length);
    ass_header_fini(&header);
    return script.has_events;
}
