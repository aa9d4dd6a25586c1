/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How somebody likes things: members of one object, all of which may be absent. */
#include <inttypes.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"
#include "store/preferences.h"

enum { LANGUAGE_MOST = 35 /* RFC 5646 4.4.1 */ };

struct preference {
    const char *name;
    enum { LANGUAGE, CHOICE, NUMBER, FLAG } kind;
    const char *choices; /* CHOICE: joined by '|' */
    json_int_t least, most;
};
static const struct preference PREFERENCES[] = {
    {"language", LANGUAGE, NULL, 0, 0},          /* of the page */
    {"audio_language", LANGUAGE, NULL, 0, 0},    /* what films are heard in, where they have it */
    {"subtitle_language", LANGUAGE, NULL, 0, 0}, /* what they are read in */
    {"subtitles", CHOICE, "off|forced|on", 0, 0},
    {"max_height", NUMBER, NULL, 144, 4320}, /* no larger pictures */
    {"autoplay", FLAG, NULL, 0, 0},          /* the next episode follows by itself */
};

/* RFC 5646 2.1, as far as its letters go: subtags of 1 to 8 letters and digits, joined by hyphens. */
static bool is_language(const char *text)
{
    size_t run = 0;
    if (strlen(text) > LANGUAGE_MOST)
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        bool is_letter =
            (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (!is_letter && (*at != '-' || run == 0))
            return false;
        run = is_letter ? run + 1 : 0;
        if (run > 8)
            return false;
    }
    return run > 0;
}

static enum err check(const struct preference *preference, const json_t *value, struct why *why)
{
    const char *text = json_string_value(value);
    switch (preference->kind) {
    case LANGUAGE:
        return text != NULL && is_language(text)
                   ? OK
                   : why_set(why, ERR_BAD_INPUT, preference->name,
                             "%s is a language (en, pt-BR), or null", preference->name);
    case CHOICE:
        return text != NULL && str_list_has(preference->choices, '|', text)
                   ? OK
                   : why_set(why, ERR_BAD_INPUT, preference->name, "%s is one of %s, or null",
                             preference->name, preference->choices);
    case NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= preference->least &&
                       json_integer_value(value) <= preference->most
                   ? OK
                   : why_set(why, ERR_BAD_INPUT, preference->name,
                             "%s is a whole number from %" JSON_INTEGER_FORMAT
                             " to %" JSON_INTEGER_FORMAT ", or null",
                             preference->name, preference->least, preference->most);
    case FLAG:
        return json_is_boolean(value) ? OK
                                      : why_set(why, ERR_BAD_INPUT, preference->name,
                                                "%s is true, false or null", preference->name);
    }
    MUST(false);
}

static const struct preference *find(const char *name)
{
    for (size_t i = 0; i < sizeof PREFERENCES / sizeof PREFERENCES[0]; i++)
        if (strcmp(PREFERENCES[i].name, name) == 0)
            return &PREFERENCES[i];
    return NULL;
}

enum err preferences_merge(json_t *kept, const json_t *change, struct why *why)
{
    const char *name;
    json_t *value;
    /* jansson has no way to walk through what may not be changed. */
    json_object_foreach((json_t *) (uintptr_t) change, name, value)
    {
        const struct preference *preference = find(name);
        enum err err = OK;
        if (preference == NULL)
            return why_set(why, ERR_BAD_INPUT, "preferences", "there is no preference %.40s", name);
        if (!json_is_null(value))
            err = check(preference, value, why);
        if (err != OK)
            return err;
        if (json_is_null(value))
            json_object_del(kept, name);
        else
            json_object_set(kept, name, value);
    }
    return OK;
}

/* What a later version kept and this one does not know is left out. */
json_t *preferences_of(struct api *api, const char *user)
{
    CLEANUP(mem_free_at) char *text = NULL;
    json_t *known = json_object(), *value;
    const char *name;
    if (store_preferences_find(api->store, user, &text) != OK)
        return known;
    json_t *kept = json_loads(text, 0, NULL);
    json_object_foreach(kept, name, value)
    {
        const struct preference *preference = find(name);
        if (preference != NULL && check(preference, value, NULL) == OK)
            json_object_set(known, name, value);
    }
    json_decref(kept);
    return known;
}

int preferred_height(struct api *api, const char *user)
{
    json_t *preferences = preferences_of(api, user);
    int height = (int) json_integer_value(json_object_get(preferences, "max_height"));
    json_decref(preferences);
    return height;
}
