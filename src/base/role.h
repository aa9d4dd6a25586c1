/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people and their keys may do, by name. Threads: any. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Each may what those before it may. */
enum role {
    ROLE_CHILD,  /* watches what is for its age, and has things of its own */
    ROLE_MEMBER, /* watches all there is, adds links, sees downloads */
    ROLE_ADMIN,  /* rules the house */
};
/* "child", "member", "admin" */
const char *role_name(enum role role);
/* BAD_INPUT */
MUST_CHECK enum err role_parse(struct slice name, enum role *out);

/* How much of the house is somebody's. */
struct bounds {
    int age;      /* a child's: titles for those of this age, in years */
    bool unrated; /* a child's: and those of which nobody said for what age they are */
    int streams;  /* films that are watched at once; 0: any number */
};
/* What of them is to be another. */
struct bounds_wish {
    bool has_age, has_unrated, has_streams;
    struct bounds bounds;
};
void bounds_take(struct bounds *bounds, const struct bounds_wish *wish);
enum { BOUNDS_AGE_MOST = 21, BOUNDS_STREAMS_MOST = 100 };

/* Of what ages are the titles that somebody may know of. All zero: of all. */
struct ages {
    bool is_limited;
    int most;
    bool unrated;
};
struct ages ages_of(enum role role, const struct bounds *bounds);
enum { AGE_UNRATED = -1 };
bool ages_allow(const struct ages *ages, int age);

/* What a key of the API opens, of what its owner may do. Who is signed in by password has all. */
enum scope {
    SCOPE_READ = 1,     /* look at things */
    SCOPE_PLAY = 2,     /* films, and what is said of the watching of them */
    SCOPE_REQUEST = 4,  /* wishes */
    SCOPE_DOWNLOAD = 8, /* downloads and links */
    SCOPE_ADMIN = 16,   /* what needs the role of an administrator */
    SCOPE_METRICS = 32, /* /metrics */
    SCOPE_ALL = 63,
};
/* Of one scope: "read", "play"...; NULL: there is no such one. */
const char *scope_name(unsigned scope);
/* BAD_INPUT */
MUST_CHECK enum err scope_parse(struct slice name, unsigned *out);
