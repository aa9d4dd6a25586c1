/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opens bytes as a film and asks everything that a plan asks. Included by mkv_fuzz.c and
 * mp4_fuzz.c. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/container.h"

/* More packets than that cannot come from a file of a fuzzer's size. */
#define PACKET_LIMIT 2000000

static void walk(struct container *container, struct reader *reader, uint64_t tracks, uint64_t pos)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    unsigned packets = 0;
    uint64_t size = input_size(reader->input);
    if (cursor_open(container, reader, tracks, pos, &cursor) != OK)
        return;
    while (packets < PACKET_LIMIT && cursor_next(cursor, &packet) == OK) {
        if (packet.offset > size || packet.size > size - packet.offset)
            abort();
        packets++;
    }
    if (packets == PACKET_LIMIT)
        abort();
    cursor_close(&cursor);
}

static void ask_track(struct container *container, struct reader *reader, uint32_t track)
{
    struct key *keys = NULL;
    size_t count = 0;
    int64_t first = 0, end = 0;
    uint64_t pos = 0;
    struct why why = {0};
    enum err err = container_keys(container, reader, track, &keys, &count, &why);
    if (err == ERR_NOT_FOUND)
        err = container_scan(container, reader, track, NULL, NULL, &keys, &count);
    if (err == OK && count > 0)
        walk(container, reader, UINT64_C(1) << track, keys[count / 2].pos);
    if (err == OK)
        mem_free(keys);
    if (container_span(container, reader, track, &first, &end) == OK &&
        container_seek(container, reader, track, first / 2 + end / 2, &pos) == OK)
        walk(container, reader, UINT64_C(1) << track, pos);
}

static void ask_everything(const uint8_t *bytes, size_t size)
{
    int film = -1, map = -1;
    struct input *input = NULL;
    struct container *container = NULL;
    struct why why = {0};
    uint32_t count = 0;
    if (fd_memory("film", &film) != OK || fd_write_at(film, bytes, size, 0) != OK ||
        input_open(&film, &map, size, NULL, NULL, &input) != OK)
        abort();
    struct reader reader = {.input = input};
    if (container_open(&reader, &container, &why) == OK) {
        (void) container_tracks(container, &count);
        for (uint32_t i = 0; i < count && i < 4; i++)
            ask_track(container, &reader, i);
        walk(container, &reader, UINT64_MAX, 0);
    }
    container_close(&container);
    input_close(&input);
}
