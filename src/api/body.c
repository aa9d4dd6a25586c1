/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a JSON body says. */
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
        return why_set(why, ERR_BAD_INPUT, "role", "role is member or admin");
    return OK;
}
