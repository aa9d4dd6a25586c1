/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a torrent keeps is written, and what is removed deleted, on a thread beside the pump: a disk that is
 * asked to have it all before it answers may take seconds. One thread, so that all of it happens in the order
 * in which it was asked for. Threads: the pump asks. */
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "torrent/inside.h"

/* What waits is bounded by what the torrents have to keep. */
enum err disk_start(struct torrents *torrents)
{
    return pool_new("torrent-disk", 1, SIZE_MAX, &torrents->disk);
}

struct disk_job {
    struct torrents *torrents;
    struct keep *keep; /* its end is a job that comes after this one */
    char id[STORE_ID_SIZE];
    const char *name; /* fixed */
    void *bytes;
    size_t size;
    enum err kind;
};

static void run(struct torrents *torrents, task_fn *work, task_fn *done, void *arg)
{
    MUST(pool_run(torrents->disk, work, done, arg, loop_mailbox(torrents->loop)) == OK);
}

static struct disk_job *job_of(struct torrent *torrent, const char *name, void **bytes, size_t size)
{
    struct disk_job *job = mem_new(struct disk_job);
    job->torrents = torrent->torrents;
    job->keep = torrent->keep;
    memcpy(job->id, torrent->id, sizeof job->id);
    job->name = name;
    job->bytes = *bytes;
    job->size = size;
    *bytes = NULL;
    return job;
}

static void put(struct disk_job *job)
{
    job->kind = keep_put(job->keep, job->name, job->bytes, job->size);
    if (job->kind != OK)
        log_warning("torrent.keep", log_str("id", job->id), log_str("what", job->name),
                    log_err(job->kind));
}

static void job_free(struct disk_job *job)
{
    mem_free(job->bytes);
    mem_free(job);
}

static void put_alone(void *arg)
{
    put(arg);
    job_free(arg);
}

void disk_put(struct torrent *torrent, const char *name, void **bytes, size_t size)
{
    run(torrent->torrents, put_alone, NULL, job_of(torrent, name, bytes, size));
}

/* What it knows of is forgotten by the journal once it is on the disk, and not before. */
static void put_resume(void *arg)
{
    struct disk_job *job = arg;
    put(job);
    if (job->kind == OK)
        keep_forget_pieces(job->keep);
}

static void resume_is_put(void *arg)
{
    struct disk_job *job = arg;
    struct torrent *torrent = torrents_by_id(job->torrents, job->id);
    if (torrent != NULL)
        torrent->is_saving = torrent->is_asking; /* meanwhile, once more */
    job_free(job);
}

void disk_put_resume(struct torrent *torrent, void **bytes, size_t size)
{
    run(torrent->torrents, put_resume, resume_is_put, job_of(torrent, KEEP_RESUME, bytes, size));
}

static void close_keep(void *arg)
{
    struct keep *keep = arg;
    keep_close(&keep);
}

static void remove_keep(void *arg)
{
    struct keep *keep = arg;
    keep_remove(&keep);
}

void disk_close(struct torrents *torrents, struct keep **keep)
{
    if (*keep != NULL)
        run(torrents, close_keep, NULL, *keep);
    *keep = NULL;
}

void disk_remove(struct torrents *torrents, struct keep **keep)
{
    if (*keep != NULL)
        run(torrents, remove_keep, NULL, *keep);
    *keep = NULL;
}
