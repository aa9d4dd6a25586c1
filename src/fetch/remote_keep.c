/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One that is kept whole, in a folder of its own: its film, as long as it will be, and a journal of what
 * of it came. What was written outlives this process, but not the machine: a journal counts in the boot it
 * was written in, or when it was closed in order, after all of it was on the disk.
 * Threads: remotes' loop. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "fetch/remotes_inside.h"

enum { NOTE_BYTES = 1024 * 1024, HEAD_BYTES = CLOCK_BOOT_SIZE };

static const char CLOSED[] = "closed in order"; /* in place of a boot */

bool remote_is_whole(const struct remote *remote)
{
    return spans_has(&remote->here, (struct span){0, remote->size});
}

static enum err open_in(int folder, const char *name, int flags, int *out)
{
    *out = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *out >= 0 ? OK : err_from_errno(errno);
}

enum err remote_keep_open(struct remote *remote, int *reads)
{
    CLEANUP(fd_close) int folder = -1;
    if (mkdir(remote->folder, 0700) != 0 && errno != EEXIST)
        return err_from_errno(errno);
    folder = open(remote->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return err_from_errno(errno);
    enum err kind = open_in(folder, REMOTE_FILM, O_RDWR | O_CREAT, &remote->fd);
    if (kind == OK && ftruncate(remote->fd, (off_t) remote->size) != 0)
        kind = err_from_errno(errno);
    if (kind == OK)
        kind = open_in(folder, REMOTE_FILM, O_RDONLY, reads);
    if (kind == OK)
        kind = open_in(folder, REMOTE_JOURNAL, O_RDWR | O_CREAT | O_APPEND, &remote->journal);
    return kind;
}

static void write_head(struct remote *remote, const char *text)
{
    char head[HEAD_BYTES] = "";
    memcpy(head, text, strnlen(text, sizeof head - 1));
    /* pwrite appends where a file is open so: what is there is written anew, from the front. */
    if (ftruncate(remote->journal, 0) != 0 ||
        write(remote->journal, head, sizeof head) != (ssize_t) sizeof head)
        log_warning("remote.journal", log_str("id", remote->id), log_str("why", strerror(errno)));
}

static void write_span(struct remote *remote, struct span span)
{
    const uint64_t record[2] = {span.begin, span.end};
    if (write(remote->journal, record, sizeof record) != (ssize_t) sizeof record)
        log_warning("remote.journal", log_str("id", remote->id), log_str("why", strerror(errno)));
}

static void write_all(struct remote *remote, const char *head)
{
    write_head(remote, head);
    for (size_t i = 0; i < remote->here.count; i++)
        write_span(remote, remote->here.items[i]);
}

static void take_records(struct remote *remote)
{
    uint64_t record[2], at = HEAD_BYTES;
    size_t got = 0;
    while (fd_read_at(remote->journal, record, sizeof record, at, &got) == OK &&
           got == sizeof record) {
        const struct span span = {record[0], record[1]};
        at += sizeof record;
        if (span.begin < span.end && span.end <= remote->size)
            spans_add(&remote->here, span);
    }
}

void remote_keep_load(struct remote *remote)
{
    char head[HEAD_BYTES] = "", boot[CLOCK_BOOT_SIZE];
    size_t got = 0;
    clock_boot(boot);
    bool is_whole_head = fd_read_at(remote->journal, head, sizeof head, 0, &got) == OK &&
                         got == sizeof head && head[sizeof head - 1] == '\0';
    if (is_whole_head && (strcmp(head, boot) == 0 || strcmp(head, CLOSED) == 0))
        take_records(remote);
    write_all(remote, boot);
    for (size_t i = 0; i < remote->here.count; i++)
        source_fill(remote->source, &remote->here.items[i]);
}

void remote_keep_flush(struct remote *remote)
{
    if (remote->unnoted.begin < remote->unnoted.end)
        write_span(remote, remote->unnoted);
    remote->unnoted = (struct span){0, 0};
}

void remote_keep_note(struct remote *remote, struct span span)
{
    if (remote->unnoted.end != span.begin)
        remote_keep_flush(remote);
    if (remote->unnoted.begin == remote->unnoted.end)
        remote->unnoted = span;
    remote->unnoted.end = span.end;
    if (span.end - remote->unnoted.begin >= NOTE_BYTES)
        remote_keep_flush(remote);
}

void remote_keep_close(struct remote *remote)
{
    if (remote->journal < 0)
        return;
    remote_keep_flush(remote);
    if (fdatasync(remote->fd) == 0) {
        write_all(remote, CLOSED);
        fdatasync(remote->journal);
    }
    fd_close(&remote->journal);
}
