/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one download may take and give, and before whom. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* While one of higher priority moves, the others get LIMITS_YIELD bytes a second: enough to keep their peers. */
#define TORRENT_PRIORITIES(P)                                                                      \
    P(TORRENT_LOW, -1, "low")                                                                      \
    P(TORRENT_NORMAL, 0, "normal")                                                                 \
    P(TORRENT_HIGH, 1, "high")
#define PRIORITY_ENUM(priority, value, name) priority = (value),
enum torrent_priority { TORRENT_PRIORITIES(PRIORITY_ENUM) };
#undef PRIORITY_ENUM
enum { LIMITS_YIELD = 64 * 1024 };

/* NULL: it is none. */
const char *torrent_priority_name(int priority);
/* False: no such name. */
bool torrent_priority_read(const char *name, enum torrent_priority *out);

/* In the words of the API and of state.json. */
#define TORRENT_LIMITS(L)                                                                          \
    L(download_rate) /* bytes a second, beside what holds for all; 0: as much as there is */       \
    L(upload_rate)                                                                                 \
    L(ratio_percent) /* gives back so much of what it took, then stops */                          \
    L(seed_s)        /* and no longer than this */
#define LIMIT_FIELD(name) int64_t name;
struct torrent_limits {
    TORRENT_LIMITS(LIMIT_FIELD)
};
#undef LIMIT_FIELD
enum {
    LIMIT_USUAL = -1, /* as the settings say for all */
    LIMIT_SAME = -2,  /* of a change: as it was */
};
/* A terabyte a second, or a ratio or time that nobody lives to see. */
#define LIMIT_MOST        INT64_C(1000000000000)
#define LIMITS_ALL(value) ((struct torrent_limits){(value), (value), (value), (value)})
/* What the change says; the rest is as it was. False: all is. */
bool torrent_limits_change(struct torrent_limits *limits, const struct torrent_limits *change);
