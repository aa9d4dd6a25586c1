/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state.json, written and read. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "torrent/keep.h"

void keep_state_init(struct keep_state *state)
{
    *state = (struct keep_state){.limits = LIMITS_ALL(LIMIT_USUAL)};
}

void keep_state_fini(struct keep_state *state)
{
    mem_free(state->magnet);
    mem_free(state->name);
    mem_free(state->files);
    *state = (struct keep_state){0};
}

/* Those that are not as usual. */
static json_t *write_limits(const struct torrent_limits *limits)
{
    json_t *object = json_object();
#define WRITE(name)                                                                                \
    if (limits->name >= 0)                                                                         \
        json_object_set_new(object, #name, json_integer(limits->name));
    TORRENT_LIMITS(WRITE)
#undef WRITE
    return object;
}

char *keep_state_text(const struct keep_state *state)
{
    json_t *files = json_array();
    for (size_t i = 0; i < state->file_count; i++)
        json_array_append_new(files, json_pack("{s:s, s:b}", "id", state->files[i].id, "wanted",
                                               state->files[i].is_wanted));
    json_t *root = json_pack("{s:i, s:I, s:s, s:s*, s:b, s:b, s:b, s:s, s:s, s:o, s:o}", "version",
                             1, "added_ms", (json_int_t) state->added_ms, "name", state->name,
                             "magnet", state->magnet, "paused", state->is_paused, "filed",
                             state->is_filed, "clean", state->is_clean, "boot", state->boot,
                             "priority", torrent_priority_name(state->priority), "limits",
                             write_limits(&state->limits), "files", files);
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(1)) : NULL;
    char *ours = mem_strdup_or_null(text);
    free(text);
    json_decref(root);
    return ours;
}

enum err keep_put_state(struct keep *keep, const struct keep_state *state)
{
    CLEANUP(mem_free_at) char *text = keep_state_text(state);
    return text != NULL ? keep_put(keep, KEEP_STATE, text, strlen(text)) : ERR_BAD_INPUT;
}

static enum err read_files(json_t *list, struct keep_state *out)
{
    size_t count = json_array_size(list);
    out->files = mem_new_array(struct keep_file, count > 0 ? count : 1);
    for (size_t i = 0; i < count; i++) {
        const char *id = NULL;
        int is_wanted = 0;
        if (json_unpack(json_array_get(list, i), "{s:s, s:b}", "id", &id, "wanted", &is_wanted) !=
                0 ||
            strlen(id) >= STORE_ID_SIZE)
            return ERR_BAD_INPUT;
        memcpy(out->files[i].id, id, strlen(id) + 1);
        out->files[i].is_wanted = is_wanted;
        out->file_count = i + 1;
    }
    return OK;
}

/* What earlier versions did not write is as usual. */
static void read_limits(const json_t *object, struct torrent_limits *out)
{
    const json_t *value;
#define READ(name)                                                                                 \
    value = json_object_get(object, #name);                                                        \
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&                                \
        json_integer_value(value) <= LIMIT_MOST)                                                   \
        out->name = json_integer_value(value);
    TORRENT_LIMITS(READ)
#undef READ
}

static enum err read_state(json_t *root, struct keep_state *out)
{
    int version = 0, is_paused = 0, is_clean = 0, is_filed = 0;
    json_int_t added = 0;
    const char *name = NULL, *magnet = NULL, *boot = "", *priority = "normal";
    json_t *files = NULL;
    if (json_unpack(root, "{s:i, s:I, s:s, s?s, s:b, s?b, s:b, s:s, s?s, s:o}", "version", &version,
                    "added_ms", &added, "name", &name, "magnet", &magnet, "paused", &is_paused,
                    "filed", &is_filed, "clean", &is_clean, "boot", &boot, "priority", &priority,
                    "files", &files) != 0 ||
        version != 1 || !json_is_array(files) || strlen(boot) >= sizeof out->boot)
        return ERR_BAD_INPUT;
    out->added_ms = added;
    out->name = mem_strdup(name);
    out->magnet = mem_strdup_or_null(magnet);
    out->is_paused = is_paused;
    out->is_filed = is_filed;
    out->is_clean = is_clean;
    memcpy(out->boot, boot, strlen(boot) + 1);
    (void) torrent_priority_read(priority, &out->priority);
    read_limits(json_object_get(root, "limits"), &out->limits);
    return read_files(files, out);
}

enum err keep_state_read(const void *bytes, size_t size, struct keep_state *out)
{
    keep_state_init(out);
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    enum err kind = read_state(root, out);
    json_decref(root);
    if (kind != OK)
        keep_state_fini(out);
    return kind;
}

enum err keep_get_state(struct keep *keep, struct keep_state *out)
{
    enum { MOST_BYTES = 8 * 1024 * 1024 };
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    *out = (struct keep_state){0};
    enum err kind = keep_get(keep, KEEP_STATE, MOST_BYTES, &bytes, &size);
    return kind == OK ? keep_state_read(bytes, size, out) : kind;
}
