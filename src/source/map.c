/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

struct map {
    int fd; /* opened for reading */
    uint8_t *bits;
    size_t bytes;
};

/* What a process does with an fd of /proc it could do to ours; but it has no /proc, nor may it open.
 * The seal is a second lock, where the kernel has it (5.1). */
static enum err share(int memory, int *out)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_BUSY;
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0)
        (void) fcntl(memory, F_GETFD); /* an older kernel: the fd for reading has to do */
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(fd);
        return ERR_IO;
    }
    *out = fd;
    return OK;
}

enum err map_new(uint64_t size, struct map **out)
{
    uint64_t blocks = size / MAP_BLOCK_BYTES + (size % MAP_BLOCK_BYTES != 0);
    CLEANUP(map_free) struct map *map = mem_new(struct map);
    CLEANUP(fd_close) int memory = -1;
    map->fd = -1;
    map->bytes = (size_t) (blocks / 8 + 1);
    if (fd_memory("matinee-map", &memory) != OK)
        return ERR_BUSY;
    if (ftruncate(memory, (off_t) map->bytes) != 0)
        return ERR_IO;
    void *bits = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (bits == MAP_FAILED)
        return ERR_IO;
    map->bits = bits;
    enum err err = share(memory, &map->fd);
    if (err != OK)
        return err;
    *out = map;
    map = NULL;
    return OK;
}

void map_free(struct map **map)
{
    struct map *gone = *map;
    *map = NULL;
    if (gone == NULL)
        return;
    if (gone->bits != NULL)
        munmap(gone->bits, gone->bytes);
    fd_close(&gone->fd);
    mem_free(gone);
}

int map_fd(const struct map *map)
{
    return map->fd;
}

void map_set(struct map *map, uint64_t block, bool is_there)
{
    uint8_t *byte = &map->bits[block / 8];
    uint8_t bit = (uint8_t) (1u << block % 8);
    MUST(block / 8 < map->bytes);
    if (is_there)
        __atomic_fetch_or(byte, bit, __ATOMIC_RELEASE);
    else
        __atomic_fetch_and(byte, (uint8_t) ~bit, __ATOMIC_SEQ_CST);
}

bool map_has_block(const struct map *map, uint64_t block)
{
    MUST(block / 8 < map->bytes);
    return (__atomic_load_n(&map->bits[block / 8], __ATOMIC_ACQUIRE) >> block % 8 & 1) != 0;
}

bool map_has(const struct map *map, uint64_t offset, uint64_t length)
{
    if (length == 0)
        return true;
    uint64_t last = (offset + length - 1) / MAP_BLOCK_BYTES;
    for (uint64_t block = offset / MAP_BLOCK_BYTES; block <= last; block++)
        if (!map_has_block(map, block))
            return false;
    return true;
}
