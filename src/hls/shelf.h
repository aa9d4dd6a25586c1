/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The films that are open and ready, for those who only want to read from their plan: playlists and
 * init segments need not go through the hub's loop. Rooms put films on it and take them off.
 * Threads: any. One lock inside, a leaf. */
#pragma once

#include "base/str.h"
#include "hls/film.h"

struct shelf;

struct shelf *shelf_new(void);
/* What is still on it is let go. *shelf is NULL afterwards; NULL is accepted. */
void shelf_free(struct shelf **shelf);

/* References `film` until shelf_remove, under its own id; at most one film has an id. */
void shelf_put(struct shelf *shelf, struct film *film);
/* Nothing where another film, or none, stands under that id. */
void shelf_remove(struct shelf *shelf, const struct film *film);

/* The film of that id, referenced for the caller, and noted as used now; NULL: not on the shelf, or
 * its file has changed. */
struct film *shelf_find(struct shelf *shelf, struct slice id);
