/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The zygote: a process of one thread, with the libraries loaded and no file open, that forks a
 * process for each film (fork 1 ms, against 60 ms of loading), reaps them and tells the server.
 * It never sees a byte of film. Ends with its socket, or with the server. Decision 19. */
#pragma once

/* Serves the socket until it ends; the answer is the program's. */
int zygote_run(int socket);
