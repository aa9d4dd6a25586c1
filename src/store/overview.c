/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/overview.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    KEPT = 64,        /* kinds times ages times first letters that somebody asks for */
    SEARCH_BYTES = 7, /* of a search that is kept: two letters of any script, or some of ours */
};

struct kept {
    char kind[16], search[SEARCH_BYTES + 1];
    struct ages ages;
    bool has_letters, has_places[2]; /* by title, by when they came */
    struct letter_list letters;
    struct place_list places[2];
    uint64_t used;
};

struct overviews {
    pthread_mutex_t lock;
    /* under lock; kept[i] is of `state` */
    uint64_t state, uses;
    struct kept kept[KEPT];
    size_t count;
};

/* --- letters and places --- */

void letter_list_add(struct letter_list *list, const char *letter, int64_t count)
{
    mem_grow(list->items, list->count, list->room);
    struct letter_count *item = &list->items[list->count++];
    item->count = count;
    snprintf(item->letter, sizeof item->letter, "%s", letter);
}

void letter_list_fini(struct letter_list *list)
{
    mem_free(list->items);
    *list = (struct letter_list){0};
}

static void copy_letters(struct letter_list *to, const struct letter_list *from)
{
    for (size_t i = 0; i < from->count; i++)
        letter_list_add(to, from->items[i].letter, from->items[i].count);
}

void place_fini(struct place *place)
{
    mem_free(place->sort);
    *place = (struct place){0};
}

void place_list_add(struct place_list *list, const char *id, const char *sort, int64_t added_ms)
{
    mem_grow(list->items, list->count, list->room);
    struct place *place = &list->items[list->count++];
    *place = (struct place){.sort = mem_strdup(sort), .added_ms = added_ms};
    snprintf(place->id, sizeof place->id, "%s", id);
}

void place_list_fini(struct place_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        place_fini(&list->items[i]);
    mem_free(list->items);
    *list = (struct place_list){0};
}

/* --- what is kept --- */

struct overviews *overviews_new(void)
{
    struct overviews *overviews = mem_new(struct overviews);
    pthread_mutex_init(&overviews->lock, NULL);
    return overviews;
}

static void drop(struct kept *kept)
{
    letter_list_fini(&kept->letters);
    place_list_fini(&kept->places[0]);
    place_list_fini(&kept->places[1]);
    *kept = (struct kept){0};
}

/* Under lock. */
static void forget(struct overviews *overviews)
{
    for (size_t i = 0; i < overviews->count; i++)
        drop(&overviews->kept[i]);
    overviews->count = 0;
}

void overviews_free(struct overviews **overviews)
{
    if (*overviews == NULL)
        return;
    forget(*overviews);
    pthread_mutex_destroy(&(*overviews)->lock);
    mem_free(*overviews);
    *overviews = NULL;
}

void overviews_are_old(struct overviews *overviews)
{
    pthread_mutex_lock(&overviews->lock);
    overviews->state++;
    forget(overviews);
    pthread_mutex_unlock(&overviews->lock);
}

uint64_t overviews_state(struct overviews *overviews)
{
    pthread_mutex_lock(&overviews->lock);
    uint64_t state = overviews->state;
    pthread_mutex_unlock(&overviews->lock);
    return state;
}

static bool ages_are_equal(const struct ages *a, const struct ages *b)
{
    return a->is_limited == b->is_limited &&
           (!a->is_limited || (a->most == b->most && a->unrated == b->unrated));
}

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

/* Under lock. NULL: nothing is known of them. */
static struct kept *find(struct overviews *overviews, const struct overview_of *of)
{
    for (size_t i = 0; i < overviews->count; i++) {
        struct kept *kept = &overviews->kept[i];
        if (strcmp(kept->kind, text_of(of->kind)) != 0 ||
            strcmp(kept->search, text_of(of->search)) != 0 ||
            !ages_are_equal(&kept->ages, &of->ages))
            continue;
        kept->used = ++overviews->uses;
        return kept;
    }
    return NULL;
}

/* Under lock. An empty one; the one that was asked for least recently makes room. */
static struct kept *make_room(struct overviews *overviews)
{
    if (overviews->count < KEPT)
        return &overviews->kept[overviews->count++];
    struct kept *kept = &overviews->kept[0];
    for (size_t i = 1; i < KEPT; i++)
        if (overviews->kept[i].used < kept->used)
            kept = &overviews->kept[i];
    drop(kept);
    return kept;
}

/* Under lock. NULL: what was counted is old, or not kept. */
static struct kept *find_or_make(struct overviews *overviews, const struct overview_of *of,
                                 uint64_t state)
{
    if (overviews->state != state || strlen(text_of(of->search)) > SEARCH_BYTES ||
        strlen(text_of(of->kind)) >= sizeof overviews->kept[0].kind)
        return NULL;
    struct kept *kept = find(overviews, of);
    if (kept != NULL)
        return kept;
    kept = make_room(overviews);
    snprintf(kept->kind, sizeof kept->kind, "%s", text_of(of->kind));
    snprintf(kept->search, sizeof kept->search, "%s", text_of(of->search));
    kept->ages = of->ages;
    kept->used = ++overviews->uses;
    return kept;
}

bool overviews_letters(struct overviews *overviews, const struct overview_of *of,
                       struct letter_list *out)
{
    pthread_mutex_lock(&overviews->lock);
    const struct kept *kept = find(overviews, of);
    bool is_known = kept != NULL && kept->has_letters;
    if (is_known)
        copy_letters(out, &kept->letters);
    pthread_mutex_unlock(&overviews->lock);
    return is_known;
}

void overviews_keep_letters(struct overviews *overviews, const struct overview_of *of,
                            uint64_t state, const struct letter_list *list)
{
    pthread_mutex_lock(&overviews->lock);
    struct kept *kept = find_or_make(overviews, of, state);
    if (kept != NULL && !kept->has_letters) {
        copy_letters(&kept->letters, list);
        kept->has_letters = true;
    }
    pthread_mutex_unlock(&overviews->lock);
}

bool overviews_place(struct overviews *overviews, const struct overview_of *of, bool by_added,
                     size_t offset, struct place *out, size_t *left)
{
    pthread_mutex_lock(&overviews->lock);
    const struct kept *kept = find(overviews, of);
    bool is_known = kept != NULL && kept->has_places[by_added];
    if (is_known) {
        const struct place_list *list = &kept->places[by_added];
        size_t before = offset / PLACE_STEP;
        if (before > list->count)
            before = list->count;
        *left = offset - before * PLACE_STEP;
        *out = before > 0 ? list->items[before - 1] : (struct place){0};
        if (before > 0)
            out->sort = mem_strdup(out->sort);
    }
    pthread_mutex_unlock(&overviews->lock);
    return is_known;
}

void overviews_keep_places(struct overviews *overviews, const struct overview_of *of, bool by_added,
                           uint64_t state, struct place_list *list)
{
    pthread_mutex_lock(&overviews->lock);
    struct kept *kept = find_or_make(overviews, of, state);
    if (kept != NULL && !kept->has_places[by_added]) {
        kept->places[by_added] = *list;
        kept->has_places[by_added] = true;
        *list = (struct place_list){0};
    }
    pthread_mutex_unlock(&overviews->lock);
    place_list_fini(list);
}
