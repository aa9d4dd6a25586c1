/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client says that it can play. Input: the JSON of `capabilities`, or the words of `caps=`. */
#include <stdint.h>
#include <string.h>

#include "api/caps.h"
#include "base/mem.h"
#include "hls/playlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_words(struct slice words)
{
    struct playlist_client client = {.is_native = words.length % 2 == 1};
    playlist_caps(words, &client);
    MUST((client.caps & (CAP_H264 | CAP_AAC)) == (CAP_H264 | CAP_AAC));
    MUST(client.caps >> CAP_BIT_COUNT == 0);
    MUST((client.screen_width == 0) == (client.screen_height == 0) || client.screen_width == 0 ||
         client.screen_height == 0);
    for (size_t i = 0; i < CAP_BIT_COUNT; i++)
        MUST(client.levels[i] == 0 || (client.caps >> i & 1) == 1);
}

/* What is read of it can be asked for: only letters that a query takes as they are. */
static void try_json(const char *text, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.,-";
    char out[CAPS_SIZE];
    struct why why = {0};
    json_t *capabilities = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (capabilities == NULL)
        return;
    enum err err = caps_read(capabilities, out, &why);
    MUST(err == OK || (err == ERR_BAD_INPUT && why.text[0] != '\0'));
    MUST(err != OK || strspn(out, allowed) == strlen(out));
    if (err == OK)
        try_words((struct slice){out, strlen(out)});
    json_decref(capabilities);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_zalloc(size + 1);
    if (size > 0)
        memcpy(text, data, size);
    try_words((struct slice){text, size});
    (void) playlist_level(text);
    try_json(text, size);
    mem_free(text);
    return 0;
}
