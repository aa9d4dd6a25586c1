/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who watches the films' processes: silence of a job that is not waiting for bytes, memory beyond
 * the limit, floods of messages. What is found is answered by SIGKILL. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hls/media_private.h"
#include "segments/input.h"

enum { WATCH_MS = 250, WATCHES_A_HANG = 4, LEAST_WATCH_MS = 10 };

bool media_range_is_here(const struct media *media, uint64_t offset, uint64_t length)
{
    if (media->map == NULL || length == 0)
        return true;
    const uint32_t block = INPUT_BLOCK_BYTES;
    uint64_t last = (offset + length - 1) / block;
    for (uint64_t i = offset / block; i <= last; i++) {
        uint8_t bits = __atomic_load_n(&media->map[i / 8], __ATOMIC_ACQUIRE);
        if ((bits >> (i % 8) & 1) == 0)
            return false;
    }
    return true;
}

/* The head of a small file of /proc, as text. False: the process is gone. */
static bool read_proc(uint32_t pid, const char *name, char *into, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got;
    if (fd < 0 || fd_read_at(fd, into, room - 1, 0, &got) != OK)
        return false;
    into[got] = '\0';
    return true;
}

/* The second number of statm: pages resident, shared ones counted whole. 0: unknown. */
static uint64_t read_rss(uint32_t pid)
{
    char text[128];
    if (!read_proc(pid, "statm", text, sizeof text))
        return 0;
    const char *space = strchr(text, ' ');
    return space != NULL ? strtoull(space, NULL, 10) * (uint64_t) sysconf(_SC_PAGESIZE) : 0;
}

/* utime and stime, the 14th and 15th of /proc/PID/stat; the second is a name in brackets, which may
 * hold anything (proc(5)). */
int64_t media_cpu_ms_of(uint32_t pid)
{
    enum { BETWEEN = 11 }; /* fields between the name and utime */
    char text[1024];
    if (pid == 0 || !read_proc(pid, "stat", text, sizeof text))
        return 0;
    char *at = strrchr(text, ')');
    for (int i = 0; at != NULL && i <= BETWEEN; i++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    unsigned long long user = strtoull(at, &at, 10);
    unsigned long long system = strtoull(at, NULL, 10);
    return (int64_t) (user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

int64_t media_cpu_ms(const struct media *media)
{
    return media_cpu_ms_of(media->pid) +
           (media->gpu != NULL ? media_cpu_ms_of(media->gpu->pid) : 0);
}

/* Walks all pages of the process: milliseconds, so on a pool thread. 0: unknown. */
static uint64_t read_pss(uint32_t pid)
{
    char text[2048];
    if (!read_proc(pid, "smaps_rollup", text, sizeof text))
        return 0;
    const char *line = strstr(text, "\nPss:");
    return line != NULL ? strtoull(line + strlen("\nPss:"), NULL, 10) * 1024 : 0;
}

struct probe {
    uv_work_t work;
    struct media *media;
    uint32_t pid;
    uint64_t pss;
};

static void on_probe(uv_work_t *work)
{
    struct probe *probe = work->data;
    probe->pss = read_pss(probe->pid);
}

static void on_probed(uv_work_t *work, int status UNUSED)
{
    CLEANUP(mem_free_at) struct probe *probe = work->data;
    struct media *media = probe->media;
    media->is_probing = false;
    if (media->is_released)
        media_release(media);
    else if (!media->is_closed && probe->pss > media->host->options.memory_limit)
        media_kill(media, "took %.1f GB of memory", (double) probe->pss / 1e9);
}

/* What is resident in all bounds what is its own: the dear question only when the cheap one asks
 * for it. */
static void watch_memory(struct media *media)
{
    if (media->gpu != NULL && read_rss(media->gpu->pid) > media->host->options.memory_limit) {
        log_warning("media.device_ended", log_str("film", media->label),
                    log_str("why", "it took too much memory"));
        media_end_device(media); /* the film's process sees it end */
    }
    if (media->pid == 0 || media->is_probing ||
        read_rss(media->pid) <= media->host->options.memory_limit)
        return;
    struct probe *probe = mem_new(struct probe);
    probe->work.data = probe;
    probe->media = media;
    probe->pid = media->pid;
    media->is_probing = true;
    if (uv_queue_work(media->host->loop, &probe->work, on_probe, on_probed) != 0) {
        media->is_probing = false;
        mem_free(probe);
    }
}

/* A job that sleeps for bytes that are not there may be silent, and so may those behind it. */
static void excuse_waiting(struct media *media, int64_t now)
{
    for (struct media_job *job = media->jobs; job != NULL; job = job->next) {
        if (job->want_length == 0 || media_range_is_here(media, job->want_at, job->want_length))
            continue;
        job->heard_ms = now;
        media->heard_ms = now;
    }
}

static void watch_silence(struct media *media, int64_t now)
{
    int64_t hang_ms = media->host->options.hang_ms;
    if (!media->is_opened && now - media->heard_ms > hang_ms) {
        media_kill(media, "did not come up in %lld ms", (long long) hang_ms);
        if (media->pid == 0)
            media_host_suspect(media->host);
        return;
    }
    excuse_waiting(media, now);
    for (struct media_job *job = media->jobs; job != NULL; job = job->next) {
        int64_t heard_ms = job->heard_ms;
        if (!job->is_begun && media->heard_ms > heard_ms)
            heard_ms = media->heard_ms;
        if (!job->is_sent || now - heard_ms <= hang_ms)
            continue;
        media_kill(media, "did not answer for %lld ms", (long long) hang_ms);
        return;
    }
}

/* Its users may close it in any of these. */
static void on_watch(uv_timer_t *timer)
{
    struct media *media = timer->data;
    int64_t now = clock_mono_ms();
    if ((media->dead_ms != 0 && now - media->dead_ms > MEDIA_WORDS_MS) ||
        (media->killed_ms != 0 && now - media->killed_ms > MEDIA_KILL_MS)) {
        media_on_dead(media, -1);
        return;
    }
    if (media->dead_ms != 0 || media->killed_ms != 0)
        return;
    /* What it said while our loop was busy counts before its silence does. */
    if (media->channel != NULL)
        channel_drain(media->channel);
    if (!media->is_closed)
        media_job_pump(media);
    if (media->is_closed || media->dead_ms != 0 || media->killed_ms != 0)
        return;
    watch_silence(media, now);
    if (media->killed_ms == 0)
        watch_memory(media);
}

void media_watch_start(struct media *media)
{
    int64_t every = media->host->options.hang_ms / WATCHES_A_HANG;
    every = every > WATCH_MS ? WATCH_MS : every < LEAST_WATCH_MS ? LEAST_WATCH_MS : every;
    uv_timer_init(media->host->loop, &media->timer);
    media->timer.data = media;
    media->heard_ms = clock_mono_ms();
    uv_timer_start(&media->timer, on_watch, (uint64_t) every, (uint64_t) every);
}
