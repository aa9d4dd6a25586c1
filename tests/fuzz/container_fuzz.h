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
#include "segments/display_sets.h"

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

static void count_event(void *ctx, const struct event *event)
{
    size_t *bytes = ctx;
    *bytes += event->size + event->beside_size;
    for (size_t i = 0; i < event->size; i++) /* all of it can be read */
        *bytes += event->bytes[i];
    for (size_t i = 0; i < event->beside_size; i++)
        *bytes += event->beside[i];
}

static void ask_events(struct container *container, struct reader *reader, uint32_t track)
{
    size_t bytes = 0;
    int64_t second = 1000000000;
    (void) !container_events(container, reader, track, 20 * second, 24 * second, NULL, count_event,
                             &bytes);
    (void) !container_events(container, reader, track, INT64_MIN / 4, INT64_MAX, NULL, count_event,
                             &bytes);
    for (int64_t from = 0; from < 8 * second; from += 2 * second) {
        int64_t next_ns = 0;
        (void) !container_event_chain(container, reader, track, from, from + 2 * second, pgs_role,
                                      &next_ns, count_event, &bytes);
    }
}

static void ask_fonts(struct container *container, struct reader *reader)
{
    uint64_t offset = 0, length = 0, size = input_size(reader->input);
    for (uint32_t n = 1; n < 4; n++)
        if (container_font(container, reader, n, &offset, &length) == OK &&
            (offset > size || length > size - offset))
            abort();
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
        const struct plan_track *tracks = container_tracks(container, &count);
        for (uint32_t i = 0; i < count && i < 4; i++)
            ask_track(container, &reader, i);
        for (uint32_t i = 0, asked = 0; i < count && asked < 2; i++) {
            if (tracks[i].kind != PLAN_SUBTITLE)
                continue;
            ask_events(container, &reader, i);
            asked++;
        }
        ask_fonts(container, &reader);
        walk(container, &reader, UINT64_MAX, 0);
    }
    container_close(&container);
    input_close(&input);
}
