/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The budget of bytes that all files of other servers share: what was watched longest ago is given up,
 * never what lies before a viewer. Threads: remotes' loop. */
#include <fcntl.h>

#include "base/clock.h"
#include "fetch/remotes_inside.h"

enum { VIEWER_MS = 10 * 60 * 1000 }; /* who paused longer ago may wait when he goes on */

static uint32_t now_s(void)
{
    return (uint32_t) (clock_mono_ms() / 1000);
}

void remote_touch(struct remote *remote, struct span span)
{
    for (uint64_t at = span.begin / REMOTE_CHUNK_BYTES; at * REMOTE_CHUNK_BYTES < span.end; at++)
        remote->touched[at] = now_s();
}

static struct span chunk_span(const struct remote *remote, uint64_t chunk)
{
    uint64_t begin = chunk * REMOTE_CHUNK_BYTES, end = begin + REMOTE_CHUNK_BYTES;
    return (struct span){begin, end < remote->size ? end : remote->size};
}

uint64_t remote_bytes_here(const struct remote *remote, struct span span)
{
    uint64_t here = span.end - span.begin;
    struct span missing;
    while (spans_missing(&remote->here, span, &missing)) {
        here -= missing.end - missing.begin;
        span.begin = missing.end;
    }
    return here;
}

/* Both ends, which every new run reads, and what lies before those who watch. */
static bool is_spared(const struct remote *remote, uint64_t chunk)
{
    struct span span = chunk_span(remote, chunk);
    int64_t now = clock_mono_ms();
    if (!source_is_shared(remote->source))
        return false;
    if (!remote->is_ranged || chunk == 0 || span.end == remote->size)
        return true;
    for (size_t i = 0; i < REMOTE_LINES; i++) {
        const struct remote_line *line = &remote->lines[i];
        bool is_recent = line->wanted_ms > 0 && now - line->wanted_ms < VIEWER_MS;
        if (is_recent && span.end > line->wanted &&
            span.begin < line->wanted + remote->remotes->ahead)
            return true;
    }
    return false;
}

struct oldest {
    struct remote *remote;
    uint64_t chunk;
    uint32_t touched_s;
};

static void find_oldest(struct remote *remote, struct oldest *oldest)
{
    for (size_t i = 0; i < remote->here.count; i++) {
        const struct span *here = &remote->here.items[i];
        for (uint64_t at = here->begin / REMOTE_CHUNK_BYTES; at * REMOTE_CHUNK_BYTES < here->end;
             at++) {
            bool is_older = oldest->remote == NULL || remote->touched[at] < oldest->touched_s;
            if (is_older && !is_spared(remote, at))
                *oldest = (struct oldest){remote, at, remote->touched[at]};
        }
    }
}

static void give_up(const struct oldest *oldest)
{
    struct remote *remote = oldest->remote;
    const struct span span = chunk_span(remote, oldest->chunk);
    remote->remotes->held -= remote_bytes_here(remote, span);
    spans_remove(&remote->here, span);
    source_drop(remote->source, &span);
    fallocate(remote->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) span.begin,
              (off_t) (span.end - span.begin));
    remote->is_changed = true;
}

bool remote_make_room(struct remotes *remotes, uint64_t size)
{
    while (remotes->held + size > remotes->budget) {
        struct oldest oldest = {0};
        struct remote *remote;
        TAILQ_FOREACH(remote, &remotes->list, link)
        if (remote->folder == NULL)
            find_oldest(remote, &oldest);
        if (oldest.remote == NULL)
            return false;
        give_up(&oldest);
    }
    return true;
}
