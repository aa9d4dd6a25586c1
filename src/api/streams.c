/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Of those alone whose account has a limit. A film counts as watched for a while after it was last asked
 * for: players ask every few seconds, and report every ten. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

enum { LIVE_MS = 45 * 1000 };

struct watching {
    char user[STORE_USER_SIZE], key[40];
    int64_t seen_ms;
};

struct streams {
    pthread_mutex_t lock;
    struct watching *items; /* under lock */
    size_t count, room;
};

struct streams *streams_new(void)
{
    struct streams *streams = mem_new(struct streams);
    pthread_mutex_init(&streams->lock, NULL);
    return streams;
}

void streams_free(struct streams **streams)
{
    struct streams *gone = *streams;
    *streams = NULL;
    if (gone == NULL)
        return;
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->items);
    mem_free(gone);
}

/* Under lock, as the next. */
static void expire(struct streams *streams, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < streams->count; i++)
        if (now_ms - streams->items[i].seen_ms < LIVE_MS)
            streams->items[kept++] = streams->items[i];
    streams->count = kept;
}

/* Among those of the user; NULL: it is not among them, and *others of them are. */
static struct watching *find(struct streams *streams, const char *user, const char *key,
                             int *others)
{
    *others = 0;
    for (size_t i = 0; i < streams->count; i++) {
        if (strcmp(streams->items[i].user, user) != 0)
            continue;
        if (strcmp(streams->items[i].key, key) == 0)
            return &streams->items[i];
        *others += 1;
    }
    return NULL;
}

static void add(struct streams *streams, const char *user, const char *key, int64_t now_ms)
{
    mem_grow(streams->items, streams->count, streams->room);
    struct watching *watching = &streams->items[streams->count++];
    *watching = (struct watching){.seen_ms = now_ms};
    snprintf(watching->user, sizeof watching->user, "%s", user);
    snprintf(watching->key, sizeof watching->key, "%s", key);
}

enum err streams_enter(struct streams *streams, const char *user, const char *key, int most,
                       int64_t now_ms, struct why *why)
{
    enum err err = OK;
    int others = 0;
    pthread_mutex_lock(&streams->lock);
    expire(streams, now_ms);
    struct watching *watching = find(streams, user, key, &others);
    if (watching != NULL)
        watching->seen_ms = now_ms;
    else if (others < most)
        add(streams, user, key, now_ms);
    else
        err =
            why_set(why, ERR_LIMIT, NULL,
                    "this account watches %d at once already, as many as it may; end one, or wait "
                    "a minute where one was left open",
                    most);
    pthread_mutex_unlock(&streams->lock);
    return err;
}

void streams_leave(struct streams *streams, const char *user, const char *key)
{
    int others = 0;
    pthread_mutex_lock(&streams->lock);
    struct watching *watching = find(streams, user, key, &others);
    if (watching != NULL)
        *watching = streams->items[--streams->count];
    pthread_mutex_unlock(&streams->lock);
}
