/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "api/caps.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "hls/playlist.h"

enum { CODECS_MAX = 64, CODEC_LENGTH_MAX = 64, SIDE_MAX = 32768, CHANNELS_MAX = 64, STEREO = 2 };

/* The first prefix that fits decides: mp4a.40.34 is MP3 in mp4, all other mp4a.40 are AAC; what of AV1
 * and VP9 has 10 bits stands further behind. */
static const struct {
    const char *prefix, *word;
} CODECS[] = {
    {"avc1", "h264"},   {"avc3", "h264"},   {"hvc1.2", "hevc10"},  {"hev1.2", "hevc10"},
    {"hvc1.1", "hevc"}, {"hev1.1", "hevc"}, {"av01", "av1"},       {"vp09.02", "vp9-10"},
    {"vp09", "vp9"},    {"vp9", "vp9"},     {"mp4a.40.34", "mp3"}, {"mp4a.69", "mp3"},
    {"mp4a.6b", "mp3"}, {"mp3", "mp3"},     {"mp4a.a5", "ac3"},    {"mp4a.a6", "eac3"},
    {"mp4a", "aac"},    {"ac-3", "ac3"},    {"ec-3", "eac3"},      {"flac", "flac"},
    {"opus", "opus"},
};

/* av01.P.LLT.DD: DD is the depth. */
static bool is_deep_av1(const char *codec)
{
    const char *at = codec;
    for (int dots = 0; dots < 3 && at != NULL; dots++) {
        at = strchr(at, '.');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL && strncmp(at, "10", 2) == 0;
}

static const char *word_of(const char *codec)
{
    for (size_t i = 0; i < sizeof CODECS / sizeof CODECS[0]; i++)
        if (strncasecmp(codec, CODECS[i].prefix, strlen(CODECS[i].prefix)) == 0)
            return strcmp(CODECS[i].word, "av1") == 0 && is_deep_av1(codec) ? "av1-10"
                                                                            : CODECS[i].word;
    return NULL;
}

/* What was heard so far: words in the order in which they were said, each with its highest level; 0
 * where one was said without, which stands for all. */
struct said {
    const char *words[CODECS_MAX];
    uint32_t levels[CODECS_MAX];
    size_t count;
};

static void hear(struct said *said, const char *word, uint32_t level)
{
    for (size_t i = 0; i < said->count; i++) {
        if (strcmp(said->words[i], word) != 0)
            continue;
        bool is_any = said->levels[i] == 0 || level == 0;
        if (is_any || level > said->levels[i])
            said->levels[i] = is_any ? 0 : level;
        return;
    }
    said->words[said->count] = word;
    said->levels[said->count++] = level;
}

static enum err read_codecs(const json_t *codecs, struct said *said, struct why *why)
{
    if (codecs != NULL && (!json_is_array(codecs) || json_array_size(codecs) > CODECS_MAX))
        return why_set(why, ERR_BAD_INPUT, "capabilities",
                       "capabilities.codecs is a list of at most %d", (int) CODECS_MAX);
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        const json_t *codec = json_array_get(codecs, i);
        if (!json_is_string(codec) || json_string_length(codec) > CODEC_LENGTH_MAX)
            return why_set(why, ERR_BAD_INPUT, "capabilities",
                           "a codec is text of at most %d bytes", (int) CODEC_LENGTH_MAX);
        const char *word = word_of(json_string_value(codec));
        if (word != NULL)
            hear(said, word, playlist_level(json_string_value(codec)));
    }
    return OK;
}

/* A whole number from 1 to `most`; 0: not there. */
static enum err read_count(const json_t *object, const char *name, json_int_t most, uint32_t *out,
                           struct why *why)
{
    const json_t *value = json_object_get(object, name);
    json_int_t count = json_integer_value(value);
    *out = 0;
    if (value == NULL)
        return OK;
    if (!json_is_integer(value) || count < 1 || count > most)
        return why_set(why, ERR_BAD_INPUT, "capabilities",
                       "capabilities: %s is a whole number from 1 to %d", name, (int) most);
    *out = (uint32_t) count;
    return OK;
}

static enum err read_screen(const json_t *screen, uint32_t *width, uint32_t *height,
                            struct why *why)
{
    *width = *height = 0;
    if (screen == NULL)
        return OK;
    if (!json_is_object(screen))
        return why_set(why, ERR_BAD_INPUT, "capabilities", "capabilities.screen is an object");
    enum err err = read_count(screen, "width", SIDE_MAX, width, why);
    if (err == OK)
        err = read_count(screen, "height", SIDE_MAX, height, why);
    if (err == OK && (*width == 0) != (*height == 0))
        return why_set(why, ERR_BAD_INPUT, "capabilities",
                       "capabilities.screen has a width and a height");
    return err;
}

static void put(char out[CAPS_SIZE], const char *word, const char *more, uint32_t number)
{
    size_t length = strlen(out);
    const char *comma = length > 0 ? "," : "";
    int put = number > 0 ? snprintf(out + length, CAPS_SIZE - length, "%s%s%s%" PRIu32, comma, word,
                                    more, number)
                         : snprintf(out + length, CAPS_SIZE - length, "%s%s", comma, word);
    MUST(put > 0 && (size_t) put < CAPS_SIZE - length); /* all words together fit */
}

static enum err read_all(const json_t *capabilities, char out[CAPS_SIZE], struct why *why)
{
    struct said said = {.count = 0};
    uint32_t channels = 0, width = 0, height = 0;
    const json_t *hdr = json_object_get(capabilities, "hdr");
    if (capabilities != NULL && !json_is_object(capabilities))
        return why_set(why, ERR_BAD_INPUT, "capabilities", "capabilities is an object");
    if (hdr != NULL && !json_is_boolean(hdr))
        return why_set(why, ERR_BAD_INPUT, "capabilities", "capabilities.hdr is true or false");
    enum err err = read_codecs(json_object_get(capabilities, "codecs"), &said, why);
    if (err == OK)
        err = read_count(capabilities, "channels", CHANNELS_MAX, &channels, why);
    if (err == OK)
        err = read_screen(json_object_get(capabilities, "screen"), &width, &height, why);
    if (err != OK)
        return err;
    for (size_t i = 0; i < said.count; i++)
        put(out, said.words[i], ".", said.levels[i]);
    if (channels > STEREO)
        put(out, "surround", "", 0);
    if (json_is_true(hdr))
        put(out, "hdr", "", 0);
    if (width > 0) {
        char screen[24];
        snprintf(screen, sizeof screen, "screen.%" PRIu32 "x", width);
        put(out, screen, "", height);
    }
    return OK;
}

enum err caps_read(const json_t *capabilities, char out[CAPS_SIZE], struct why *why)
{
    memset(out, 0, CAPS_SIZE);
    return read_all(capabilities, out, why);
}
