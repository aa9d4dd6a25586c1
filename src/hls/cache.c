/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    NAME_LENGTH = 2 * sizeof(struct cache_key),
    COPY_BYTES = 256 * 1024,
    EVICT_TRIES = 16, /* files dropped for one that finds the disk full */
};

static const char magic[8] = "mtncach1";
static const char temporary_prefix[] = ".new-";

/* Little-endian hosts only (x86-64, arm64), and never leaves this machine. */
struct header {
    char magic[8];
    uint64_t size;
    uint8_t key[32];
    uint8_t checksum[32]; /* of the segment and of all of the header before it */
    char tag[SEGMENT_TAG_SIZE];
};

struct entry {
    struct cache_key key;
    uint64_t size;  /* of the file */
    uint64_t used;  /* rises with each use */
    bool is_proven; /* its checksum was seen to be right since we started */
};

struct cache {
    /* fixed after open */
    int folder;
    uint64_t budget;
    pthread_mutex_t lock;
    /* under lock */
    struct entry *entries;
    size_t count, room;
    uint64_t bytes, clock, temporary;
};

static void name_of(const struct cache_key *key, char out[NAME_LENGTH + 1])
{
    sodium_bin2hex(out, NAME_LENGTH + 1, key->hash, sizeof key->hash);
}

static bool key_of(const char *name, struct cache_key *out)
{
    size_t length = 0;
    return strlen(name) == NAME_LENGTH &&
           sodium_hex2bin(out->hash, sizeof out->hash, name, NAME_LENGTH, NULL, &length, NULL) ==
               0 &&
           length == sizeof out->hash;
}

/* --- the index; all under lock --- */

static struct entry *find(struct cache *cache, const struct cache_key *key)
{
    for (size_t i = 0; i < cache->count; i++)
        if (memcmp(cache->entries[i].key.hash, key->hash, sizeof key->hash) == 0)
            return &cache->entries[i];
    return NULL;
}

static void forget(struct cache *cache, struct entry *entry)
{
    cache->bytes -= entry->size;
    *entry = cache->entries[--cache->count];
}

static void note(struct cache *cache, const struct cache_key *key, uint64_t size, bool is_proven)
{
    struct entry *old = find(cache, key);
    if (old != NULL)
        forget(cache, old);
    mem_grow(cache->entries, cache->count, cache->room);
    cache->entries[cache->count++] =
        (struct entry){.key = *key, .size = size, .used = ++cache->clock, .is_proven = is_proven};
    cache->bytes += size;
}

static bool drop_oldest(struct cache *cache)
{
    struct entry *oldest = NULL;
    for (size_t i = 0; i < cache->count; i++)
        if (oldest == NULL || cache->entries[i].used < oldest->used)
            oldest = &cache->entries[i];
    if (oldest == NULL)
        return false;
    char name[NAME_LENGTH + 1];
    name_of(&oldest->key, name);
    unlinkat(cache->folder, name, 0);
    forget(cache, oldest);
    return true;
}

static void make_room(struct cache *cache, uint64_t size)
{
    while (cache->bytes + size > cache->budget && drop_oldest(cache))
        ;
}

/* --- open and close --- */

struct found {
    struct cache_key key;
    uint64_t size;
    int64_t used_ns;
};

static int by_use(const void *a, const void *b)
{
    const struct found *left = a;
    const struct found *right = b;
    return (left->used_ns > right->used_ns) - (left->used_ns < right->used_ns);
}

static void look_at(struct cache *cache, const char *name, struct found **found, size_t *count,
                    size_t *room)
{
    struct found one = {0};
    struct stat stat;
    if (strncmp(name, temporary_prefix, sizeof temporary_prefix - 1) == 0) {
        unlinkat(cache->folder, name, 0);
        return;
    }
    if (!key_of(name, &one.key) || fstatat(cache->folder, name, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(stat.st_mode))
        return;
    one.size = (uint64_t) stat.st_size;
    one.used_ns = (int64_t) stat.st_mtim.tv_sec * 1000000000 + stat.st_mtim.tv_nsec;
    mem_grow(*found, *count, *room);
    (*found)[(*count)++] = one;
}

static enum err read_folder(struct cache *cache)
{
    int fd = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        fd_close(&fd);
        return ERR_IO;
    }
    struct found *found = NULL;
    size_t count = 0;
    size_t room = 0;
    for (struct dirent *item; (item = readdir(folder)) != NULL;)
        look_at(cache, item->d_name, &found, &count, &room);
    closedir(folder);
    if (count > 0)
        qsort(found, count, sizeof *found, by_use);
    for (size_t i = 0; i < count; i++)
        note(cache, &found[i].key, found[i].size, false);
    mem_free(found);
    make_room(cache, 0);
    return OK;
}

enum err cache_open(const char *folder, uint64_t budget_bytes, struct cache **out, struct why *why)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return why_set(why, err_from_errno(errno), NULL, "cannot make %s: %s", folder,
                       strerror(errno));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return why_set(why, err_from_errno(errno), NULL, "cannot open %s: %s", folder,
                       strerror(errno));
    struct cache *cache = mem_new(struct cache);
    cache->folder = fd;
    cache->budget = budget_bytes;
    pthread_mutex_init(&cache->lock, NULL);
    if (read_folder(cache) != OK) {
        cache_close(&cache);
        return why_set(why, ERR_IO, NULL, "cannot read %s", folder);
    }
    *out = cache;
    return OK;
}

void cache_close(struct cache **cache)
{
    struct cache *gone = *cache;
    *cache = NULL;
    if (gone == NULL)
        return;
    fd_close(&gone->folder);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->entries);
    mem_free(gone);
}

bool cache_has(struct cache *cache, const struct cache_key *key)
{
    pthread_mutex_lock(&cache->lock);
    bool has = find(cache, key) != NULL;
    pthread_mutex_unlock(&cache->lock);
    return has;
}

uint64_t cache_bytes(struct cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

/* --- checksums --- */

static void begin_sum(crypto_generichash_state *state, const struct header *header)
{
    crypto_generichash_init(state, NULL, 0, sizeof header->checksum);
    crypto_generichash_update(state, (const uint8_t *) header, offsetof(struct header, checksum));
    crypto_generichash_update(state, (const uint8_t *) header->tag, sizeof header->tag);
}

/* Reads `size` bytes of `from`, adds them to the sum, writes them to `to` unless that is -1. */
static enum err pass(int from, uint64_t offset, uint64_t size, int to,
                     crypto_generichash_state *state)
{
    CLEANUP(mem_free_at) uint8_t *block = mem_zalloc(COPY_BYTES);
    for (uint64_t done = 0; done < size;) {
        size_t step = size - done < COPY_BYTES ? (size_t) (size - done) : COPY_BYTES;
        size_t got = 0;
        enum err kind = fd_read_at(from, block, step, offset + done, &got);
        if (kind == OK && got < step)
            kind = ERR_IO;
        if (kind == OK && to >= 0)
            kind = fd_write_at(to, block, step, sizeof(struct header) + done);
        if (kind != OK)
            return kind;
        crypto_generichash_update(state, block, step);
        done += step;
    }
    return OK;
}

/* --- put --- */

static enum err write_file(int to, const struct cache_key *key, int from, uint64_t size,
                           const char *tag)
{
    struct header header = {.size = size};
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.key, key->hash, sizeof header.key);
    snprintf(header.tag, sizeof header.tag, "%s", tag);
    crypto_generichash_state state;
    begin_sum(&state, &header);
    enum err kind = pass(from, 0, size, to, &state);
    if (kind != OK)
        return kind;
    crypto_generichash_final(&state, header.checksum, sizeof header.checksum);
    return fd_write_at(to, &header, sizeof header, 0);
}

static enum err write_new(struct cache *cache, const char *temporary, const struct cache_key *key,
                          int from, uint64_t size, const char *tag)
{
    CLEANUP(fd_close)
    int to = openat(cache->folder, temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (to < 0)
        return errno == ENOSPC || errno == EDQUOT ? ERR_LIMIT : ERR_IO;
    enum err kind = write_file(to, key, from, size, tag);
    char name[NAME_LENGTH + 1];
    name_of(key, name);
    if (kind == OK && renameat(cache->folder, temporary, cache->folder, name) != 0)
        kind = errno == ENOSPC || errno == EDQUOT ? ERR_LIMIT : ERR_IO;
    if (kind != OK)
        unlinkat(cache->folder, temporary, 0);
    return kind;
}

enum err cache_put(struct cache *cache, const struct cache_key *key, int fd, uint64_t size,
                   const char *tag)
{
    uint64_t whole = size + sizeof(struct header);
    if (size > cache->budget || whole > cache->budget)
        return ERR_LIMIT;
    pthread_mutex_lock(&cache->lock);
    make_room(cache, whole);
    char temporary[40];
    snprintf(temporary, sizeof temporary, "%s%llu", temporary_prefix,
             (unsigned long long) ++cache->temporary);
    pthread_mutex_unlock(&cache->lock);
    enum err kind = write_new(cache, temporary, key, fd, size, tag);
    for (int tries = 0; kind == ERR_LIMIT && tries < EVICT_TRIES; tries++) {
        pthread_mutex_lock(&cache->lock);
        bool dropped = drop_oldest(cache);
        pthread_mutex_unlock(&cache->lock);
        if (!dropped)
            break;
        kind = write_new(cache, temporary, key, fd, size, tag);
    }
    if (kind != OK) {
        log_warning("cache.put", log_err(kind), log_int("bytes", (int64_t) whole));
        return kind;
    }
    pthread_mutex_lock(&cache->lock);
    note(cache, key, whole, true);
    make_room(cache, 0);
    pthread_mutex_unlock(&cache->lock);
    return OK;
}

/* --- find --- */

static bool is_text(const char *tag)
{
    size_t length = strnlen(tag, SEGMENT_TAG_SIZE);
    if (length < 3 || length == SEGMENT_TAG_SIZE || tag[0] != '"' || tag[length - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < length; i++)
        if (tag[i] <= ' ' || tag[i] > '~' || tag[i] == '"')
            return false;
    return true;
}

static bool is_sound(int fd, const struct header *header)
{
    crypto_generichash_state state;
    uint8_t checksum[sizeof header->checksum];
    begin_sum(&state, header);
    if (pass(fd, sizeof *header, header->size, -1, &state) != OK)
        return false;
    crypto_generichash_final(&state, checksum, sizeof checksum);
    return memcmp(checksum, header->checksum, sizeof checksum) == 0;
}

static bool read_header(int fd, const struct cache_key *key, struct header *out)
{
    struct stat stat;
    size_t got = 0;
    return fd_read_at(fd, out, sizeof *out, 0, &got) == OK && got == sizeof *out &&
           memcmp(out->magic, magic, sizeof magic) == 0 &&
           memcmp(out->key, key->hash, sizeof key->hash) == 0 && is_text(out->tag) &&
           fstat(fd, &stat) == 0 && stat.st_size >= (off_t) sizeof *out &&
           (uint64_t) stat.st_size - sizeof *out == out->size;
}

static void drop(struct cache *cache, const struct cache_key *key, const char *name)
{
    log_warning("cache.damaged", log_str("entry", name));
    unlinkat(cache->folder, name, 0);
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    if (entry != NULL)
        forget(cache, entry);
    pthread_mutex_unlock(&cache->lock);
}

/* Marks a use: in the index, and on disk for the next start. */
static void touch(struct cache *cache, const struct cache_key *key, int fd)
{
    futimens(fd, NULL);
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    if (entry != NULL) {
        entry->used = ++cache->clock;
        entry->is_proven = true;
    }
    pthread_mutex_unlock(&cache->lock);
}

enum err cache_find(struct cache *cache, const struct cache_key *key, struct segment **out)
{
    char name[NAME_LENGTH + 1];
    name_of(key, name);
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    bool is_held = entry != NULL;
    bool is_proven = is_held && entry->is_proven;
    pthread_mutex_unlock(&cache->lock);
    if (!is_held)
        return ERR_NOT_FOUND;
    CLEANUP(fd_close) int fd = openat(cache->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct header header;
    if (fd < 0 || !read_header(fd, key, &header) || (!is_proven && !is_sound(fd, &header))) {
        drop(cache, key, name);
        return ERR_NOT_FOUND;
    }
    touch(cache, key, fd);
    *out = segment_new_stored(&fd, sizeof header, header.size, header.tag);
    return OK;
}
