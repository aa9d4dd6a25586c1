/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line, as architecture.md has it: a command, its flags, over the settings of file and
 * environment. Threads: main's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "config.h"
#include "tool.h"
#include "user.h"

enum command {
    COMMAND_SERVE,
    COMMAND_INSPECT,
    COMMAND_SEGMENT,
    COMMAND_USER,
    COMMAND_BACKUP,
    COMMAND_RESTORE,
    COMMAND_HELP,
    COMMAND_VERSION
};

struct commandline {
    enum command command;
    struct config *config;       /* owned */
    struct tool_segment segment; /* for inspect: only .path */
    enum user_action user_action;
    const char *user_word; /* the action as it was said; NULL: none */
    const char *user_name; /* NULL: none */
    enum role user_role;
    int user_age;       /* of a child */
    const char *backup; /* the file */
};

/* Lends `argv`. BAD_INPUT, NOT_FOUND...: why says which flag, line or variable. */
MUST_CHECK enum err commandline_read(int argc, char **argv, char **environment,
                                     struct commandline *out, struct why *why);
void commandline_fini(struct commandline *options);
const char *commandline_usage(void);
