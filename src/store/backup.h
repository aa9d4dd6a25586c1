/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies of all that must not be lost, each one file: the database as of the call, with what stands beside it in the
 * data folder that cannot be had again (what is known of downloads). It is an SQLite database too, with those
 * files in a table of its own.
 * Threads: any but a loop's; all of it waits for the disk. Nothing here needs the store to be open: a server
 * that runs, and a program beside it, do the same. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"

/* Writes the database of the data folder to `path`, which must not be there yet; all that was committed before
 * the call is in it, and no half of a transaction. It is checked before it has its name. NOT_FOUND: there is no
 * database; BUSY: there is something at `path`; BAD_INPUT: the database is damaged; LIMIT: no room; IO. */
MUST_CHECK enum err backup_make(const char *data_folder, const char *path, struct why *why);

struct backup_facts {
    int schema;
    int64_t users, titles;
};
/* Whether it is whole, and one that this program can read. BAD_INPUT: no backup, damaged, or of a newer program
 * (why says both versions); IO. */
MUST_CHECK enum err backup_check(const char *path, struct backup_facts *out, struct why *why);

/* Lays a backup ready beside the data folder's own database, to be taken at the next start; checks the copy.
 * As backup_check; LIMIT, IO. */
MUST_CHECK enum err backup_stage(const char *data_folder, const char *path, struct why *why);
/* At the start, before the store is opened: what was laid ready becomes the database, and what was there before
 * stands in `before-restore-DATE` beside it. *was_restored says whether there was anything. May be interrupted at
 * any point and called again. IO. */
MUST_CHECK enum err backup_settle(const char *data_folder, bool *was_restored, struct why *why);
