/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer thread: takes all that is queued, writes it in one transaction, each in a savepoint of
 * its own so that one failure undoes only itself, and lets the callers go after the commit. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/overview.h"
#include "store/sql.h"

/* Up to this size the whole file is checked at every start; reading it takes under a second. */
#define CHECKED_BYTES (64LL * 1024 * 1024)

struct write {
    store_write_fn *run;
    void *arg;
    enum err result;
    bool is_done;
    struct write *next;
};

struct store {
    /* fixed after open */
    struct readers *readers;
    struct overviews *overviews;
    pthread_t thread;
    bool has_thread;
    struct conn *conn; /* writer thread */
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t queued, written;
    struct write *first, **last;
    bool is_stopping;
};

static enum err run_one(struct conn *conn, struct write *write)
{
    enum err err = conn_run(conn, "SAVEPOINT one");
    if (err != OK)
        return err;
    err = write->run(conn, write->arg);
    if (err == OK)
        return conn_run(conn, "RELEASE one");
    enum err undone = conn_run(conn, "ROLLBACK TO one; RELEASE one");
    return undone != OK ? undone : err;
}

static void run_group(struct conn *conn, struct write *group)
{
    enum err err = conn_run(conn, "BEGIN IMMEDIATE");
    for (struct write *write = group; write != NULL; write = write->next)
        write->result = err == OK ? run_one(conn, write) : err;
    if (err == OK)
        err = conn_run(conn, "COMMIT");
    if (err == OK)
        return;
    (void) !conn_run(conn, "ROLLBACK");
    for (struct write *write = group; write != NULL; write = write->next)
        if (write->result == OK)
            write->result = err;
}

/* Waits for writes and takes them all. NULL: none left, and stopping. */
static struct write *take_group(struct store *store)
{
    while (store->first == NULL && !store->is_stopping)
        pthread_cond_wait(&store->queued, &store->lock);
    struct write *group = store->first;
    store->first = NULL;
    store->last = &store->first;
    return group;
}

static void *serve(void *arg)
{
    struct store *store = arg;
    pthread_mutex_lock(&store->lock);
    struct write *group;
    while ((group = take_group(store)) != NULL) {
        pthread_mutex_unlock(&store->lock);
        run_group(store->conn, group);
        pthread_mutex_lock(&store->lock);
        /* A writer that was let go frees its `struct write`: read `next` before. */
        for (struct write *write = group, *next; write != NULL; write = next) {
            next = write->next;
            write->is_done = true;
        }
        pthread_cond_broadcast(&store->written);
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

enum err store_write(struct store *store, store_write_fn *run, void *arg)
{
    struct write write = {.run = run, .arg = arg};
    pthread_mutex_lock(&store->lock);
    *store->last = &write;
    store->last = &write.next;
    pthread_cond_signal(&store->queued);
    while (!write.is_done)
        pthread_cond_wait(&store->written, &store->lock);
    pthread_mutex_unlock(&store->lock);
    return write.result;
}

struct readers *store_readers(struct store *store)
{
    return store->readers;
}

struct overviews *store_overviews(struct store *store)
{
    return store->overviews;
}

/* The database holds password hashes: nobody else may read it. SQLite gives its side files the
 * rights of the main one. */
static enum err make_private(const char *path, int64_t *size, struct why *why)
{
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0)
        return why_set(why, ERR_IO, NULL, "%s cannot be opened: %s", path, strerrordesc_np(errno));
    if (!S_ISREG(info.st_mode))
        return why_set(why, ERR_BAD_INPUT, NULL, "%s is not a file", path);
    *size = info.st_size;
    return OK;
}

static enum err check(struct conn *conn, const char *path, struct why *why)
{
    char verdict[200] = "";
    struct query query = query_on(conn, "PRAGMA quick_check(1)");
    enum err err = query_step(&query);
    if (err == OK)
        query_get_text_into(&query, verdict, sizeof verdict);
    query_end(&query);
    if (err == OK && slice_is(slice_of(verdict), "ok"))
        return OK;
    return why_set(why, ERR_BAD_INPUT, NULL, "the database %s is damaged: %s", path,
                   verdict[0] != '\0' ? verdict : conn_words(conn));
}

static enum err open_all(struct store *store, const char *path, struct why *why)
{
    int64_t size = 0;
    enum err err = make_private(path, &size, why);
    if (err == OK)
        err = conn_open(path, false, &store->conn, why);
    if (err == OK && size > 0 && size <= CHECKED_BYTES)
        err = check(store->conn, path, why);
    if (err == OK)
        err = schema_upgrade(store->conn, why);
    if (err != OK)
        return err;
    store->readers = readers_new(path);
    if (pthread_create(&store->thread, NULL, serve, store) != 0)
        return why_set(why, ERR_BUSY, NULL, "no thread can be started");
    pthread_setname_np(store->thread, "store");
    store->has_thread = true;
    return OK;
}

bool store_wants_upgrade(const char *path)
{
    struct conn *conn = NULL;
    int version = 0;
    bool is_old = access(path, F_OK) == 0 && conn_open(path, true, &conn, NULL) == OK &&
                  schema_judge(conn, &version, NULL) == OK && version < schema_newest();
    conn_close(&conn);
    return is_old;
}

enum err store_open(const char *path, struct store **out, struct why *why)
{
    struct store *store = mem_new(struct store);
    store->last = &store->first;
    store->overviews = overviews_new();
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->queued, NULL);
    pthread_cond_init(&store->written, NULL);
    enum err err = open_all(store, path, why);
    if (err != OK)
        store_close(&store);
    else
        *out = store;
    return err;
}

void store_close(struct store **store)
{
    if (*store == NULL)
        return;
    struct store *gone = *store;
    pthread_mutex_lock(&gone->lock);
    gone->is_stopping = true;
    pthread_cond_signal(&gone->queued);
    pthread_mutex_unlock(&gone->lock);
    if (gone->has_thread)
        pthread_join(gone->thread, NULL);
    readers_free(&gone->readers);
    overviews_free(&gone->overviews);
    conn_close(&gone->conn);
    pthread_cond_destroy(&gone->written);
    pthread_cond_destroy(&gone->queued);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
    *store = NULL;
}

static enum err write_mark(struct conn *conn, void *arg)
{
    struct query query = query_on(conn, "INSERT INTO mark(name, value) VALUES('health', ?) "
                                        "ON CONFLICT(name) DO UPDATE SET value=excluded.value");
    query_int(&query, *(const int64_t *) arg);
    return query_run(&query);
}

enum err store_touch(struct store *store, int64_t now_ms)
{
    return store_write(store, write_mark, &now_ms);
}

void store_new_id(char out[STORE_ID_SIZE])
{
    static const char ALPHABET[] = "abcdefghijklmnopqrstuvwxyz234567";
    enum { LENGTH = 20 };
    unsigned char random[LENGTH];
    MUST(getrandom(random, sizeof random, 0) == (ssize_t) sizeof random);
    for (unsigned i = 0; i < LENGTH; i++)
        out[i] = ALPHABET[random[i] % 32];
    out[LENGTH] = '\0';
}
