/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/film.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void hash_rendition(struct film *film, uint32_t rendition, const char *engine)
{
    const struct source_identity *identity = source_identity(film->source);
    const char *name = film->plan->renditions[rendition].name;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, FILM_KEY_BYTES);
    crypto_generichash_update(&state, (const uint8_t *) &identity->size, sizeof identity->size);
    crypto_generichash_update(&state, (const uint8_t *) &identity->mtime_ns,
                              sizeof identity->mtime_ns);
    crypto_generichash_update(&state, identity->hash, sizeof identity->hash);
    crypto_generichash_update(&state, (const uint8_t *) engine, strlen(engine) + 1);
    crypto_generichash_update(&state, (const uint8_t *) name, strlen(name) + 1);
    /* The whole plan, not its number alone: cuts that differ must not share a URL. */
    crypto_generichash_update(&state, film->plan_bytes, film->plan_size);
    uint8_t *hash = film->keys[rendition].hash;
    crypto_generichash_final(&state, hash, FILM_KEY_BYTES);
    snprintf(film->versions[rendition], FILM_VERSION_SIZE, "%02x%02x%02x%02x", hash[0], hash[1],
             hash[2], hash[3]);
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
    film->target_s = plan_target_duration(film->plan);
    *source = NULL;
    *plan = NULL;
    *bytes = NULL;
    uint32_t count = film->plan->rendition_count;
    film->keys = mem_new_array(struct film_key, count);
    film->versions = mem_zalloc_array(count, FILM_VERSION_SIZE);
    for (uint32_t i = 0; i < count; i++)
        hash_rendition(film, i, engine);
    return film;
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
    mem_free(gone);
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
    return version.at == NULL || slice_is(version, film->versions[rendition]);
}
