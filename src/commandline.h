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

enum command {
    COMMAND_SERVE,
    COMMAND_INSPECT,
    COMMAND_SEGMENT,
    COMMAND_USER,
    COMMAND_HELP,
    COMMAND_VERSION
};

struct commandline {
    enum command command;
    struct config *config;       /* owned */
    struct tool_segment segment; /* for inspect: only .path */
    const char *user_action;     /* "add" */
    const char *user_name;
};

/* Lends `argv`. BAD_INPUT, NOT_FOUND...: why says which flag, line or variable. */
MUST_CHECK enum err commandline_read(int argc, char **argv, char **environment,
                                     struct commandline *out, struct why *why);
void commandline_fini(struct commandline *options);
const char *commandline_usage(void);
