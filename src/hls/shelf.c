/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/shelf.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Few films are open at once, and they are found by a comparison of short strings: a list. */
struct shelf {
    pthread_mutex_t lock;
    /* under lock */
    struct film **films;
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
        film_unref(&gone->films[i]);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->films);
    mem_free(gone);
}

void shelf_put(struct shelf *shelf, struct film *film)
{
    pthread_mutex_lock(&shelf->lock);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(shelf->films, shelf->count, shelf->room);
    shelf->films[shelf->count++] = film_ref(film);
    pthread_mutex_unlock(&shelf->lock);
}

void shelf_remove(struct shelf *shelf, const struct film *film)
{
    struct film *gone = NULL;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->count && gone == NULL; i++) {
        if (shelf->films[i] != film)
            continue;
        gone = shelf->films[i];
        shelf->films[i] = shelf->films[--shelf->count];
    }
    pthread_mutex_unlock(&shelf->lock);
    film_unref(&gone);
}

struct film *shelf_find(struct shelf *shelf, struct slice id)
{
    struct film *found = NULL;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->count && found == NULL; i++)
        if (slice_is(id, shelf->films[i]->id))
            found = film_ref(shelf->films[i]);
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
