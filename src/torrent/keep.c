/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "torrent/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

struct keep {
    char *path;
    int folder;  /* the folder's fd */
    int journal; /* -1: not open yet */
    /* under lock */
    pthread_mutex_t lock;
    bool is_abandoned;
};

static const char FILES[] = "f";
static const char JOURNAL[] = "pieces";
static const char OLD_JOURNAL[] = "pieces.old";

enum err keep_open(const char *root, const char *id, struct keep **out, struct why *why)
{
    struct str path = {0};
    str_printf(&path, "%s/%s", root, id);
    struct keep *keep = mem_new(struct keep);
    keep->path = str_take(&path);
    keep->journal = -1;
    keep->folder = -1;
    pthread_mutex_init(&keep->lock, NULL);
    bool is_made = mkdir(keep->path, 0700) == 0 || errno == EEXIST;
    if (is_made)
        keep->folder = open(keep->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (keep->folder >= 0 && (mkdirat(keep->folder, FILES, 0700) == 0 || errno == EEXIST)) {
        *out = keep;
        return OK;
    }
    enum err kind = why_set(why, errno == ENOSPC ? ERR_LIMIT : err_from_errno(errno), NULL,
                            "cannot make %s: %s", keep->path, strerror(errno));
    keep_close(&keep);
    return kind;
}

void keep_close(struct keep **keep)
{
    struct keep *gone = *keep;
    *keep = NULL;
    if (gone == NULL)
        return;
    fd_close(&gone->journal);
    fd_close(&gone->folder);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->path);
    mem_free(gone);
}

const char *keep_folder(const struct keep *keep)
{
    return keep->path;
}

/* --- removing --- */

static void empty_folder(int folder, int depth);

static void remove_entry(int folder, const char *name, int depth)
{
    enum { MOST_DEPTH = 4 }; /* we make two */
    if (unlinkat(folder, name, 0) == 0 || depth == MOST_DEPTH)
        return;
    CLEANUP(fd_close)
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return;
    empty_folder(inner, depth + 1);
    unlinkat(folder, name, AT_REMOVEDIR);
}

static void empty_folder(int folder, int depth)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    if (list == NULL) {
        fd_close(&again);
        return;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_entry(folder, entry->d_name, depth);
    }
    closedir(list);
}

void keep_abandon(struct keep *keep)
{
    pthread_mutex_lock(&keep->lock);
    keep->is_abandoned = true;
    unlinkat(keep->folder, KEEP_STATE, 0);
    pthread_mutex_unlock(&keep->lock);
}

void keep_remove(struct keep **keep)
{
    if (*keep == NULL)
        return;
    empty_folder((*keep)->folder, 0);
    if (rmdir((*keep)->path) != 0)
        log_warning("torrent.folder", log_str("path", (*keep)->path),
                    log_str("why", strerror(errno)));
    keep_close(keep);
}

/* --- whole files --- */

static enum err write_synced(int fd, const void *bytes, size_t size)
{
    enum err kind = fd_write_at(fd, bytes, size, 0);
    if (kind == OK && fdatasync(fd) != 0)
        kind = errno == ENOSPC ? ERR_LIMIT : ERR_IO;
    return kind;
}

static enum err put_in_place(struct keep *keep, const char *draft, const char *name)
{
    enum err kind = OK;
    pthread_mutex_lock(&keep->lock);
    if (keep->is_abandoned)
        kind = ERR_GONE;
    else if (renameat(keep->folder, draft, keep->folder, name) != 0)
        kind = ERR_IO;
    pthread_mutex_unlock(&keep->lock);
    return kind;
}

enum err keep_put(struct keep *keep, const char *name, const void *bytes, size_t size)
{
    char draft[64];
    snprintf(draft, sizeof draft, "%s.new", name);
    CLEANUP(fd_close)
    int fd =
        openat(keep->folder, draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ENOSPC ? ERR_LIMIT : ERR_IO;
    enum err kind = write_synced(fd, bytes, size);
    if (kind == OK)
        kind = put_in_place(keep, draft, name);
    if (kind == OK && fsync(keep->folder) != 0)
        kind = ERR_IO;
    if (kind != OK)
        unlinkat(keep->folder, draft, 0);
    return kind;
}

enum err keep_get(struct keep *keep, const char *name, size_t most, uint8_t **bytes, size_t *size)
{
    struct stat status;
    CLEANUP(fd_close) int fd = openat(keep->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if ((uint64_t) status.st_size > most)
        return ERR_LIMIT;
    uint8_t *got =
        mem_zalloc((size_t) status.st_size + 1); /* terminated, for those who read text */
    enum err kind = fd_read_at(fd, got, (size_t) status.st_size, 0, size);
    if (kind != OK) {
        mem_free(got);
        return kind;
    }
    *bytes = got;
    return OK;
}

/* --- the journal --- */

void keep_note_piece(struct keep *keep, uint32_t piece)
{
    const uint8_t bytes[4] = {(uint8_t) piece, (uint8_t) (piece >> 8), (uint8_t) (piece >> 16),
                              (uint8_t) (piece >> 24)};
    if (keep->journal < 0)
        keep->journal = openat(keep->folder, JOURNAL,
                               O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* Without it the piece would be fetched again after a crash, no more. */
    if (keep->journal < 0 || write(keep->journal, bytes, sizeof bytes) != sizeof bytes)
        log_debug("torrent.journal", log_str("why", strerror(errno)));
}

static void read_journal(struct keep *keep, const char *name, uint8_t *have, uint32_t count)
{
    enum { MOST_BYTES = 4 * 1024 * 1024 };
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size = 0;
    if (keep_get(keep, name, MOST_BYTES, &bytes, &size) != OK)
        return;
    for (size_t at = 0; at + 4 <= size; at += 4) {
        uint32_t piece = (uint32_t) bytes[at] | (uint32_t) bytes[at + 1] << 8 |
                         (uint32_t) bytes[at + 2] << 16 | (uint32_t) bytes[at + 3] << 24;
        if (piece < count)
            have[piece] = 1;
    }
}

void keep_noted_pieces(struct keep *keep, uint8_t *have, uint32_t count)
{
    read_journal(keep, JOURNAL, have, count);
    read_journal(keep, OLD_JOURNAL, have, count);
}

void keep_turn_pieces(struct keep *keep)
{
    /* One that is still there was of a resume that could not be kept. */
    if (faccessat(keep->folder, OLD_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return;
    fd_close(&keep->journal);
    renameat(keep->folder, JOURNAL, keep->folder, OLD_JOURNAL);
}

void keep_forget_pieces(struct keep *keep)
{
    unlinkat(keep->folder, OLD_JOURNAL, 0);
}

/* --- files of the torrent --- */

enum err keep_open_file(struct keep *keep, const char *name, uint64_t size, int *out)
{
    struct stat status;
    CLEANUP(fd_close)
    int made = openat(keep->folder, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (made < 0 || fstat(made, &status) != 0)
        return errno == ENOSPC ? ERR_LIMIT : err_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        return ERR_REFUSED;
    if ((uint64_t) status.st_size < size && ftruncate(made, (off_t) size) != 0)
        return errno == ENOSPC || errno == EFBIG ? ERR_LIMIT : ERR_IO;
    int fd = openat(keep->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    *out = fd;
    return OK;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The clock of files ticks every few ms: what was written in the tick of the last word may have come after it. */
static bool look_at_file(int folder, const char *name, const struct timespec *last)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (S_ISREG(status.st_mode))
        return last == NULL || is_older(&status.st_mtim, last);
    /* Who reads and writes the files of a torrent follows links. */
    remove_entry(folder, name, 0);
    return false;
}

static int open_files(struct keep *keep)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int folder = openat(keep->folder, FILES, FLAGS);
    if (folder >= 0)
        return folder;
    unlinkat(keep->folder, FILES, 0);
    if (mkdirat(keep->folder, FILES, 0700) != 0)
        log_warning("torrent.folder", log_str("path", keep->path), log_str("why", strerror(errno)));
    return -1;
}

bool keep_is_untouched(struct keep *keep, bool was_orderly)
{
    struct stat state;
    bool is_dated =
        was_orderly && fstatat(keep->folder, KEEP_STATE, &state, AT_SYMLINK_NOFOLLOW) == 0;
    int folder = open_files(keep);
    DIR *list = folder >= 0 ? fdopendir(folder) : NULL;
    if (list == NULL) {
        fd_close(&folder);
        return false;
    }
    bool is_untouched = true;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_untouched &= look_at_file(folder, entry->d_name, is_dated ? &state.st_mtim : NULL);
    closedir(list);
    return is_untouched;
}
