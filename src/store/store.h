/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must outlive the process: an SQLite database in the data folder. All SQL stands in this
 * folder, behind functions that speak of the domain (accounts.h, films.h), so that another engine
 * can stand beside it.
 * Life: store_open -> reads and writes -> store_close.
 * Threads: all functions may be called from any thread but a loop's, as they wait for the disk.
 * Writes go to one writer thread, which groups what is queued into one transaction and lets the
 * callers go when it is on the disk; reads have connections of their own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

#define STORE_ID_SIZE 24

struct store;

/* Opens or makes the database, brings its schema up to date. BAD_INPUT: it is damaged, not ours, or
 * was written by a newer matinee; IO: the disk. `why` says which. */
MUST_CHECK enum err store_open(const char *path, struct store **out, struct why *why);
/* Whether there is a database of an older schema, which store_open will bring up to date. */
bool store_wants_upgrade(const char *path);
/* Finishes what is queued. No call may be under way. */
void store_close(struct store **store);
/* Writes a mark and waits until it is on the disk: for /healthz. IO. */
MUST_CHECK enum err store_touch(struct store *store, int64_t now_ms);

/* A new opaque id: 20 characters of base32, 100 random bits, so that none is ever given twice. */
void store_new_id(char out[STORE_ID_SIZE]);
