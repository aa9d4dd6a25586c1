/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
    time_t seconds = (time_t) (wall_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + length, CLOCK_ISO_SIZE - length, ".%03dZ", (int) (wall_ms % 1000));
}

/* `count` digits; false: they are not. */
static bool take_digits(const char **at, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, *at += 1) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool take_char(const char **at, char wanted)
{
    bool is_there = **at == wanted;
    *at += is_there ? 1 : 0;
    return is_there;
}

/* ".5", ".123456": in milliseconds, the rest cut. */
static bool take_fraction(const char **at, int *milliseconds)
{
    int scale = 100, digits = 0;
    *milliseconds = 0;
    if (!take_char(at, '.'))
        return true;
    for (; **at >= '0' && **at <= '9'; *at += 1, digits++, scale /= 10)
        *milliseconds += (**at - '0') * scale;
    return digits > 0 && digits <= 9;
}

static bool is_date(const struct tm *given)
{
    struct tm parts = *given;
    timegm(&parts); /* sets right what is not: the 31st of June is the 1st of July */
    return parts.tm_mon == given->tm_mon && parts.tm_mday == given->tm_mday &&
           parts.tm_hour == given->tm_hour && parts.tm_min == given->tm_min &&
           parts.tm_sec == given->tm_sec;
}

enum err clock_parse_iso(const char *text, int64_t *wall_ms)
{
    struct tm parts = {0};
    int year = 0, month = 0, milliseconds = 0;
    bool is_good = take_digits(&text, 4, &year) && take_char(&text, '-') &&
                   take_digits(&text, 2, &month) && take_char(&text, '-') &&
                   take_digits(&text, 2, &parts.tm_mday) && take_char(&text, 'T') &&
                   take_digits(&text, 2, &parts.tm_hour) && take_char(&text, ':') &&
                   take_digits(&text, 2, &parts.tm_min) && take_char(&text, ':') &&
                   take_digits(&text, 2, &parts.tm_sec) && take_fraction(&text, &milliseconds) &&
                   take_char(&text, 'Z') && *text == '\0';
    parts.tm_year = year - 1900;
    parts.tm_mon = month - 1;
    if (!is_good || year < 1970 || !is_date(&parts))
        return ERR_BAD_INPUT;
    *wall_ms = (int64_t) timegm(&parts) * 1000 + milliseconds;
    return OK;
}

void clock_boot(char out[CLOCK_BOOT_SIZE])
{
    memset(out, 0, CLOCK_BOOT_SIZE);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL)
        return;
    if (fgets(out, CLOCK_BOOT_SIZE, file) != NULL)
        out[strcspn(out, "\n")] = '\0';
    fclose(file);
}
