/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `matinee user ...`, `matinee backup` and `matinee restore`: what is done to the data folder without the page,
 * whether the server runs or not. Threads: main's. */
#pragma once

#include "base/role.h"
#include "base/why.h"
#include "config.h"

enum user_action { USER_ADD, USER_LIST, USER_PASSWD, USER_REMOVE };
/* BAD_INPUT */
MUST_CHECK enum err user_action_parse(const char *word, enum user_action *out);

struct user_order {
    enum user_action action;
    const char *name; /* NULL for USER_LIST */
    enum role role;   /* USER_ADD, as the next */
    int age;
};
/* Passwords come from the file that the setting auth.admin_password_file names, or from the input. A server that
 * runs hears of what was ended. */
MUST_CHECK enum err user_run(const struct config *config, const struct user_order *order,
                             struct why *why);

/* backup_make; a relative path is one of the folder that one is in. */
MUST_CHECK enum err user_backup(const struct config *config, const char *path, struct why *why);
/* backup_stage; a server that runs starts again with it, else the next start takes it. */
MUST_CHECK enum err user_restore(const struct config *config, const char *path, struct why *why);
