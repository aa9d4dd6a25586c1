/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole subtitles as files: a track of a film, or a file that lies beside one. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"

/* WebVTT as the one segment of a playlist (with X-TIMESTAMP-MAP), as a file, and ASS as it is; and a
 * font that comes with the film for that. */
enum convert_form { CONVERT_HLS, CONVERT_VTT, CONVERT_ASS, CONVERT_FONT, CONVERT_FORM_COUNT };

#define CONVERT_SCALE_ONE  1000000u
#define CONVERT_SCALE_MOST (10 * CONVERT_SCALE_ONE)
/* A day. */
#define CONVERT_SHIFT_MOST_MS INT64_C(86400000)
/* What a file may weigh. */
#define CONVERT_FILE_BYTES (16u << 20)
#define CONVERT_FONT_BYTES (40u << 20)

struct convert_what {
    uint32_t
        track; /* its number among the film's subtitles or fonts; 0: the input is a subtitle itself */
    enum convert_form form;
    uint32_t scale;   /* of times, millionths */
    int64_t shift_ms; /* after that; neither for ASS */
};

struct container;
struct plan;
struct reader;
/* Appends the file. `plan` gives the film's T0; may be NULL. NOT_FOUND: there is no such track or font, or
 * it is no ASS; BAD_MEDIA: not to be read as text; LIMIT; IO; CANCELLED; GONE. */
MUST_CHECK enum err convert_subtitle(struct reader *reader, const struct plan *plan,
                                     const struct convert_what *what, struct str *out,
                                     struct why *why);
/* A file's text, whatever its charset, as cues or as the script that it is. */
MUST_CHECK enum err convert_text(const uint8_t *bytes, size_t size, const struct convert_what *what,
                                 struct str *out, struct why *why);
