/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counted handle and what is the same for all kinds of sources: identity, presence, reads.
 * Threads: any; nothing changes after open but the count, and what is there (sparse.c). */
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/mem.h"
#include "source/source_private.h"

struct source *source_new(int *fd, const struct source_identity *identity, uint64_t device)
{
    struct source *source = mem_new(struct source);
    atomic_init(&source->references, 1);
    source->fd = fd_take(fd);
    source->identity = *identity;
    source->device = device;
    return source;
}

struct source *source_ref(struct source *source)
{
    atomic_fetch_add_explicit(&source->references, 1, memory_order_relaxed);
    return source;
}

bool source_is_shared(const struct source *source)
{
    return atomic_load_explicit(&source->references, memory_order_acquire) > 1;
}

void source_unref(struct source **source)
{
    struct source *gone = *source;
    *source = NULL;
    if (gone == NULL)
        return;
    if (atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    sparse_free(&gone->sparse);
    fd_close(&gone->fd);
    mem_free(gone);
}

bool source_identity_equal(const struct source_identity *a, const struct source_identity *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns &&
           memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

struct source_identity source_identity_of(uint64_t size, const char *words)
{
    struct source_identity identity = {.size = size};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof identity.hash);
    crypto_generichash_update(&state, (const uint8_t *) &size, sizeof size);
    crypto_generichash_update(&state, (const uint8_t *) words, strlen(words));
    crypto_generichash_final(&state, identity.hash, sizeof identity.hash);
    return identity;
}

const struct source_identity *source_identity(const struct source *source)
{
    return &source->identity;
}

uint64_t source_size(const struct source *source)
{
    return source->identity.size;
}

uint64_t source_device(const struct source *source)
{
    return source->device;
}

int source_fd(const struct source *source)
{
    return source->fd;
}

int source_map_fd(const struct source *source)
{
    return source->sparse != NULL ? map_fd(sparse_map(source->sparse)) : -1;
}

bool source_has(const struct source *source, uint64_t offset, uint64_t length)
{
    uint64_t size = source->identity.size;
    bool is_inside = offset <= size && length <= size - offset;
    return is_inside &&
           (source->sparse == NULL || map_has(sparse_map(source->sparse), offset, length));
}

int64_t source_mtime_ns(const struct stat *stat)
{
    return (int64_t) stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
}

bool source_is_unchanged(const struct source *source)
{
    struct stat now;
    if (source->sparse != NULL)
        return !sparse_has_failed(source->sparse);
    return fstat(source->fd, &now) == 0 && (uint64_t) now.st_size == source->identity.size &&
           source_mtime_ns(&now) == source->identity.mtime_ns;
}

/* What of `size` bytes at `offset` lies inside. */
static enum err inside(const struct source *source, size_t *size, uint64_t offset)
{
    uint64_t whole = source->identity.size;
    if (offset >= whole)
        return ERR_BAD_INPUT;
    if (*size > whole - offset)
        *size = (size_t) (whole - offset);
    return OK;
}

typedef enum err read_fn(const struct source *source, void *into, size_t size, uint64_t offset,
                         size_t *got);

/* So much from `offset` on, up to `size`, is there: whole blocks, but for the first and the last. */
static size_t size_here(const struct source *source, uint64_t offset, size_t size)
{
    uint64_t at = offset;
    while (at < offset + size && source_has(source, at, 1))
        at = (at / MAP_BLOCK_BYTES + 1) * MAP_BLOCK_BYTES;
    return at < offset + size ? (size_t) (at - offset) : size;
}

/* Decision 18: looks at the bits, reads, looks again, and throws away what was read if one is gone. What
 * lies before a hole is read: who waits for its first byte waits for no more than that. */
static enum err read_here(struct source *source, void *into, size_t size, uint64_t offset,
                          size_t *got, read_fn *read)
{
    enum err kind = inside(source, &size, offset);
    if (kind != OK)
        return kind;
    if (source->sparse == NULL)
        return read(source, into, size, offset, got);
    unsigned number = sparse_enter(source->sparse);
    size = size_here(source, offset, size);
    kind = size > 0 ? read(source, into, size, offset, got) : ERR_NOT_FOUND;
    sparse_leave(source->sparse, number);
    return kind == OK && !source_has(source, offset, size) ? ERR_NOT_FOUND : kind;
}

static enum err read_cached(const struct source *source, void *into, size_t size, uint64_t offset,
                            size_t *got)
{
    struct iovec to = {into, size};
    ssize_t read = preadv2(source->fd, &to, 1, (off_t) offset, RWF_NOWAIT);
    if (read > 0) {
        *got = (size_t) read;
        return OK;
    }
    /* Some kernels say 0 where they mean EAGAIN: the sleeping read tells a file that was cut. */
    if (read == 0 || errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR || errno == ENOSYS)
        return ERR_AGAIN;
    return ERR_IO;
}

enum err source_read_now(struct source *source, void *into, size_t size, uint64_t offset,
                         size_t *got)
{
    return read_here(source, into, size, offset, got, read_cached);
}

static enum err read_all(const struct source *source, void *into, size_t size, uint64_t offset,
                         size_t *got)
{
    size_t read = 0;
    enum err kind = fd_read_at(source->fd, into, size, offset, &read);
    if (kind != OK)
        return kind;
    if (read < size)
        return ERR_GONE;
    *got = read;
    return OK;
}

enum err source_read(struct source *source, void *into, size_t size, uint64_t offset, size_t *got)
{
    return read_here(source, into, size, offset, got, read_all);
}

bool source_is_cached(const struct source *source, uint64_t offset, uint64_t length)
{
    return source->sparse == NULL && source_has(source, offset, length) &&
           fd_is_cached(source->fd, offset, length);
}

void source_read_ahead(const struct source *source, const struct span *span)
{
    if (source->sparse == NULL && span->begin < span->end)
        (void) posix_fadvise(source->fd, (off_t) span->begin, (off_t) (span->end - span->begin),
                             POSIX_FADV_WILLNEED);
}
