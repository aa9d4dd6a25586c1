/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/shelf.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct place {
    struct film *film;
    bool is_retired;
};

/* Few films are open at once, and they are found by a comparison of short strings: a list. */
struct shelf {
    pthread_mutex_t lock;
    /* under lock */
    struct place *places;
    size_t count, room;
};

struct shelf *shelf_new(void)
{
    struct shelf *shelf = mem_new(struct shelf);
    pthread_mutex_init(&shelf->lock, NULL);
    return shelf;
}

void shelf_free(struct shelf **shelf)
{
    struct shelf *gone = *shelf;
    *shelf = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < gone->count; i++)
        film_unref(&gone->places[i].film);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->places);
    mem_free(gone);
}

void shelf_put(struct shelf *shelf, struct film *film, bool is_retired)
{
    pthread_mutex_lock(&shelf->lock);
    mem_grow(shelf->places, shelf->count, shelf->room);
    shelf->places[shelf->count++] = (struct place){film_ref(film), is_retired};
    pthread_mutex_unlock(&shelf->lock);
}

void shelf_retire(struct shelf *shelf, const struct film *film)
{
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->count; i++)
        if (shelf->places[i].film == film)
            shelf->places[i].is_retired = true;
    pthread_mutex_unlock(&shelf->lock);
}

void shelf_remove(struct shelf *shelf, const struct film *film)
{
    struct film *gone = NULL;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->count && gone == NULL; i++) {
        if (shelf->places[i].film != film)
            continue;
        gone = shelf->places[i].film;
        shelf->places[i] = shelf->places[--shelf->count];
    }
    pthread_mutex_unlock(&shelf->lock);
    film_unref(&gone);
}

static bool is_named(const struct place *place, const struct shelf_name *name, int *rendition)
{
    *rendition = -1;
    if (!slice_is(name->id, place->film->id) || (place->is_retired && name->version.at == NULL))
        return false;
    if (name->rendition.at == NULL)
        return true;
    *rendition = film_find(place->film, name->rendition);
    return *rendition >= 0 && film_is_version(place->film, (uint32_t) *rendition, name->version);
}

struct film *shelf_find(struct shelf *shelf, const struct shelf_name *name, int *rendition)
{
    struct film *found = NULL;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->count && found == NULL; i++)
        if (is_named(&shelf->places[i], name, rendition))
            found = film_ref(shelf->places[i].film);
    pthread_mutex_unlock(&shelf->lock);
    if (found == NULL)
        return NULL;
    if (!source_is_unchanged(found->source)) {
        film_unref(&found);
        return NULL;
    }
    atomic_store_explicit(&found->used_ms, clock_mono_ms(), memory_order_relaxed);
    return found;
}
