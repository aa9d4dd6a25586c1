/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/sessions.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The store hears once an hour that a session is in use: its lifetime is counted in days. */
enum { TELL_MS = 60 * 60 * 1000, TOKEN_LENGTH = 43 };

struct entry {
    uint8_t hash[32];
    struct http_user user;
    int64_t seen_ms, told_ms;
};

struct sessions {
    int64_t lifetime_ms; /* fixed after new */
    pthread_mutex_t lock;
    /* under lock; sorted by hash */
    struct entry *entries;
    size_t count, room;
    bool want_saving, is_saving;
};

enum err sessions_hash(struct slice token, uint8_t out[32])
{
    if (token.length != TOKEN_LENGTH)
        return ERR_BAD_INPUT;
    crypto_generichash(out, 32, (const unsigned char *) token.at, token.length, NULL, 0);
    return OK;
}

struct sessions *sessions_new(int64_t lifetime_ms)
{
    struct sessions *sessions = mem_new(struct sessions);
    sessions->lifetime_ms = lifetime_ms;
    pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

void sessions_free(struct sessions **sessions)
{
    if (*sessions == NULL)
        return;
    pthread_mutex_destroy(&(*sessions)->lock);
    mem_free((*sessions)->entries);
    mem_free(*sessions);
    *sessions = NULL;
}

/* Where `hash` is, or would stand. */
static size_t place_of(const struct sessions *sessions, const uint8_t hash[32])
{
    size_t low = 0, high = sessions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(sessions->entries[middle].hash, hash, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find(struct sessions *sessions, const uint8_t hash[32])
{
    size_t at = place_of(sessions, hash);
    if (at == sessions->count || memcmp(sessions->entries[at].hash, hash, 32) != 0)
        return NULL;
    return &sessions->entries[at];
}

void sessions_add(struct sessions *sessions, const struct store_session *session,
                  const struct store_user *user)
{
    struct entry entry = {.seen_ms = session->seen_ms, .told_ms = session->seen_ms};
    memcpy(entry.hash, session->hash, sizeof entry.hash);
    snprintf(entry.user.id, sizeof entry.user.id, "%s", user->id);
    snprintf(entry.user.name, sizeof entry.user.name, "%s", user->name);
    snprintf(entry.user.session, sizeof entry.user.session, "%s", session->id);
    entry.user.is_admin = user->is_admin;
    pthread_mutex_lock(&sessions->lock);
    size_t at = place_of(sessions, entry.hash);
    mem_grow(sessions->entries, sessions->count, sessions->room);
    memmove(&sessions->entries[at + 1], &sessions->entries[at],
            (sessions->count - at) * sizeof entry);
    sessions->entries[at] = entry;
    sessions->count++;
    pthread_mutex_unlock(&sessions->lock);
}

static size_t index_of(const struct sessions *sessions, const char *id)
{
    size_t i = 0;
    while (i < sessions->count && strcmp(sessions->entries[i].user.session, id) != 0)
        i++;
    return i;
}

void sessions_remove(struct sessions *sessions, const char *id)
{
    pthread_mutex_lock(&sessions->lock);
    size_t at = index_of(sessions, id);
    if (at < sessions->count) {
        sessions->count--;
        memmove(&sessions->entries[at], &sessions->entries[at + 1],
                (sessions->count - at) * sizeof sessions->entries[0]);
    }
    pthread_mutex_unlock(&sessions->lock);
}

bool sessions_has(struct sessions *sessions, const char *id)
{
    pthread_mutex_lock(&sessions->lock);
    bool has = index_of(sessions, id) < sessions->count;
    pthread_mutex_unlock(&sessions->lock);
    return has;
}

enum err sessions_find(struct sessions *sessions, const uint8_t hash[32], int64_t now_ms,
                       struct http_user *out)
{
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&sessions->lock);
    struct entry *entry = find(sessions, hash);
    if (entry != NULL && now_ms - entry->seen_ms < sessions->lifetime_ms) {
        entry->seen_ms = now_ms;
        if (now_ms - entry->told_ms >= TELL_MS && !sessions->is_saving)
            sessions->want_saving = true;
        *out = entry->user;
        err = OK;
    }
    pthread_mutex_unlock(&sessions->lock);
    return err;
}

bool sessions_want_saving(struct sessions *sessions)
{
    pthread_mutex_lock(&sessions->lock);
    bool want = sessions->want_saving;
    if (want) {
        sessions->want_saving = false;
        sessions->is_saving = true;
    }
    pthread_mutex_unlock(&sessions->lock);
    return want;
}

enum err sessions_take_seen(struct sessions *sessions, char id[STORE_ID_SIZE], int64_t *seen_ms)
{
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < sessions->count && err != OK; i++) {
        struct entry *entry = &sessions->entries[i];
        if (entry->seen_ms - entry->told_ms < TELL_MS)
            continue;
        entry->told_ms = *seen_ms = entry->seen_ms;
        memcpy(id, entry->user.session, STORE_ID_SIZE - 1);
        id[STORE_ID_SIZE - 1] = '\0';
        err = OK;
    }
    if (err != OK)
        sessions->is_saving = false;
    pthread_mutex_unlock(&sessions->lock);
    return err;
}
