/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/positions.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

enum { REPORTS_MOST = 65536, SLOTS_LEAST = 64 };

/* Open addressing: slots[] holds 1 + the place in reports[], or 0. At most half of it is taken. */
struct table {
    struct store_report *reports;
    size_t count, room;
    uint32_t *slots;
    size_t slot_count;
};

struct positions {
    struct store *store; /* fixed after start */
    int64_t write_ms;
    pthread_t thread;
    pthread_mutex_t writing; /* held by who writes; taken before `lock` */
    pthread_mutex_t lock;
    pthread_cond_t stop;
    /* under lock */
    struct table fresh;   /* to be written */
    struct table written; /* on its way to the disk; changed by who holds `writing` */
    bool is_stopping;
};

/* --- the table --- */

static uint64_t hash_of(const char *user, const char *item)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    for (const char *at = user; *at != '\0'; at++)
        hash = (hash ^ (unsigned char) *at) * 1099511628211ULL;
    hash *= 1099511628211ULL; /* the NUL between */
    for (const char *at = item; *at != '\0'; at++)
        hash = (hash ^ (unsigned char) *at) * 1099511628211ULL;
    return hash;
}

/* The slot that holds it, or would. */
static size_t slot_of(const struct table *table, const char *user, const char *item)
{
    size_t at = (size_t) hash_of(user, item) & (table->slot_count - 1);
    while (table->slots[at] != 0) {
        const struct store_report *report = &table->reports[table->slots[at] - 1];
        if (strcmp(report->user, user) == 0 && strcmp(report->progress.item, item) == 0)
            break;
        at = (at + 1) & (table->slot_count - 1);
    }
    return at;
}

static void grow_slots(struct table *table)
{
    mem_free(table->slots);
    table->slot_count = table->slot_count == 0 ? SLOTS_LEAST : table->slot_count * 2;
    table->slots = mem_new_array(uint32_t, table->slot_count);
    for (size_t i = 0; i < table->count; i++) {
        const struct store_report *report = &table->reports[i];
        table->slots[slot_of(table, report->user, report->progress.item)] = (uint32_t) i + 1;
    }
}

static const struct store_report *table_find(const struct table *table, const char *user,
                                             const char *item)
{
    if (table->count == 0)
        return NULL;
    uint32_t place = table->slots[slot_of(table, user, item)];
    return place != 0 ? &table->reports[place - 1] : NULL;
}

/* Of two the later counts; what was whole stays so within one writing. */
static void merge(struct store_report *kept, const struct store_report *report)
{
    bool is_whole = kept->is_whole || report->is_whole;
    if (report->progress.at_ms >= kept->progress.at_ms)
        *kept = *report;
    kept->is_whole = is_whole;
}

static enum err table_put(struct table *table, const struct store_report *report)
{
    if (table->count * 2 >= table->slot_count)
        grow_slots(table);
    size_t slot = slot_of(table, report->user, report->progress.item);
    if (table->slots[slot] != 0) {
        merge(&table->reports[table->slots[slot] - 1], report);
        return OK;
    }
    if (table->count == REPORTS_MOST)
        return ERR_BUSY;
    mem_grow(table->reports, table->count, table->room);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is room for more than count now */
    table->reports[table->count++] = *report;
    table->slots[slot] = (uint32_t) table->count;
    return OK;
}

static void table_fini(struct table *table)
{
    mem_free(table->reports);
    mem_free(table->slots);
    *table = (struct table){0};
}

/* --- writing --- */

/* What could not be written is fresh again, unless something newer came. */
static void take_back(struct positions *positions)
{
    for (size_t i = 0; i < positions->written.count; i++) {
        const struct store_report *report = &positions->written.reports[i];
        if (table_find(&positions->fresh, report->user, report->progress.item) == NULL &&
            table_put(&positions->fresh, report) != OK)
            log_warning("positions.lost", log_str("item", report->progress.item));
    }
}

enum err positions_write(struct positions *positions)
{
    pthread_mutex_lock(&positions->writing);
    pthread_mutex_lock(&positions->lock);
    positions->written = positions->fresh;
    positions->fresh = (struct table){0};
    pthread_mutex_unlock(&positions->lock);
    enum err err =
        store_reports_put(positions->store, positions->written.reports, positions->written.count);
    pthread_mutex_lock(&positions->lock);
    if (err != OK)
        take_back(positions);
    struct table done = positions->written;
    positions->written = (struct table){0};
    pthread_mutex_unlock(&positions->lock);
    pthread_mutex_unlock(&positions->writing);
    table_fini(&done);
    return err;
}

static void *write_now_and_then(void *arg)
{
    struct positions *positions = arg;
    pthread_mutex_lock(&positions->lock);
    while (!positions->is_stopping) {
        (void) cond_wait(&positions->stop, &positions->lock, clock_mono_ms() + positions->write_ms);
        if (positions->fresh.count == 0)
            continue;
        pthread_mutex_unlock(&positions->lock);
        enum err err = positions_write(positions);
        if (err != OK)
            log_warning("positions.kept", log_err(err));
        pthread_mutex_lock(&positions->lock);
    }
    pthread_mutex_unlock(&positions->lock);
    return NULL;
}

enum err positions_start(struct store *store, int64_t write_ms, struct positions **out)
{
    struct positions *positions = mem_new(struct positions);
    positions->store = store;
    positions->write_ms = write_ms != 0 ? write_ms : POSITIONS_WRITE_MS;
    pthread_mutex_init(&positions->lock, NULL);
    pthread_mutex_init(&positions->writing, NULL);
    cond_init(&positions->stop);
    if (pthread_create(&positions->thread, NULL, write_now_and_then, positions) == 0) {
        pthread_setname_np(positions->thread, "positions");
        *out = positions;
        return OK;
    }
    pthread_cond_destroy(&positions->stop);
    pthread_mutex_destroy(&positions->writing);
    pthread_mutex_destroy(&positions->lock);
    mem_free(positions);
    return ERR_BUSY;
}

void positions_stop(struct positions **positions)
{
    struct positions *gone = *positions;
    *positions = NULL;
    if (gone == NULL)
        return;
    pthread_mutex_lock(&gone->lock);
    gone->is_stopping = true;
    pthread_cond_signal(&gone->stop);
    pthread_mutex_unlock(&gone->lock);
    pthread_join(gone->thread, NULL);
    if (positions_write(gone) != OK)
        log_error("positions.lost", log_int("count", (int64_t) gone->fresh.count));
    table_fini(&gone->fresh);
    pthread_cond_destroy(&gone->stop);
    pthread_mutex_destroy(&gone->writing);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* --- reports --- */

enum err positions_report(struct positions *positions, const struct store_report *report)
{
    pthread_mutex_lock(&positions->lock);
    enum err err = table_put(&positions->fresh, report);
    pthread_mutex_unlock(&positions->lock);
    return err;
}

enum err positions_find(struct positions *positions, const char *user, const char *item,
                        struct store_report *out)
{
    pthread_mutex_lock(&positions->lock);
    const struct store_report *found = table_find(&positions->fresh, user, item);
    const struct store_report *older = table_find(&positions->written, user, item);
    if (found == NULL || (older != NULL && older->progress.at_ms > found->progress.at_ms))
        found = older;
    if (found != NULL)
        *out = *found;
    pthread_mutex_unlock(&positions->lock);
    return found != NULL ? OK : ERR_NOT_FOUND;
}

static void each_of(const struct table *table, const struct table *newer, const char *user,
                    positions_fn *each, void *ctx)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct store_report *report = &table->reports[i];
        if (strcmp(report->user, user) == 0 &&
            (newer == NULL || table_find(newer, user, report->progress.item) == NULL))
            each(ctx, report);
    }
}

void positions_each(struct positions *positions, const char *user, positions_fn *each, void *ctx)
{
    pthread_mutex_lock(&positions->lock);
    each_of(&positions->fresh, NULL, user, each, ctx);
    each_of(&positions->written, &positions->fresh, user, each, ctx);
    pthread_mutex_unlock(&positions->lock);
}
