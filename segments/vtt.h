/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cues as WebVTT has them: what all readers of subtitles make, and a file of them (W3C WebVTT 4).
 * Cue text is made through struct vtt_text, which escapes, closes what was opened, and lets no blank
 * line and no arrow through. Times are milliseconds. Threads: each object belongs to one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* More than any film has, karaoke among them; what is beyond is not read. */
#define VTT_MAX_CUES 500000
/* Of the text of one cue; longer ones are cut. */
#define VTT_MAX_TEXT (64 * 1024)

struct vtt_cue {
    int64_t start_ms, end_ms; /* end before start: not known */
    char *settings;           /* "line:0 align:left"; "" = none */
    char *text;               /* as it stands in a file, lines by LF, none of them blank */
};

/* Starts with {0}. */
struct vtt_list {
    struct vtt_cue *items;
    size_t count, room;
    size_t bytes; /* of texts and settings */
};

void vtt_list_fini(struct vtt_list *list);
/* Takes the contents of both, which are empty afterwards. A cue without text, or one too many, is
 * dropped. */
void vtt_list_add(struct vtt_list *list, int64_t start_ms, int64_t end_ms, struct str *settings,
                  struct str *text);
/* By start, those of one time as they came. One whose end is not known ends with the next that
 * begins later, at most five seconds after its start. Of equal ones the first is kept. */
void vtt_list_finish(struct vtt_list *list);

/* The header; `is_mapped`: with X-TIMESTAMP-MAP of decision 8 (RFC 8216 3.5). Then the cues that
 * overlap [from_ms, to_ms), whole, as they are. The list is finished. */
void vtt_write_head(struct str *out, bool is_mapped);
void vtt_write_cues(const struct vtt_list *list, int64_t from_ms, int64_t to_ms, struct str *out);

#define VTT_MOST_OPEN 8

/* The text of a cue while it is put together. Starts with {0}. */
struct vtt_text {
    struct str out;
    char open[VTT_MOST_OPEN]; /* 'i' 'b' 'u', in the order they were opened */
    unsigned open_count;
    bool has_line_end; /* due before what comes next */
    bool is_visible;
};

/* Plain text: escaped, and its line ends kept but for blank lines. `bytes` are UTF-8 in whole
 * characters; what is none becomes U+FFFD, NUL is dropped. */
void vtt_text_put(struct vtt_text *text, const char *bytes, size_t length);
void vtt_text_line_end(struct vtt_text *text);
/* A reference that WebVTT knows ("&amp;", "&#39;") at the begin of `bytes` is taken as it stands:
 * its length, or 0. */
size_t vtt_text_reference(struct vtt_text *text, const char *bytes, size_t length);
/* `tag`: 'i', 'b' or 'u'. Opening what is open and closing what is not does nothing; what was
 * opened later is closed and opened again. */
void vtt_text_open(struct vtt_text *text, char tag);
void vtt_text_close(struct vtt_text *text, char tag);
void vtt_text_close_all(struct vtt_text *text);
/* A tag of WebVTT's own, "<v Fred>", as it stands: the caller has checked it. */
void vtt_text_raw(struct vtt_text *text, const char *bytes, size_t length);
/* Closes all and hands the text over; `out` is empty when there is nothing to see. */
void vtt_text_finish(struct vtt_text *text, struct str *out);

/* Where on the picture, by the numeric keypad (ASS \an); 2, bottom centre, is WebVTT's own default
 * and says nothing. Clears `settings` first. */
void vtt_place_keypad(struct str *settings, unsigned keypad);
