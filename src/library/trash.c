/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What somebody threw away, in a hidden folder beside the films, under the day it came there: 2026-11-30, its id
 * and its name. No walk looks there; those that are a week old are deleted before each. */
#include <dirent.h>
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
#include "library/library_inside.h"

#define TRASH   ".trash"
#define DAY_MS  (24LL * 60 * 60 * 1000)
#define KEPT_MS (7 * DAY_MS)

enum { DAY_LETTERS = 10, ID_LETTERS = 20 /* store_new_id */, NAME_BYTES = 180 };

/* Of the folder, made where it is not there; -1: errno says why. Through no link. */
static int open_trash(const char *folder, bool makes)
{
    CLEANUP(fd_close) int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || (makes && mkdirat(root, TRASH, 0755) != 0 && errno != EEXIST))
        return -1;
    return openat(root, TRASH, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void name_of(const struct store_file *row, int64_t now_ms, struct str *out)
{
    char now[CLOCK_ISO_SIZE];
    const char *name = strrchr(row->path, '/') + 1;
    size_t length = strlen(name);
    clock_iso(now_ms, now);
    if (length > NAME_BYTES) /* its end tells what it is */
        name += length - NAME_BYTES;
    while ((*name & 0xc0) == 0x80)
        name++; /* whole characters */
    str_printf(out, "%.*s %s %s", (int) DAY_LETTERS, now, row->id, name);
}

static enum err move(const struct store_file *row, int64_t now_ms)
{
    CLEANUP(str_fini) struct str name = {0};
    CLEANUP(fd_close) int trash = open_trash(row->folder, true);
    if (trash < 0)
        return ERR_IO;
    name_of(row, now_ms, &name);
    if (fd_rename_new(row->path, trash, str_text(&name)) != OK)
        return ERR_IO;
    /* Its folder, where it was alone in it. */
    CLEANUP(mem_free_at)
    char *folder = mem_strndup(row->path, (size_t) (strrchr(row->path, '/') - row->path));
    if (strcmp(folder, row->folder) != 0)
        (void) !rmdir(folder);
    return OK;
}

enum err library_discard(struct library *library, const char *id, struct why *why)
{
    struct store_file row = {0};
    int64_t now_ms = clock_wall_ms();
    enum err kind = store_file_find(library->store, id, &row);
    if (kind != OK)
        return kind;
    if (row.is_offline)
        kind = why_set(why, ERR_BUSY, NULL, "the disk of %s is not there", row.name);
    else if (move(&row, now_ms) != OK)
        kind = why_set(why, ERR_IO, NULL, "%s cannot be moved to %s/" TRASH ": %s", row.path,
                       row.folder, strerror(errno));
    if (kind == OK) {
        struct store_change change = {.kind = STORE_MISSING, .file = row};
        change.file.missing_ms = now_ms;
        log_info("library.discarded", log_str("file", id), log_str("path", row.path));
        kind = store_files_change(library->store, &change, 1);
        if (kind == OK)
            scan_tell_changes(library, &change, 1);
        library_scan_start(library); /* what else lies there is seen as it is now */
    }
    store_file_fini(&row);
    return kind;
}

/* The day that it came there, or -1: it is not of us. */
static int64_t day_of(const char *name)
{
    char day[DAY_LETTERS + sizeof "T00:00:00Z"];
    int64_t ms;
    if (strlen(name) <= DAY_LETTERS + 1 + ID_LETTERS || name[DAY_LETTERS] != ' ' ||
        strspn(name + DAY_LETTERS + 1, "abcdefghijklmnopqrstuvwxyz234567") != ID_LETTERS ||
        name[DAY_LETTERS + 1 + ID_LETTERS] != ' ')
        return -1;
    snprintf(day, sizeof day, "%.*sT00:00:00Z", (int) DAY_LETTERS, name);
    return clock_parse_iso(day, &ms) == OK ? ms : -1;
}

static void purge(const char *folder, int64_t now_ms)
{
    int fd = open_trash(folder, false);
    DIR *trash = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (trash == NULL) {
        fd_close(&fd);
        return;
    }
    while ((entry = readdir(trash)) != NULL) {
        int64_t day = day_of(entry->d_name);
        if (day >= 0 && now_ms >= day + KEPT_MS + DAY_MS && unlinkat(fd, entry->d_name, 0) == 0)
            log_info("library.trash_emptied", log_str("name", entry->d_name));
    }
    closedir(trash);
}

void trash_purge(const struct library *library, int64_t now_ms)
{
    for (size_t i = 0; i < library->folder_count; i++)
        purge(library->folders[i], now_ms);
}
