/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "torrent/limits.h"

#include <stddef.h>
#include <string.h>

#define NAME(priority, value, name) {(priority), (name)},
static const struct {
    enum torrent_priority priority;
    const char *name;
} priorities[] = {TORRENT_PRIORITIES(NAME)};
#undef NAME
enum { PRIORITY_COUNT = sizeof priorities / sizeof *priorities };

const char *torrent_priority_name(int priority)
{
    for (size_t i = 0; i < PRIORITY_COUNT; i++)
        if ((int) priorities[i].priority == priority)
            return priorities[i].name;
    return NULL;
}

bool torrent_priority_read(const char *name, enum torrent_priority *out)
{
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        if (strcmp(priorities[i].name, name) != 0)
            continue;
        *out = priorities[i].priority;
        return true;
    }
    return false;
}

bool torrent_limits_change(struct torrent_limits *limits, const struct torrent_limits *change)
{
    const struct torrent_limits before = *limits;
#define CHANGE(name)                                                                               \
    if (change->name != LIMIT_SAME)                                                                \
        limits->name = change->name;
    TORRENT_LIMITS(CHANGE)
#undef CHANGE
    return memcmp(&before, limits, sizeof before) != 0;
}
