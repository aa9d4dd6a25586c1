/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a JSON body says. */
#include <inttypes.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

enum err body_text(const json_t *body, const char *name, bool is_needed, char **out,
                   struct why *why)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL && !is_needed)
        return OK;
    if (!json_is_string(value))
        return why_set(why, ERR_BAD_INPUT, name, "%s is missing, or is not text", name);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return why_set(why, ERR_BAD_INPUT, name, "%s holds a NUL character", name);
    *out = mem_strdup(json_string_value(value));
    return OK;
}

void body_forget(char **secret)
{
    if (*secret != NULL)
        explicit_bzero(*secret, strlen(*secret));
    mem_free(*secret);
    *secret = NULL;
}

enum err body_bool(const json_t *body, const char *name, bool *has, bool *out, struct why *why)
{
    const json_t *value = json_object_get(body, name);
    *has = value != NULL;
    if (value != NULL && !json_is_boolean(value))
        return why_set(why, ERR_BAD_INPUT, name, "%s is true or false", name);
    *out = json_is_true(value);
    return OK;
}

enum err body_role(const json_t *body, bool *has, enum role *out, struct why *why)
{
    const json_t *value = json_object_get(body, "role");
    *has = value != NULL;
    if (value == NULL)
        return OK;
    if (role_parse(slice_of(json_string_value(value)), out) != OK)
        return why_set(why, ERR_BAD_INPUT, "role", "role is child, member or admin");
    return OK;
}

enum err body_number(const json_t *body, const char *name, int64_t least, int64_t most, bool *has,
                     int64_t *out, struct why *why)
{
    const json_t *value = json_object_get(body, name);
    *has = value != NULL;
    if (value == NULL)
        return OK;
    if (!json_is_integer(value) || json_integer_value(value) < least ||
        json_integer_value(value) > most)
        return why_set(why, ERR_BAD_INPUT, name,
                       "%s is a whole number from %" PRId64 " to %" PRId64, name, least, most);
    *out = json_integer_value(value);
    return OK;
}

enum err body_bounds(const json_t *body, struct bounds_wish *out, struct why *why)
{
    int64_t age = 0, streams = 0;
    *out = (struct bounds_wish){0};
    enum err err = body_number(body, "age_limit", 0, BOUNDS_AGE_MOST, &out->has_age, &age, why);
    if (err == OK)
        err = body_bool(body, "unrated", &out->has_unrated, &out->bounds.unrated, why);
    if (err == OK)
        err =
            body_number(body, "streams", 0, BOUNDS_STREAMS_MOST, &out->has_streams, &streams, why);
    out->bounds.age = (int) age;
    out->bounds.streams = (int) streams;
    return err;
}

enum err body_newcomer(const json_t *body, enum role *role, struct bounds *bounds, struct why *why)
{
    bool has_role = false;
    struct bounds_wish wish;
    *role = ROLE_MEMBER;
    enum err err = body_role(body, &has_role, role, why);
    if (err == OK)
        err = body_bounds(body, &wish, why);
    if (err != OK)
        return err;
    if (*role == ROLE_CHILD && !wish.has_age)
        return why_set(why, ERR_BAD_INPUT, "age_limit",
                       "a child needs an age_limit: how old it is, in years");
    *bounds = wish.bounds;
    return OK;
}

void put_standing(json_t *object, enum role role, const struct bounds *bounds)
{
    json_object_set_new(object, "role", json_string(role_name(role)));
    if (role == ROLE_CHILD) {
        json_object_set_new(object, "age_limit", json_integer(bounds->age));
        json_object_set_new(object, "unrated", json_boolean(bounds->unrated));
    }
    if (bounds->streams > 0)
        json_object_set_new(object, "streams", json_integer(bounds->streams));
}
