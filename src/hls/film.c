/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/film.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void hash_rendition(struct film *film, uint32_t rendition, const char *engine)
{
    const struct source_identity *identity = source_identity(film->source);
    const struct plan_rendition *r = &film->plan->renditions[rendition];
    const char *name = r->name;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, FILM_KEY_BYTES);
    crypto_generichash_update(&state, (const uint8_t *) &identity->size, sizeof identity->size);
    crypto_generichash_update(&state, (const uint8_t *) &identity->mtime_ns,
                              sizeof identity->mtime_ns);
    crypto_generichash_update(&state, identity->hash, sizeof identity->hash);
    crypto_generichash_update(&state, (const uint8_t *) engine, strlen(engine) + 1);
    crypto_generichash_update(&state, (const uint8_t *) name, strlen(name) + 1);
    /* The whole plan, not its number alone: cuts that differ must not share a URL. Of some there may be
     * very many: for them by the first one's key. */
    if (rendition > 0 && (r->kind == PLAN_PICTURES || plan_burnt(r) > 0))
        crypto_generichash_update(&state, film->keys[0].hash, FILM_KEY_BYTES);
    else
        crypto_generichash_update(&state, film->plan_bytes, film->plan_size);
    if (plan_is_on_device(r)) {
        const struct film_device *device = &film->device;
        crypto_generichash_update(&state, (const uint8_t *) device->words,
                                  strlen(device->words) + 1);
        crypto_generichash_update(&state, (const uint8_t *) &device->plan.headers,
                                  sizeof device->plan.headers);
    }
    uint8_t *hash = film->keys[rendition].hash;
    crypto_generichash_final(&state, hash, FILM_KEY_BYTES);
    snprintf(film->versions[rendition], FILM_VERSION_SIZE, "%02x%02x%02x%02x", hash[0], hash[1],
             hash[2], hash[3]);
}

static void hash_renditions(struct film *film)
{
    uint32_t count = film->plan->rendition_count;
    mem_free(film->keys);
    mem_free(film->versions);
    film->keys = mem_new_array(struct film_key, count);
    film->versions = mem_zalloc_array(count, FILM_VERSION_SIZE);
    for (uint32_t i = 0; i < count; i++)
        hash_rendition(film, i, film->engine);
}

struct film *film_new(const char *id, struct source **source, struct plan **plan, uint8_t **bytes,
                      size_t size, const char *engine)
{
    struct film *film = mem_new(struct film);
    atomic_init(&film->references, 1);
    snprintf(film->id, sizeof film->id, "%s", id);
    film->source = *source;
    film->plan = *plan;
    film->plan_bytes = *bytes;
    film->plan_size = size;
    film->engine = mem_strdup(engine);
    film->beside = beside_new_empty();
    pthread_mutex_init(&film->lock, NULL);
    film->target_s = plan_target_duration(film->plan);
    *source = NULL;
    *plan = NULL;
    *bytes = NULL;
    hash_renditions(film);
    return film;
}

/* All the others keep their versions: they are made from the plan without it. */
void film_add_device(struct film *film, const struct film_device *device)
{
    film->device = *device;
    plan_add_device(film->plan, &device->plan);
    hash_renditions(film);
    mem_free_at(&film->plan_bytes);
    plan_write(film->plan, &film->plan_bytes, &film->plan_size);
}

bool film_has_device(const struct film *film)
{
    return film->device.name[0] != '\0' && !atomic_load(&film->is_device_off);
}

struct film *film_ref(struct film *film)
{
    atomic_fetch_add_explicit(&film->references, 1, memory_order_relaxed);
    return film;
}

void film_unref(struct film **film)
{
    struct film *gone = *film;
    *film = NULL;
    if (gone == NULL)
        return;
    if (atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    source_unref(&gone->source);
    plan_free(&gone->plan);
    mem_free(gone->plan_bytes);
    mem_free(gone->keys);
    mem_free(gone->versions);
    mem_free(gone->engine);
    beside_unref(&gone->beside);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

void film_set_beside(struct film *film, struct beside **beside)
{
    pthread_mutex_lock(&film->lock);
    struct beside *old = film->beside;
    film->beside = *beside;
    pthread_mutex_unlock(&film->lock);
    *beside = NULL;
    beside_unref(&old);
}

struct beside *film_beside(struct film *film)
{
    pthread_mutex_lock(&film->lock);
    struct beside *beside = beside_ref(film->beside);
    pthread_mutex_unlock(&film->lock);
    return beside;
}

void film_beside_version(const struct film *film, const struct beside_file *file,
                         char out[FILM_VERSION_SIZE])
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *) film->engine, strlen(film->engine) + 1);
    crypto_generichash_update(&state, (const uint8_t *) file->name, strlen(file->name) + 1);
    crypto_generichash_update(&state, (const uint8_t *) &file->size, sizeof file->size);
    crypto_generichash_update(&state, (const uint8_t *) &file->mtime_ns, sizeof file->mtime_ns);
    /* of the playlist too, which says how long the film is */
    crypto_generichash_update(&state, (const uint8_t *) &film->plan->end, sizeof film->plan->end);
    crypto_generichash_final(&state, hash, sizeof hash);
    snprintf(out, FILM_VERSION_SIZE, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

int film_find(const struct film *film, struct slice name)
{
    char text[32];
    if (name.length == 0 || name.length >= sizeof text || memchr(name.at, '\0', name.length))
        return -1;
    memcpy(text, name.at, name.length);
    text[name.length] = '\0';
    int found = plan_find(film->plan, text);
    if (found >= 0 || name.length < 3 || strcmp(text + name.length - 2, "-b") != 0)
        return found;
    text[name.length - 2] = '\0';
    return plan_find(film->plan, text);
}

bool film_is_version(const struct film *film, uint32_t rendition, struct slice version)
{
    if (plan_is_on_device(&film->plan->renditions[rendition]) && !film_has_device(film))
        return false;
    return version.at == NULL || slice_is(version, film->versions[rendition]);
}
