/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/watch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <uv.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "library/names.h"

struct watch {
    /* fixed after open */
    int fd;
    void (*changed)(void *ctx);
    void *ctx;
    atomic_bool is_full; /* said once */
    uv_poll_t poll;      /* loop's thread */
};

enum {
    EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |
             IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK
};

/* A subtitle or a download's temporary file is no news. */
static bool matters(const struct inotify_event *event)
{
    if (event->len == 0 || (event->mask & (IN_ISDIR | IN_Q_OVERFLOW | IN_UNMOUNT)) != 0)
        return (event->mask & IN_IGNORED) == 0;
    return event->name[0] != '.' && names_is_media(event->name);
}

static void on_events(uv_poll_t *poll, int status, int ready)
{
    struct watch *watch = poll->data;
    char buffer[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool matter = false;
    (void) ready;
    ssize_t got = status < 0 ? -1 : read(watch->fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at + (ssize_t) sizeof(struct inotify_event) <= got;) {
        const struct inotify_event *event = (const void *) (buffer + at);
        matter = matter || matters(event);
        at += (ssize_t) (sizeof *event + event->len);
    }
    if (matter)
        watch->changed(watch->ctx);
}

struct watch *watch_open(struct uv_loop_s *loop, void (*changed)(void *ctx), void *ctx)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        log_warning("library.no_events", log_str("why", strerrordesc_np(errno)));
        return NULL;
    }
    struct watch *watch = mem_new(struct watch);
    watch->fd = fd;
    watch->changed = changed;
    watch->ctx = ctx;
    MUST(uv_poll_init(loop, &watch->poll, fd) == 0);
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_events);
    return watch;
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    fd_close(&watch->fd);
    mem_free(watch);
}

void watch_close(struct watch **watch)
{
    if (*watch == NULL)
        return;
    uv_poll_stop(&(*watch)->poll);
    uv_close((uv_handle_t *) &(*watch)->poll, on_closed);
    *watch = NULL;
}

/* Numbers of statfs(2): nfs, smb, cifs, smb2, fuse, 9p, afs, ceph. */
static bool is_remote(int folder_fd)
{
    static const uint32_t REMOTE[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42,
                                      0x65735546, 0x01021997, 0x5346414f, 0x00c36400};
    struct statfs info;
    if (fstatfs(folder_fd, &info) != 0)
        return true;
    for (size_t i = 0; i < sizeof REMOTE / sizeof REMOTE[0]; i++)
        if ((uint32_t) info.f_type == REMOTE[i])
            return true;
    return false;
}

bool watch_folder(struct watch *watch, int folder_fd)
{
    char path[40];
    if (watch == NULL || is_remote(folder_fd))
        return false;
    /* By its fd, so that the folder watched is the folder that is read. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", folder_fd);
    if (inotify_add_watch(watch->fd, path, EVENTS) >= 0)
        return true;
    if (errno == ENOSPC && !atomic_exchange(&watch->is_full, true))
        log_warning("library.watches_used_up",
                    log_str("setting", "/proc/sys/fs/inotify/max_user_watches"));
    return false;
}
