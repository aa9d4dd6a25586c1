/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The folder of backups, data/backups: one made every night, one before the schema is brought up to date, and those
 * that an administrator wants. Of nights the last 7 are kept, and the last of each of 4 weeks before.
 * Life: backups_start -> ... -> backups_stop. Threads: any but a loop's, as all of it waits for the disk; a thread
 * of its own makes those of the night. */
#pragma once

#include "store/backup.h"

#define BACKUP_ID_SIZE 40 /* "20261130T053000Z-nightly" */

enum backup_kind { BACKUP_NIGHTLY, BACKUP_MANUAL, BACKUP_UPGRADE, BACKUP_KINDS };
/* "nightly", "manual", "upgrade" */
const char *backup_kind_name(enum backup_kind kind);

struct backup {
    char id[BACKUP_ID_SIZE];
    enum backup_kind kind;
    int64_t made_ms; /* wall clock */
    uint64_t size;
};

/* Makes one now, and lets go of those that are too many. As backup_make. */
MUST_CHECK enum err backups_make(const char *data_folder, enum backup_kind kind, int64_t now_ms,
                                 struct backup *out, struct why *why);
/* All there are, the latest first; *out is the caller's (mem_free). IO. */
MUST_CHECK enum err backups_list(const char *data_folder, struct backup **out, size_t *count);
/* Where it stands: the caller's (mem_free). NOT_FOUND: there is no such backup, or it is no id. */
MUST_CHECK enum err backups_path(const char *data_folder, const char *id, char **out);
/* The latest that is whole and can be read by this program: its path, the caller's; NULL: none. */
char *backups_last_good(const char *data_folder);
/* Which of them, the latest first, are too many: sets drop[i]. */
void backups_choose(const struct backup *backups, size_t count, bool *drop);
/* Whether one of the night is due: there is none, it is a day old and the hour has come, or it is late. */
bool backups_is_due(int64_t last_ms, int64_t now_ms, int hour_now, int hour);

struct backups;
/* `hour` 0 to 23 of the local day; -1: none are made by themselves. BUSY: no thread. */
MUST_CHECK enum err backups_start(const char *data_folder, int hour, struct backups **out);
void backups_stop(struct backups **backups);
