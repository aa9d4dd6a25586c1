/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "api/caps.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CODECS_MAX = 64 };

/* The first prefix that fits decides: mp4a.40.34 is MP3 in mp4, all other mp4a.40 are AAC. */
static const struct {
    const char *prefix, *word;
} CODECS[] = {
    {"avc1", "h264"},   {"avc3", "h264"},      {"hvc1.2", "hevc10"}, {"hev1.2", "hevc10"},
    {"hvc1.1", "hevc"}, {"hev1.1", "hevc"},    {"av01", "av1"},      {"vp09", "vp9"},
    {"vp9", "vp9"},     {"mp4a.40.34", "mp3"}, {"mp4a.69", "mp3"},   {"mp4a.6b", "mp3"},
    {"mp3", "mp3"},     {"mp4a.a5", "ac3"},    {"mp4a.a6", "eac3"},  {"mp4a", "aac"},
    {"ac-3", "ac3"},    {"ec-3", "eac3"},      {"flac", "flac"},     {"opus", "opus"},
};

static const char *word_of(const char *codec)
{
    for (size_t i = 0; i < sizeof CODECS / sizeof CODECS[0]; i++)
        if (strncasecmp(codec, CODECS[i].prefix, strlen(CODECS[i].prefix)) == 0)
            return CODECS[i].word;
    return NULL;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

static void add_word(char out[CAPS_SIZE], const char *word)
{
    size_t length = strlen(out);
    if (!has_word(out, word))
        snprintf(out + length, CAPS_SIZE - length, "%s%s", length > 0 ? "," : "", word);
}

enum err caps_read(const json_t *capabilities, char out[CAPS_SIZE], struct why *why)
{
    const json_t *codecs = json_object_get(capabilities, "codecs");
    memset(out, 0, CAPS_SIZE);
    if (capabilities != NULL && !json_is_object(capabilities))
        return why_set(why, ERR_BAD_INPUT, "capabilities", "capabilities is an object");
    if (codecs != NULL && (!json_is_array(codecs) || json_array_size(codecs) > CODECS_MAX))
        return why_set(why, ERR_BAD_INPUT, "capabilities",
                       "capabilities.codecs is a list of at most %d", (int) CODECS_MAX);
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        const char *codec = json_string_value(json_array_get(codecs, i));
        if (codec == NULL)
            return why_set(why, ERR_BAD_INPUT, "capabilities", "a codec is text");
        if (word_of(codec) != NULL)
            add_word(out, word_of(codec));
    }
    return OK;
}
