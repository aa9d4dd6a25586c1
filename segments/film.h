/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process of one film: takes its fds, locks itself down, and only then reads and makes what the
 * server asks for. Ends when its socket does. The main thread reads messages; jobs.h makes. */
#pragma once

/* Loads libraries and sets up memory; before the process is locked down, while there is but one
 * thread. */
void film_prepare(void);

/* Serves the socket until it ends; the answer is the program's. */
int film_run(int socket);

/* Locks itself down first, for a film of which nothing is known yet but that somebody waits for it; then
 * its socket comes through this one, with the message FORK, and is WIRE_FD, which must be free. The answer
 * as above. */
int film_wait(int socket);
