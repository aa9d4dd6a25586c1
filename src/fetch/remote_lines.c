/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The requests that fill one file. Each begins where somebody waits and runs on ahead of him; while
 * another viewer waits for something, those that nobody waits for are held, so that what the line to the
 * server carries goes to who needs it. Threads: remotes' loop. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "fetch/remotes_inside.h"

enum {
    WANTS = 32,
    /* What is so near behind a request comes with it sooner than by one of its own. */
    NEAR_BYTES = 1024 * 1024,
    LEFT_MS = 20000, /* nobody waited for it so long: its connection is given up */
    MOST_FAILURES = 6,
    MOST_RETRY_MS = 8000,
    FULL_MS = 5000,
    /* Who opens a film reads its head and, soon, its index, which often stands at its end. */
    SOON_MS = 30000,
    ENDS_BYTES = 1024 * 1024,
};

/* --- requests --- */

static void end_line(struct remote_line *line)
{
    fetch_end(&line->transfer);
    line->is_urgent = line->is_held = false;
}

void remote_end_lines(struct remote *remote)
{
    for (size_t i = 0; i < REMOTE_LINES; i++)
        end_line(&remote->lines[i]);
    remote->is_waited_for = false;
}

static void end_others(struct remote *remote, const struct remote_line *line)
{
    for (size_t i = 0; i < REMOTE_LINES; i++)
        if (&remote->lines[i] != line)
            end_line(&remote->lines[i]);
}

static unsigned count_lines(const struct remote *remote)
{
    unsigned count = 0;
    for (size_t i = 0; i < REMOTE_LINES; i++)
        count += remote->lines[i].transfer != NULL ? 1 : 0;
    return count;
}

static bool must_hold(const struct remote_line *line)
{
    if (!line->remote->is_ranged)
        return false;
    return line->at >= line->until || (line->remote->is_waited_for && !line->is_urgent);
}

/* --- failures --- */

/* It may heal: tried again, later each time. */
static void retry_later(struct remote *remote, enum err kind, const struct why *why)
{
    int64_t pause = remote->remotes->retry_ms << remote->failures;
    remote->why = *why;
    remote->is_changed = true;
    if (++remote->failures > MOST_FAILURES)
        remote_fail(remote, kind, why);
    else
        remote->retry_ms = clock_mono_ms() + (pause < MOST_RETRY_MS ? pause : MOST_RETRY_MS);
}

static void fail(struct remote *remote, enum err kind, const char *words)
{
    struct why why;
    why_set(&why, kind, "url", "%s", words);
    remote_fail(remote, kind, &why);
}

static bool may_heal(int status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void refuse_status(struct remote_line *line, int status)
{
    struct remote *remote = line->remote;
    struct why why;
    enum err kind = why_set(&why, ERR_IO, "url", "its server answered with status %d", status);
    end_line(line);
    if (!may_heal(status))
        remote_fail(remote, status == 410 || status == 416 ? ERR_GONE : kind, &why);
    else if ((status == 429 || status == 503) && count_lines(remote) > 0)
        remote->most_lines = 1; /* one at a time, then */
    else
        retry_later(remote, kind, &why);
}

/* --- what comes --- */

static bool differ(const char *ours, const char *theirs)
{
    return ours[0] != '\0' && theirs[0] != '\0' && strcmp(ours, theirs) != 0;
}

/* Still the file that was opened. */
static bool is_same(const struct remote *remote, const struct fetch_head *head)
{
    uint64_t total = head->status == 206 ? head->total : head->length;
    bool has_strong = remote->etag[0] == '"' && head->etag[0] == '"';
    if (total != FETCH_UNKNOWN && total != remote->size)
        return false;
    return has_strong ? !differ(remote->etag, head->etag)
                      : !differ(remote->modified, head->modified);
}

/* It sends all of it, whatever was asked for: then it is read from the front. */
static void take_whole(struct remote_line *line)
{
    struct remote *remote = line->remote;
    remote->is_ranged = false;
    remote->most_lines = 1;
    line->at = line->begin = 0;
    end_others(remote, line);
    if (remote->folder == NULL && remote->size > remote->remotes->budget)
        fail(remote, ERR_LIMIT,
             "its server does not send parts of it, and it is larger than what may be kept "
             "(fetch.keep_bytes)");
}

static void on_head(void *ctx, const struct fetch_head *head)
{
    struct remote_line *line = ctx;
    struct remote *remote = line->remote;
    bool is_part = head->status == 206, is_whole = head->status == 200;
    if (!is_part && !is_whole)
        refuse_status(line, head->status);
    else if (!is_same(remote, head))
        fail(remote, ERR_GONE, "its server has another file there now: open the link again");
    else if (is_whole)
        take_whole(line);
    else if (head->first != line->at)
        fail(remote, ERR_IO, "its server sends another part than it was asked for");
}

static enum err keep(struct remote *remote, struct span span, const uint8_t *bytes)
{
    enum err kind = fd_write_at(remote->fd, bytes, span.end - span.begin, span.begin);
    if (kind != OK)
        return kind;
    spans_add(&remote->here, span);
    source_fill(remote->source, &span);
    remote_touch(remote, span);
    if (remote->folder != NULL)
        remote_keep_note(remote, span);
    else
        remote->remotes->held += span.end - span.begin;
    remote->counted += span.end - span.begin;
    remote->moved_ms = clock_mono_ms();
    remote->failures = 0;
    remote->why = (struct why){0};
    remote->is_changed = true;
    return OK;
}

/* What of it is not here yet. LIMIT, IO: the disk. BUSY: there is no room for what nobody waits for. */
static enum err keep_new(struct remote_line *line, const uint8_t *bytes, size_t size)
{
    struct remote *remote = line->remote;
    struct span rest = {line->at, line->at + size}, span;
    while (spans_missing(&remote->here, rest, &span)) {
        bool has_room =
            remote->folder != NULL || remote_make_room(remote->remotes, span.end - span.begin);
        if (!has_room && !line->is_urgent && remote->is_ranged)
            return ERR_BUSY;
        enum err kind = keep(remote, span, bytes + (span.begin - line->at));
        if (kind != OK)
            return kind;
        rest.begin = span.end;
    }
    return OK;
}

static void cannot_keep(struct remote_line *line, enum err kind)
{
    struct remote *remote = line->remote;
    end_line(line);
    if (kind == ERR_BUSY)
        return;
    why_set(&remote->why, kind, NULL, "%s",
            kind == ERR_LIMIT ? "the disk is full" : "the disk failed");
    remote->retry_ms = clock_mono_ms() + FULL_MS;
    remote->is_changed = true;
}

/* Nothing near behind it is missing. */
static bool is_through(const struct remote_line *line)
{
    const struct remote *remote = line->remote;
    uint64_t end = line->at + NEAR_BYTES < remote->size ? line->at + NEAR_BYTES : remote->size;
    struct span span = {line->at, remote->is_ranged ? end : remote->size};
    return spans_has(&remote->here, span);
}

static bool on_data(void *ctx, const uint8_t *bytes, size_t size)
{
    struct remote_line *line = ctx;
    struct remote *remote = line->remote;
    uint64_t left = remote->size - line->at;
    if (size > left) /* longer than it said: what is too much is nobody's */
        size = (size_t) left;
    enum err kind = keep_new(line, bytes, size);
    if (kind != OK) {
        cannot_keep(line, kind);
        return false;
    }
    line->at += size;
    if (is_through(line)) {
        end_line(line);
        remote_plan(remote);
        return false;
    }
    line->is_held = must_hold(line);
    return !line->is_held;
}

static void on_done(void *ctx, enum err kind, const struct why *said)
{
    struct remote_line *line = ctx;
    struct remote *remote = line->remote;
    bool has_brought = line->at > line->begin && remote->is_ranged;
    struct why why = *said;
    end_line(line);
    if (kind == ERR_CANCELLED)
        return;
    if (kind == ERR_REFUSED || kind == ERR_BAD_INPUT) {
        remote_fail(remote, kind, &why);
        return;
    }
    if (kind == OK && !has_brought) /* else it sends parts of a size that it likes */
        kind = why_set(&why, ERR_IO, "url", "its server ended before all of it was there");
    if (kind != OK)
        retry_later(remote, kind, &why);
    else
        remote_plan(remote);
}

static const struct fetch_events events = {on_head, on_data, on_done};

/* --- which requests --- */

static void begin_line(struct remote_line *line, uint64_t at)
{
    struct remote *remote = line->remote;
    char range[32];
    bool is_strong = remote->etag[0] == '"';
    const char *since = is_strong ? remote->etag : remote->modified;
    end_line(line);
    line->at = line->begin = remote->is_ranged ? at : 0;
    line->until = line->at;
    snprintf(range, sizeof range, "%" PRIu64 "-", line->at);
    const struct fetch_order order = {
        .url = remote->url,
        .range = remote->is_ranged ? range : NULL,
        .if_range = remote->is_ranged && since[0] != '\0' ? since : NULL,
        .events = &events,
        .ctx = line,
        .mailbox = loop_mailbox(remote->remotes->loop),
    };
    line->transfer = fetch_begin(remote->remotes->fetch, &order);
}

/* The one that brings the byte soon. */
static struct remote_line *line_for(struct remote *remote, uint64_t at)
{
    uint64_t near = (uint64_t) remote->rate > NEAR_BYTES ? (uint64_t) remote->rate : NEAR_BYTES;
    for (size_t i = 0; i < REMOTE_LINES; i++) {
        struct remote_line *line = &remote->lines[i];
        if (line->transfer == NULL)
            continue;
        if (!remote->is_ranged || (line->at <= at && at - line->at <= near))
            return line;
    }
    return NULL;
}

/* A free one; or, for somebody who waits, the one that was wanted longest ago and is not now. */
static struct remote_line *line_to_begin(struct remote *remote, bool is_urgent)
{
    struct remote_line *idle = NULL;
    bool is_full = count_lines(remote) >= remote->most_lines;
    for (size_t i = 0; i < REMOTE_LINES; i++) {
        struct remote_line *line = &remote->lines[i];
        if (line->transfer == NULL && !is_full)
            return line;
        if (line->transfer != NULL && !line->is_urgent &&
            (idle == NULL || line->wanted_ms < idle->wanted_ms))
            idle = line;
    }
    return is_urgent ? idle : NULL;
}

static void serve(struct remote_line *line, const struct span *missing, uint64_t ahead,
                  bool is_urgent)
{
    uint64_t size = line->remote->size;
    uint64_t until = missing->end + ahead < size ? missing->end + ahead : size;
    line->until = line->until > until ? line->until : until;
    line->is_urgent |= is_urgent;
    line->wanted = missing->begin;
    line->wanted_ms = clock_mono_ms();
}

/* False: no request brings it. With `begins`, one is begun for it where that can be. */
static bool want(struct remote *remote, const struct source_wanted *wanted, uint64_t ahead,
                 bool begins)
{
    struct span missing;
    bool is_urgent = wanted->urgency == SOURCE_NOW;
    if (!spans_missing(&remote->here, wanted->span, &missing))
        return true;
    struct remote_line *line = line_for(remote, missing.begin);
    if (line == NULL && begins && clock_mono_ms() >= remote->retry_ms) {
        line = line_to_begin(remote, is_urgent);
        if (line != NULL)
            begin_line(line, missing.begin);
    }
    if (line != NULL)
        serve(line, &missing, ahead, is_urgent);
    return line != NULL;
}

/* The rest of one that is kept, from its front. */
static void want_rest(struct remote *remote)
{
    const struct source_wanted all = {{0, remote->size}, SOURCE_AHEAD};
    if (remote->folder != NULL)
        (void) want(remote, &all, remote->size, true);
}

/* What those who read wait for, then what they will soon ask for. */
static void want_all(struct remote *remote, int64_t now)
{
    struct source_wanted wanted[WANTS];
    bool is_served[WANTS];
    size_t count = source_wants(remote->source, wanted, WANTS);
    count = count < WANTS ? count : WANTS;
    for (size_t i = 0; i < count; i++) {
        remote_touch(remote, wanted[i].span);
        is_served[i] = want(remote, &wanted[i], remote->remotes->ahead, false);
    }
    for (size_t i = 0; i < count; i++)
        if (!is_served[i])
            (void) want(remote, &wanted[i], remote->remotes->ahead, true);
    if (now - remote->opened_ms > SOON_MS || !remote->is_ranged)
        return;
    uint64_t ends = remote->size < ENDS_BYTES ? remote->size : ENDS_BYTES;
    (void) want(remote, &(struct source_wanted){{0, ends}, SOURCE_AHEAD}, 0, true);
    (void) want(remote, &(struct source_wanted){{remote->size - ends, remote->size}, SOURCE_AHEAD},
                0, true);
}

static void settle(struct remote *remote, int64_t now)
{
    remote->is_waited_for = false;
    for (size_t i = 0; i < REMOTE_LINES; i++)
        remote->is_waited_for |= remote->lines[i].is_urgent;
    for (size_t i = 0; i < REMOTE_LINES; i++) {
        struct remote_line *line = &remote->lines[i];
        if (line->transfer == NULL)
            continue;
        if (!line->is_urgent && remote->is_ranged && now - line->wanted_ms > LEFT_MS) {
            end_line(line);
        } else if (line->is_held && !must_hold(line)) {
            line->is_held = false;
            fetch_more(line->transfer);
        }
    }
}

void remote_plan(struct remote *remote)
{
    int64_t now = clock_mono_ms();
    if (remote->source == NULL)
        return;
    bool is_filling = remote->folder != NULL ? !remote->is_paused && !remote_is_whole(remote)
                                             : source_is_shared(remote->source);
    if (!is_filling) {
        remote_end_lines(remote);
        return;
    }
    bool was_waited_for = remote->is_waited_for;
    for (size_t i = 0; i < REMOTE_LINES; i++)
        remote->lines[i].is_urgent = false;
    want_all(remote, now);
    want_rest(remote);
    settle(remote, now);
    if (remote->is_waited_for && !was_waited_for)
        remote->moved_ms = now; /* silence counts from here */
}
