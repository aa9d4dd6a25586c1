/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to read with: a few, opened when first needed, lent one at a time.
 * Threads: any. One lock inside, a leaf. */
#include <pthread.h>

#include "base/mem.h"
#include "store/sql.h"

enum { READERS = 4 }; /* as many as threads that answer requests; each costs its page cache */

struct readers {
    char *path; /* fixed after new */
    pthread_mutex_t lock;
    pthread_cond_t given;
    /* under lock */
    struct conn *idle[READERS];
    unsigned idle_count, open_count;
};

struct readers *readers_new(const char *path)
{
    struct readers *readers = mem_new(struct readers);
    readers->path = mem_strdup(path);
    pthread_mutex_init(&readers->lock, NULL);
    pthread_cond_init(&readers->given, NULL);
    return readers;
}

void readers_free(struct readers **readers)
{
    if (*readers == NULL)
        return;
    struct readers *gone = *readers;
    MUST(gone->idle_count == gone->open_count);
    for (unsigned i = 0; i < gone->idle_count; i++)
        conn_close(&gone->idle[i]);
    pthread_cond_destroy(&gone->given);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->path);
    mem_free(gone);
    *readers = NULL;
}

static enum err open_one(struct readers *readers, struct conn **out)
{
    enum err err = conn_open(readers->path, true, out, NULL);
    if (err == OK)
        return OK;
    pthread_mutex_lock(&readers->lock);
    readers->open_count--;
    pthread_cond_signal(&readers->given);
    pthread_mutex_unlock(&readers->lock);
    return ERR_IO;
}

enum err readers_take(struct readers *readers, struct conn **out)
{
    pthread_mutex_lock(&readers->lock);
    while (readers->idle_count == 0 && readers->open_count == READERS)
        pthread_cond_wait(&readers->given, &readers->lock);
    struct conn *conn = NULL;
    if (readers->idle_count > 0)
        conn = readers->idle[--readers->idle_count];
    else
        readers->open_count++;
    pthread_mutex_unlock(&readers->lock);
    if (conn == NULL)
        return open_one(readers, out);
    *out = conn;
    return OK;
}

void readers_give(struct readers *readers, struct conn **conn)
{
    pthread_mutex_lock(&readers->lock);
    readers->idle[readers->idle_count++] = *conn;
    pthread_cond_signal(&readers->given);
    pthread_mutex_unlock(&readers->lock);
    *conn = NULL;
}
