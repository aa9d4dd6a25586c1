/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people and their keys may do, by name. Threads: any. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum role {
    ROLE_MEMBER, /* watches, and has things of its own */
    ROLE_ADMIN,  /* and rules the house */
};
/* "member", "admin" */
const char *role_name(enum role role);
/* BAD_INPUT */
MUST_CHECK enum err role_parse(struct slice name, enum role *out);

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
