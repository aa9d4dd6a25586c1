/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `matinee serve`: all parts of the server, started in order and stopped in reverse. Threads:
 * main's; it sleeps until a signal. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "base/why.h"
#include "config.h"
#include "hls/media.h"

/* Where the media program is and what it is told. IO: there is no matinee-media. */
MUST_CHECK enum err server_media_options(const struct config *config, struct media_options *out,
                                         struct why *why);
void server_media_options_fini(struct media_options *options);

/* The data folder: the setting, or the usual place; made where it is not there. IO, REFUSED. */
MUST_CHECK enum err server_data_folder(const struct config *config, char **out, struct why *why);

/* Serves until a signal: SIGTERM, SIGINT or SIGHUP, or SIGUSR1, after which it is to be started again.
 * At SIGUSR2 it looks who may sign in, which another program has changed. Says `listening on URL` on
 * stdout. */
MUST_CHECK enum err server_run(const struct config *config, const struct media_options *media,
                               bool *is_to_restart, struct why *why);
/* Sends a signal to the server that uses the data folder. False: none does. */
bool server_tell(const char *data_folder, int signal_number);
