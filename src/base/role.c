/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/role.h"

#include <stddef.h>

static const char *const ROLES[] = {
    [ROLE_CHILD] = "child", [ROLE_MEMBER] = "member", [ROLE_ADMIN] = "admin"};

static const struct {
    const char *name;
    enum scope scope;
} SCOPES[] = {
    {"read", SCOPE_READ},         {"play", SCOPE_PLAY},   {"request", SCOPE_REQUEST},
    {"download", SCOPE_DOWNLOAD}, {"admin", SCOPE_ADMIN}, {"metrics", SCOPE_METRICS},
};

const char *role_name(enum role role)
{
    return ROLES[role];
}

enum err role_parse(struct slice name, enum role *out)
{
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++) {
        if (slice_is(name, ROLES[i])) {
            *out = (enum role) i;
            return OK;
        }
    }
    return ERR_BAD_INPUT;
}

void bounds_take(struct bounds *bounds, const struct bounds_wish *wish)
{
    if (wish->has_age)
        bounds->age = wish->bounds.age;
    if (wish->has_unrated)
        bounds->unrated = wish->bounds.unrated;
    if (wish->has_streams)
        bounds->streams = wish->bounds.streams;
}

struct ages ages_of(enum role role, const struct bounds *bounds)
{
    return (struct ages){
        .is_limited = role == ROLE_CHILD, .most = bounds->age, .unrated = bounds->unrated};
}

bool ages_allow(const struct ages *ages, int age)
{
    if (!ages->is_limited)
        return true;
    return age == AGE_UNRATED ? ages->unrated : age <= ages->most;
}

const char *scope_name(unsigned scope)
{
    for (size_t i = 0; i < sizeof SCOPES / sizeof SCOPES[0]; i++)
        if (SCOPES[i].scope == scope)
            return SCOPES[i].name;
    return NULL;
}

enum err scope_parse(struct slice name, unsigned *out)
{
    for (size_t i = 0; i < sizeof SCOPES / sizeof SCOPES[0]; i++) {
        if (slice_is(name, SCOPES[i].name)) {
            *out = SCOPES[i].scope;
            return OK;
        }
    }
    return ERR_BAD_INPUT;
}
