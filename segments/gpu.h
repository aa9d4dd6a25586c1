/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The role `gpu` of matinee-media (decision 23): the process of a device that encodes, for one film.
 * It parses nothing: raw pictures come in memory that it shares with the film's process, packets go
 * back the same way, and who uses it may as well be the server, which only tries it.
 *
 * Life: opens the device and encodes a picture, so that the driver has all it needs -> locks itself
 * down (sandbox_enter_device) -> serves sessions, one encoder each, until its socket ends.
 * What does not work is said in words by UNENCODED, and who asked goes elsewhere.
 * A session: ENCODE, READY with its memory, FRAMEs and then DRAINs, each answered by TAKEN in turn,
 * FORGET. So many slots are under way at most, and the memory of one is its owner's until then: */
#pragma once

enum { GPU_SLOTS = 3 };

/* Serves the socket until it ends; the answer is the program's. `device`: as device.h names it. */
int gpu_run(int socket, const char *device);
