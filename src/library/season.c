/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Episodes of one season, as names and folders tell them: seasons are not kept in the store. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "library/library.h"
#include "library/library_inside.h"

/* Where an episode stands: what is the same for all of a season. */
struct place {
    char *home; /* the folder, or the one around it where it is of one season */
    struct episode_name name;
};

static void place_fini(struct place *place)
{
    mem_free(place->home);
    episode_name_fini(&place->name);
    *place = (struct place){0};
}

/* Cuts the last part of a path off and returns it; NULL: there is none. */
static char *cut(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    return slash + 1;
}

/* False: its name is no episode's. */
static bool find_place(const char *path, struct place *out)
{
    CLEANUP(mem_free_at) char *copy = mem_strdup(path);
    const char *file = cut(copy);
    const char *slash = strrchr(copy, '/');
    *out = (struct place){0};
    if (file == NULL || slash == NULL || !names_episode(file, slash + 1, &out->name))
        return false;
    if (names_season(slash + 1) >= 0)
        (void) !cut(copy);
    out->home = mem_strdup(copy);
    return true;
}

struct season {
    const struct place *place;
    struct library_episode *items;
    size_t count, room;
};

static bool is_of(const struct season *season, const struct place *place)
{
    return strcmp(place->home, season->place->home) == 0 &&
           strcmp(place->name.show, season->place->name.show) == 0 &&
           place->name.season == season->place->name.season;
}

static bool can_play(const struct store_file *file)
{
    return file->state == STORE_FILE_READY && !file->is_offline && !file->is_missing &&
           file->has_hash;
}

static void take(void *ctx, const struct store_file *file)
{
    struct season *season = ctx;
    struct place place;
    if (!can_play(file))
        return;
    if (find_place(file->path, &place) && is_of(season, &place)) {
        mem_grow(season->items, season->count, season->room);
        struct library_episode *episode = &season->items[season->count++];
        *episode = (struct library_episode){.number = place.name.number, .size = file->size};
        memcpy(episode->id, file->id, sizeof episode->id);
        memcpy(episode->hash, file->hash, sizeof episode->hash);
    }
    place_fini(&place);
}

static int compare_numbers(const void *left, const void *right)
{
    const struct library_episode *a = left, *b = right;
    return a->number != b->number ? (a->number > b->number) - (a->number < b->number)
                                  : strcmp(a->id, b->id);
}

enum err library_season(struct library *library, const char *id, struct library_episode **out,
                        size_t *count)
{
    struct store_file file = {0};
    struct place place = {0};
    struct season season = {.place = &place};
    enum err err = store_file_find(library->store, id, &file);
    if (err == OK && find_place(file.path, &place))
        err = store_files_below(library->store, place.home, take, &season);
    if (err == OK) {
        if (season.count > 0)
            qsort(season.items, season.count, sizeof *season.items, compare_numbers);
        *out = season.items;
        *count = season.count;
    } else {
        mem_free(season.items);
    }
    place_fini(&place);
    store_file_fini(&file);
    return err;
}

/* --- all of them --- */

/* A season, by the words of its place, and one of its files. */
struct seen {
    char *place;
    char id[STORE_ID_SIZE];
    int number;
};

struct all {
    struct seen *items;
    size_t count, room;
};

static void note(void *ctx, const struct store_file *file, enum store_plan_state plan UNUSED)
{
    struct all *all = ctx;
    struct place place;
    if (!can_play(file) || !find_place(file->path, &place))
        return;
    struct str words = {0};
    str_printf(&words, "%s/%d/%s", place.home, place.name.season, place.name.show);
    mem_grow(all->items, all->count, all->room);
    struct seen *seen = &all->items[all->count++];
    *seen = (struct seen){.place = str_take(&words), .number = place.name.number};
    memcpy(seen->id, file->id, sizeof seen->id);
    place_fini(&place);
}

static int compare_places(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;
    int order = strcmp(a->place, b->place);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

/* Of those of one place the last, where that is not the number of the first. */
static void tell(const struct all *all, library_file_fn *each, void *ctx)
{
    for (size_t begin = 0, end; begin < all->count; begin = end) {
        end = begin + 1;
        while (end < all->count && strcmp(all->items[end].place, all->items[begin].place) == 0)
            end++;
        if (all->items[end - 1].number != all->items[begin].number)
            each(ctx, all->items[end - 1].id);
    }
}

enum err library_seasons(struct library *library, library_file_fn *each, void *ctx)
{
    struct all all = {0};
    enum err err =
        store_files_each(library->store, library->plan_version, library->engine, note, &all);
    if (all.count > 0)
        qsort(all.items, all.count, sizeof *all.items, compare_places);
    if (err == OK)
        tell(&all, each, ctx);
    for (size_t i = 0; i < all.count; i++)
        mem_free(all.items[i].place);
    mem_free(all.items);
    return err;
}
