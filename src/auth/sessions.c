/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/sessions.h"

#include "auth/auth.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The store hears once an hour that a session is in use: its lifetime is counted in days. */
enum {
    TELL_MS = 60 * 60 * 1000,
    TOKEN_LENGTH = 43,
    PREFIX_LENGTH = sizeof SESSIONS_KEY_PREFIX - 1
};

struct entry {
    uint8_t hash[STORE_HASH_SIZE];
    struct http_user user; /* `session` is its id */
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

static enum err hash_of(struct slice secret, size_t length, uint8_t out[STORE_HASH_SIZE])
{
    if (secret.length != length)
        return ERR_BAD_INPUT;
    crypto_generichash(out, STORE_HASH_SIZE, (const unsigned char *) secret.at, length, NULL, 0);
    return OK;
}

enum err sessions_hash(struct slice token, uint8_t out[STORE_HASH_SIZE])
{
    return hash_of(token, TOKEN_LENGTH, out);
}

enum err sessions_hash_key(struct slice key, uint8_t out[STORE_HASH_SIZE])
{
    if (!slice_starts(key, SESSIONS_KEY_PREFIX))
        return ERR_BAD_INPUT;
    return hash_of(key, PREFIX_LENGTH + TOKEN_LENGTH, out);
}

enum err sessions_hash_refresh(struct slice refresh, uint8_t out[STORE_HASH_SIZE])
{
    if (!slice_starts(refresh, AUTH_REFRESH_PREFIX))
        return ERR_BAD_INPUT;
    return hash_of(refresh, PREFIX_LENGTH + TOKEN_LENGTH, out);
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

/* --- adding --- */

/* Where `hash` is, or would stand. */
static size_t place_of(const struct sessions *sessions, const uint8_t hash[STORE_HASH_SIZE])
{
    size_t low = 0, high = sessions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(sessions->entries[middle].hash, hash, STORE_HASH_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find(struct sessions *sessions, const uint8_t hash[STORE_HASH_SIZE])
{
    size_t at = place_of(sessions, hash);
    if (at == sessions->count || memcmp(sessions->entries[at].hash, hash, STORE_HASH_SIZE) != 0)
        return NULL;
    return &sessions->entries[at];
}

static void name_user(struct http_user *out, const struct store_user *user)
{
    snprintf(out->id, sizeof out->id, "%s", user->id);
    snprintf(out->name, sizeof out->name, "%s", user->name);
    out->role = user->role;
    out->bounds = user->bounds;
}

/* Under lock. */
static void insert(struct sessions *sessions, const struct entry *entry)
{
    size_t at = place_of(sessions, entry->hash);
    mem_grow(sessions->entries, sessions->count, sessions->room);
    memmove(&sessions->entries[at + 1], &sessions->entries[at],
            (sessions->count - at) * sizeof *entry);
    sessions->entries[at] = *entry;
    sessions->count++;
}

static void add(struct sessions *sessions, const struct entry *entry)
{
    pthread_mutex_lock(&sessions->lock);
    insert(sessions, entry);
    pthread_mutex_unlock(&sessions->lock);
}

void sessions_add(struct sessions *sessions, const struct store_session *session,
                  const struct store_user *user)
{
    struct entry entry = {
        .seen_ms = session->seen_ms, .told_ms = session->seen_ms, .user = {.scopes = SCOPE_ALL}};
    if (user->is_disabled)
        return;
    memcpy(entry.hash, session->hash, sizeof entry.hash);
    name_user(&entry.user, user);
    snprintf(entry.user.session, sizeof entry.user.session, "%s", session->id);
    add(sessions, &entry);
}

void sessions_add_key(struct sessions *sessions, const struct store_key *key,
                      const struct store_user *user)
{
    struct entry entry = {.seen_ms = key->seen_ms,
                          .told_ms = key->seen_ms,
                          .user = {.is_key = true, .scopes = key->scopes}};
    if (user->is_disabled)
        return;
    memcpy(entry.hash, key->hash, sizeof entry.hash);
    name_user(&entry.user, user);
    snprintf(entry.user.session, sizeof entry.user.session, "%s", key->id);
    add(sessions, &entry);
}

/* --- removing, changing --- */

struct choice {
    const char *id;   /* or NULL */
    const char *user; /* or NULL */
    const char *kept; /* or NULL */
    bool spares_keys;
};

static bool is_chosen(const struct choice *choice, const struct entry *entry)
{
    if (choice->id != NULL)
        return strcmp(entry->user.session, choice->id) == 0;
    if (strcmp(entry->user.id, choice->user) != 0 || (choice->spares_keys && entry->user.is_key))
        return false;
    return choice->kept == NULL || strcmp(entry->user.session, choice->kept) != 0;
}

static void remove_chosen(struct sessions *sessions, const struct choice *choice)
{
    size_t kept = 0;
    pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < sessions->count; i++)
        if (!is_chosen(choice, &sessions->entries[i]))
            sessions->entries[kept++] = sessions->entries[i];
    sessions->count = kept;
    pthread_mutex_unlock(&sessions->lock);
}

void sessions_replace(struct sessions *sessions, struct sessions *fresh)
{
    pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < fresh->count; i++) {
        const struct entry *old = find(sessions, fresh->entries[i].hash);
        if (old == NULL)
            continue;
        fresh->entries[i].seen_ms = old->seen_ms;
        fresh->entries[i].told_ms = old->told_ms;
    }
    struct entry *entries = sessions->entries;
    sessions->entries = fresh->entries;
    sessions->count = fresh->count;
    sessions->room = fresh->room;
    pthread_mutex_unlock(&sessions->lock);
    fresh->entries = NULL;
    fresh->count = fresh->room = 0;
    mem_free(entries);
}

void sessions_remove(struct sessions *sessions, const char *id)
{
    remove_chosen(sessions, &(struct choice){.id = id});
}

void sessions_remove_of(struct sessions *sessions, const char *user, const char *kept)
{
    remove_chosen(sessions, &(struct choice){.user = user, .kept = kept, .spares_keys = true});
}

void sessions_forget(struct sessions *sessions, const char *user)
{
    remove_chosen(sessions, &(struct choice){.user = user});
}

void sessions_change(struct sessions *sessions, const struct store_user *user)
{
    pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < sessions->count; i++)
        if (strcmp(sessions->entries[i].user.id, user->id) == 0)
            name_user(&sessions->entries[i].user, user);
    pthread_mutex_unlock(&sessions->lock);
}

/* --- asking --- */

/* Under lock. */
static struct entry *find_id(const struct sessions *sessions, const char *id)
{
    for (size_t i = 0; i < sessions->count; i++)
        if (strcmp(sessions->entries[i].user.session, id) == 0)
            return &sessions->entries[i];
    return NULL;
}

bool sessions_has(struct sessions *sessions, const char *id)
{
    pthread_mutex_lock(&sessions->lock);
    bool has = find_id(sessions, id) != NULL;
    pthread_mutex_unlock(&sessions->lock);
    return has;
}

bool sessions_get(struct sessions *sessions, const char *id, struct http_user *out)
{
    pthread_mutex_lock(&sessions->lock);
    const struct entry *entry = find_id(sessions, id);
    if (entry != NULL)
        *out = entry->user;
    pthread_mutex_unlock(&sessions->lock);
    return entry != NULL;
}

int64_t sessions_last_seen(struct sessions *sessions, const char *id)
{
    pthread_mutex_lock(&sessions->lock);
    const struct entry *entry = find_id(sessions, id);
    int64_t seen_ms = entry != NULL ? entry->seen_ms : -1;
    pthread_mutex_unlock(&sessions->lock);
    return seen_ms;
}

/* Under lock. */
static enum err use(struct sessions *sessions, struct entry *entry, int64_t now_ms,
                    struct http_user *out)
{
    if (entry == NULL || (!entry->user.is_key && now_ms - entry->seen_ms >= sessions->lifetime_ms))
        return ERR_NOT_FOUND;
    entry->seen_ms = now_ms;
    if (now_ms - entry->told_ms >= TELL_MS && !sessions->is_saving)
        sessions->want_saving = true;
    *out = entry->user;
    return OK;
}

enum err sessions_find(struct sessions *sessions, const uint8_t hash[STORE_HASH_SIZE],
                       int64_t now_ms, struct http_user *out)
{
    pthread_mutex_lock(&sessions->lock);
    enum err err = use(sessions, find(sessions, hash), now_ms, out);
    pthread_mutex_unlock(&sessions->lock);
    return err;
}

enum err sessions_use(struct sessions *sessions, const char *id, int64_t now_ms,
                      struct http_user *out)
{
    pthread_mutex_lock(&sessions->lock);
    enum err err = use(sessions, find_id(sessions, id), now_ms, out);
    pthread_mutex_unlock(&sessions->lock);
    return err;
}

void sessions_renew(struct sessions *sessions, const char *id, const uint8_t hash[STORE_HASH_SIZE])
{
    pthread_mutex_lock(&sessions->lock);
    const struct entry *found = find_id(sessions, id);
    if (found != NULL) {
        struct entry entry = *found;
        size_t from = (size_t) (found - sessions->entries);
        memmove(&sessions->entries[from], &sessions->entries[from + 1],
                (sessions->count - from - 1) * sizeof entry);
        sessions->count--;
        memcpy(entry.hash, hash, sizeof entry.hash);
        insert(sessions, &entry);
    }
    pthread_mutex_unlock(&sessions->lock);
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

enum err sessions_take_seen(struct sessions *sessions, struct sessions_seen *out)
{
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < sessions->count && err != OK; i++) {
        struct entry *entry = &sessions->entries[i];
        if (entry->seen_ms - entry->told_ms < TELL_MS)
            continue;
        entry->told_ms = entry->seen_ms;
        *out = (struct sessions_seen){.is_key = entry->user.is_key, .seen_ms = entry->seen_ms};
        memcpy(out->id, entry->user.session, sizeof out->id - 1);
        err = OK;
    }
    if (err != OK)
        sessions->is_saving = false;
    pthread_mutex_unlock(&sessions->lock);
    return err;
}
