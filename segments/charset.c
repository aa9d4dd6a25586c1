/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/charset.h"

#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <uchardet/uchardet.h>

/* Enough for a guess; more is slow. */
#define GUESS_BYTES (256 * 1024)

/* All that libuchardet may answer and libc can convert. The first is for what it has no word for. */
static const char *const names[] = {
    "WINDOWS-1252", "UTF-16LE",     "UTF-16BE",     "UTF-32LE",     "UTF-32BE",
    "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255",
    "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "ISO-8859-1",   "ISO-8859-2",
    "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",   "ISO-8859-7",
    "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-11",  "ISO-8859-13",
    "ISO-8859-15",  "ISO-8859-16",  "KOI8-R",       "IBM852",       "IBM855",
    "IBM866",       "MAC-CYRILLIC", "TIS-620",      "VISCII",       "GB18030",
    "BIG5",         "EUC-TW",       "EUC-KR",       "UHC",          "EUC-JP",
    "SHIFT_JIS",    "ISO-2022-JP",  "ISO-2022-KR",  "ISO-2022-CN",  "MAC-CENTRALEUROPE",
};
enum { NAME_COUNT = sizeof names / sizeof *names, WESTERN = 0, LITTLE_16 = 1, BIG_16 = 2 };

/* Made before there are threads; a converter has a state, so one uses them at a time. */
static struct {
    pthread_mutex_t lock;
    bool is_loaded;
    iconv_t converters[NAME_COUNT];
} charsets = {.lock = PTHREAD_MUTEX_INITIALIZER};

static iconv_t none(void)
{
    return (iconv_t) -1; /* NOLINT(performance-no-int-to-ptr): so libc says it */
}

void charset_preload(void)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        charsets.converters[i] = iconv_open("UTF-8", names[i]);
    charsets.is_loaded = true;
}

static size_t find_name(const char *name)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (strcasecmp(names[i], name) == 0)
            return i;
    return WESTERN;
}

static size_t guess(const uint8_t *bytes, size_t size)
{
    uchardet_t detector = uchardet_new();
    size_t found = WESTERN, most = size < GUESS_BYTES ? size : GUESS_BYTES;
    if (uchardet_handle_data(detector, (const char *) bytes, most) == 0) {
        uchardet_data_end(detector);
        found = find_name(uchardet_get_charset(detector));
    }
    uchardet_delete(detector);
    return found;
}

/* Every other byte of Latin text in UTF-16 is 0; of no other charset any. */
static bool looks_like_16(const uint8_t *bytes, size_t size, size_t zero_at)
{
    size_t zeros = 0, pairs = (size < 4096 ? size : 4096) / 2;
    for (size_t i = 0; i < pairs; i++)
        zeros += bytes[2 * i + zero_at] == 0;
    return pairs > 1 && zeros * 2 > pairs;
}

static size_t find_charset(const uint8_t *bytes, size_t size)
{
    if (size >= 2 && bytes[0] == 0xFF && bytes[1] == 0xFE)
        return LITTLE_16;
    if (size >= 2 && bytes[0] == 0xFE && bytes[1] == 0xFF)
        return BIG_16;
    if (looks_like_16(bytes, size, 1))
        return LITTLE_16;
    if (looks_like_16(bytes, size, 0))
        return BIG_16;
    return guess(bytes, size);
}

/* The bytes of the least that a charset has, so that what is wrong leaves what follows in step. */
static size_t unit_of(size_t charset)
{
    static const size_t units[] = {1, 2, 2, 4, 4};
    return charset < sizeof units / sizeof *units ? units[charset] : 1;
}

/* What the converter stops at is replaced and stepped over. */
static void convert(iconv_t converter, const uint8_t *bytes, size_t size, size_t unit,
                    struct str *out)
{
    char step[4096];
    char *from = (char *) bytes; /* iconv reads it only */
    size_t left = size;
    iconv(converter, NULL, NULL, NULL, NULL);
    while (left > 0) {
        char *to = step;
        size_t room = sizeof step;
        size_t result = iconv(converter, &from, &left, &to, &room);
        str_append(out, step, sizeof step - room);
        if (result != (size_t) -1 || errno == E2BIG)
            continue;
        str_append(out, "\xEF\xBF\xBD", 3);
        size_t step_over = left < unit ? left : unit;
        from += step_over;
        left -= step_over;
    }
}

/* Without converters: Latin-1, which Windows-1252 is but for 27 signs. */
static void convert_latin(const uint8_t *bytes, size_t size, struct str *out)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < 0x80)
            str_putc(out, (char) bytes[i]);
        else
            str_printf(out, "%c%c", 0xC0 | bytes[i] >> 6, 0x80 | (bytes[i] & 0x3F));
    }
}

const char *charset_to_utf8(const uint8_t *bytes, size_t size, struct str *out)
{
    if (size == 0 || (str_is_utf8((const char *) bytes, size) && memchr(bytes, 0, size) == NULL)) {
        str_append(out, bytes, size);
        return "UTF-8";
    }
    size_t found = find_charset(bytes, size);
    pthread_mutex_lock(&charsets.lock);
    iconv_t converter = charsets.is_loaded ? charsets.converters[found] : none();
    if (converter != none())
        convert(converter, bytes, size, unit_of(found), out);
    else
        convert_latin(bytes, size, out);
    pthread_mutex_unlock(&charsets.lock);
    return names[found];
}
