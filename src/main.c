/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program matinee: reads the settings, starts the parts, waits for a signal, stops them in
 * reverse order. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "commandline.h"
#include "server.h"
#include "user.h"

extern char **environ;

/* The exit codes people and scripts see. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int say(enum err err, const struct why *why)
{
    fprintf(stderr, "matinee: %s\n", why->text[0] != '\0' ? why->text : err_text(err));
    return EXIT_FAILED;
}

static enum err run_user(const struct commandline *options, struct why *why)
{
    const struct user_order order = {.action = options->user_action,
                                     .name = options->user_name,
                                     .role = options->user_role,
                                     .age = options->user_age};
    return user_run(options->config, &order, why);
}

static enum err run(const struct commandline *options, bool *is_to_restart, struct why *why)
{
    struct media_options media;
    enum err err = server_media_options(options->config, &media, why);
    if (err != OK)
        return err;
    switch (options->command) {
    case COMMAND_SERVE:
        err = server_run(options->config, &media, is_to_restart, why);
        break;
    case COMMAND_INSPECT:
        err = tool_inspect(&media, (unsigned) options->config->media.cores, options->segment.path,
                           why);
        break;
    case COMMAND_SEGMENT:
        err = tool_write_segment(&media, &options->segment, why);
        break;
    case COMMAND_USER:
        err = run_user(options, why);
        break;
    case COMMAND_BACKUP:
        err = user_backup(options->config, options->backup, why);
        break;
    case COMMAND_RESTORE:
        err = user_restore(options->config, options->backup, why);
        break;
    case COMMAND_HELP:
        fputs(commandline_usage(), stdout);
        break;
    case COMMAND_VERSION:
        puts("matinee " MATINEE_VERSION);
        break;
    }
    server_media_options_fini(&media);
    return err;
}

/* Segments and plans come and go in all sizes. Those of many pages have them to themselves: they leave no
 * holes for others, and what is let go is the machine's again. */
static void settle_memory(void)
{
    enum { LONE_BYTES = 64 << 10 };
    mallopt(M_MMAP_THRESHOLD, LONE_BYTES);
}

int main(int argc, char **argv)
{
    struct commandline options;
    struct why why = {0};
    bool is_to_restart = false;
    int code = EXIT_OK;
    signal(SIGPIPE, SIG_IGN);
    settle_memory();
    enum err err = commandline_read(argc, argv, environ, &options, &why);
    if (err != OK) {
        say(err, &why);
        code = EXIT_USAGE;
    } else {
        enum log_level level = LOG_INFO;
        bool is_server = options.command == COMMAND_SERVE;
        if (log_level_parse(options.config->log_level, &level) == OK)
            log_set_level(!is_server && level == LOG_INFO ? LOG_WARNING : level);
        err = run(&options, &is_to_restart, &why);
        if (err != OK)
            code = say(err, &why);
    }
    commandline_fini(&options);
    if (is_to_restart && err == OK) {
        execv("/proc/self/exe", argv);
        perror("matinee: cannot start again");
        code = EXIT_FAILED;
    }
    return code;
}
