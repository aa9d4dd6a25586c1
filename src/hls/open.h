/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening a film for a room: the library's word, the file, the stored plan. Work of hls's pool,
 * started from and answered on the hub's loop. */
#pragma once

#include "hls/hub.h"

/* As the library has it. */
struct stored_plan {
    struct plan *plan; /* NULL: none that fits */
    uint8_t *bytes;
    size_t size;
};

struct opening {
    struct hls *hls;
    uint64_t room;
    char id[FILM_ID_SIZE];
    enum err kind;
    struct why why;
    struct source *source;
    struct beside *beside; /* NULL: its file is still on its way */
    struct stored_plan plan;
    struct stored_plan first; /* the one before */
};

/* Ends with room_opened, unless the room ended first. */
void open_start(struct room *room);
/* room.c's. What is taken out of `opening` is NULL afterwards. */
void room_opened(struct room *room, struct opening *opening);
/* Answers an ASK_SOURCE. */
void open_for_ask(struct ask *ask);
/* A film with the plan that the library has of it; NULL: it has none, or it cannot be opened. Blocks. */
struct film *open_film(struct hls *hls, const char *id);
/* Tells the library of a new plan; copies `bytes`. */
void open_keep_plan(struct hls *hls, const char *id, const struct source_identity *identity,
                    const uint8_t *bytes, size_t size);
/* The source that the planner of a room read: a reference of the caller's. */
struct source *open_take_source(const struct planner *planner);
