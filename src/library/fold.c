/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/fold.h"

#include <stdbool.h>
#include <string.h>

/* Two letters for each code point, the second often a space: the letter without its accents, or how
 * it is written without it. Two spaces: it has none, and is kept. */
#define LATIN_FIRST 0xc0u /* Latin-1 Supplement, Latin Extended-A and -B */
static const char LATIN[] = "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thss"
                            "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thy "
                            "a a a a a a c c c c c c c c d d d d e e e e e e e e e e g g g g "
                            "g g g g h h h h i i i i i i i i i i ijijj j k k k l l l l l l l "
                            "l l l n n n n n n n n n o o o o o o oeoer r r r r r s s s s s s "
                            "s s t t t t t t u u u u u u u u u u u u w w y y y z z z z z z s "
                            "b b                 d             f f                           "
                            "o o                           u u                               "
                            "        dzdzdzljljljnjnjnja a i i o o u u u u u u u u u u   a a "
                            "a a aeae    g g k k o o o o     j dzdzdzg g     n n a a aeaeo o "
                            "a a a a e e e e i i i i o o o o r r r r u u u u s s t t     h h "
                            "            a a e e o o o o o o o o y y                         "
                            "      b                         ";
#define VIETNAM_FIRST 0x1e00u /* Latin Extended Additional */
static const char VIETNAM[] = "a a b b b b b b c c d d d d d d d d d d e e e e e e e e e e f f "
                              "g g h h h h h h h h h h i i i i k k k k k k l l l l l l l l m m "
                              "m m m m n n n n n n n n o o o o o o o o p p p p r r r r r r r r "
                              "s s s s s s s s s s t t t t t t t t u u u u u u u u u u v v v v "
                              "w w w w w w w w w w x x x x y y z z z z z z h t w y a s s s ss  "
                              "a a a a a a a a a a a a a a a a a a a a a a a a e e e e e e e e "
                              "e e e e e e e e i i i i o o o o o o o o o o o o o o o o o o o o "
                              "o o o o u u u u u u u u u u u u u u y y y y y y y y llllv v y y ";

/* The code point at `at`, and how many bytes it has; 0: not UTF-8. */
static size_t decode(const unsigned char *at, size_t left, uint32_t *out)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (size > left || !str_is_utf8((const char *) at, size))
        return 0;
    static const unsigned char MASKS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    *out = at[0] & MASKS[size];
    for (size_t i = 1; i < size; i++)
        *out = *out << 6 | (at[i] & 0x3fu);
    return size;
}

static void put_code_point(struct str *out, uint32_t code)
{
    char bytes[3];
    if (code < 0x800) {
        bytes[0] = (char) (0xc0u | code >> 6);
        bytes[1] = (char) (0x80u | (code & 0x3fu));
        str_append(out, bytes, 2);
        return;
    }
    bytes[0] = (char) (0xe0u | code >> 12);
    bytes[1] = (char) (0x80u | (code >> 6 & 0x3fu));
    bytes[2] = (char) (0x80u | (code & 0x3fu));
    str_append(out, bytes, 3);
}

static bool put_latin(struct str *out, uint32_t code)
{
    const char *pair = NULL;
    if (code >= LATIN_FIRST && code - LATIN_FIRST < (sizeof LATIN - 1) / 2)
        pair = &LATIN[2 * (code - LATIN_FIRST)];
    if (code >= VIETNAM_FIRST && code - VIETNAM_FIRST < (sizeof VIETNAM - 1) / 2)
        pair = &VIETNAM[2 * (code - VIETNAM_FIRST)];
    if (pair == NULL || pair[0] == ' ')
        return false;
    str_append(out, pair, pair[1] == ' ' ? 1 : 2);
    return true;
}

/* Capitals of Greek and Cyrillic; 0: not one of them. */
static uint32_t small_of(uint32_t code)
{
    if (code >= 0x391 && code <= 0x3a9)
        return code + 0x20;
    if (code >= 0x410 && code <= 0x42f)
        return code + 0x20;
    if (code >= 0x400 && code <= 0x40f)
        return code == 0x401 ? 0x435 : code + 0x50; /* people write IE for IO */
    return code == 0x451 ? 0x435 : 0;
}

static bool is_apostrophe(uint32_t code)
{
    return code == '\'' || code == '`' || code == 0xb4 || code == 0x2018 || code == 0x2019;
}

static bool is_space(uint32_t code)
{
    if (code < 0x80)
        return !((code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
                 (code >= 'A' && code <= 'Z'));
    return code < LATIN_FIRST || code == 0xd7 || code == 0xf7 ||
           (code >= 0x2000 && code <= 0x206f) || (code >= 0x3000 && code <= 0x3004);
}

static void fold_one(struct str *out, uint32_t code, const unsigned char *at, size_t size)
{
    if (is_apostrophe(code) || (code >= 0x300 && code <= 0x36f)) /* combining accents */
        return;
    if (is_space(code)) {
        if (out->length > 0 && out->at[out->length - 1] != ' ')
            str_putc(out, ' ');
        return;
    }
    if (code < 0x80) {
        str_putc(out, (char) (code >= 'A' && code <= 'Z' ? code + 0x20 : code));
        return;
    }
    if (put_latin(out, code))
        return;
    if (small_of(code) != 0)
        put_code_point(out, small_of(code));
    else
        str_append(out, at, size);
}

void fold(struct str *out, struct slice text)
{
    const unsigned char *at = (const unsigned char *) text.at;
    for (size_t i = 0; i < text.length;) {
        uint32_t code = 0;
        size_t size = decode(at + i, text.length - i, &code);
        if (size > 0)
            fold_one(out, code, at + i, size);
        i += size > 0 ? size : 1;
    }
    if (out->length > 0 && out->at[out->length - 1] == ' ')
        out->at[--out->length] = '\0';
}

const char *fold_sort(const char *folded)
{
    static const char *const ARTICLES[] = {"the ", "a ", "an "};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(ARTICLES[i]);
        if (strncmp(folded, ARTICLES[i], length) == 0)
            return folded + length;
    }
    return folded;
}

void fold_letter(const char *sort, char out[FOLD_LETTER_SIZE])
{
    const unsigned char *at = (const unsigned char *) sort;
    uint32_t code = 0;
    size_t size = at[0] != '\0' ? decode(at, strlen(sort), &code) : 0;
    memset(out, 0, FOLD_LETTER_SIZE);
    if (size > 1)
        memcpy(out, at, size);
    else
        out[0] = at[0] >= 'a' && at[0] <= 'z' ? (char) (at[0] - 0x20) : '#';
}
