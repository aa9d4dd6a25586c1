/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of the library: whole, filled by nobody. Their identity is size, mtime and a hash of the
 * two ends (decision 1): the middle of a film is never read for it. Threads: any that may sleep. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "source/source_private.h"

enum { END_BYTES = 64 * 1024 };

static enum err refuse(struct why *why, int number, const char *doing)
{
    if (number == ELOOP)
        return why_set(why, ERR_REFUSED, NULL, "it is a symbolic link");
    if (number == ENOENT || number == ENOTDIR)
        return why_set(why, ERR_NOT_FOUND, NULL, "there is no such file");
    return why_set(why, err_from_errno(number), NULL, "cannot %s the file: %s", doing,
                   strerror(number));
}

static enum err check_regular(const struct stat *stat, struct why *why)
{
    if (S_ISREG(stat->st_mode))
        return OK;
    return why_set(why, ERR_REFUSED, NULL, "it is %s, not a file",
                   S_ISDIR(stat->st_mode)   ? "a folder"
                   : S_ISLNK(stat->st_mode) ? "a symbolic link"
                                            : "a device, pipe or socket");
}

/* Looks before it opens, since opening a device can already do something; and again after, since
 * the name may mean another thing by then. O_NONBLOCK: a FIFO must not wait for its writer. */
static enum err open_regular(const char *path, int *out, struct stat *stat, struct why *why)
{
    if (fstatat(AT_FDCWD, path, stat, AT_SYMLINK_NOFOLLOW) != 0)
        return refuse(why, errno, "look at");
    enum err kind = check_regular(stat, why);
    if (kind != OK)
        return kind;
    CLEANUP(fd_close)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return refuse(why, errno, "open");
    if (fstat(fd, stat) != 0)
        return refuse(why, errno, "look at");
    kind = check_regular(stat, why);
    if (kind == OK)
        *out = fd_take(&fd);
    return kind;
}

static enum err hash_ends(int fd, struct source_identity *identity, struct why *why)
{
    static const char kind_name[] = "local";
    CLEANUP(mem_free_at) uint8_t *end = mem_zalloc(END_BYTES);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof identity->hash);
    crypto_generichash_update(&state, (const uint8_t *) kind_name, sizeof kind_name);
    crypto_generichash_update(&state, (const uint8_t *) &identity->size, sizeof identity->size);
    uint64_t tail = identity->size > END_BYTES ? identity->size - END_BYTES : 0;
    const uint64_t offsets[] = {0, tail};
    for (size_t i = 0; i < 2; i++) {
        size_t got = 0;
        if (fd_read_at(fd, end, END_BYTES, offsets[i], &got) != OK)
            return why_set(why, ERR_IO, NULL, "cannot read the file: %s", strerror(errno));
        crypto_generichash_update(&state, end, got);
    }
    crypto_generichash_final(&state, identity->hash, sizeof identity->hash);
    return OK;
}

enum err source_open_local(const char *path, struct source **out, struct why *why)
{
    struct stat stat;
    CLEANUP(fd_close) int fd = -1;
    enum err kind = open_regular(path, &fd, &stat, why);
    if (kind != OK)
        return kind;
    struct source_identity identity = {.size = (uint64_t) stat.st_size,
                                       .mtime_ns = source_mtime_ns(&stat)};
    kind = hash_ends(fd, &identity, why);
    if (kind == OK)
        *out = source_new(&fd, &identity, (uint64_t) stat.st_dev);
    return kind;
}

enum err source_open_unnamed(int *fd, struct source **out)
{
    struct stat stat;
    if (fstat(*fd, &stat) != 0)
        return ERR_IO;
    struct source_identity identity = source_identity_of((uint64_t) stat.st_size, "unnamed");
    identity.mtime_ns = source_mtime_ns(&stat);
    *out = source_new(fd, &identity, (uint64_t) stat.st_dev);
    return OK;
}
