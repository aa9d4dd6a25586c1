/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which device of this machine encodes: found by a real test encode soon after the start, one device
 * after the other, in processes of their own. Films that are opened after that have renditions of it,
 * until it fails one of them: that film then goes without.
 * Life: waiting -> trying -> on | none; on -> off. Threads: the hub's loop, but where it says any. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "hls/film.h"

struct hls;
struct hardware;

/* `setting`: auto, auto+hevc, off, or devices in the order to be tried, as segments/device.h names them, with commas
 * between. NULL: off. Any thread. */
struct hardware *hardware_new(struct hls *hls, const char *setting);
/* NULL is accepted. After the last call. */
void hardware_free(struct hardware **hardware);
/* Begins to try. */
void hardware_start(struct hardware *hardware);
/* Goes on where it had to wait. Hub's loop, now and then. */
void hardware_tick(struct hardware *hardware);

/* The device for this film. False: there is none, or not for this one. Any thread. */
bool hardware_for(struct hardware *hardware, const char *file, struct film_device *out);
/* It failed this film; where that is the third one after the other, it is off for all that are opened. */
void hardware_give_up(struct hardware *hardware, const char *file);
/* It made a segment. */
void hardware_worked(struct hardware *hardware);
/* "h264_vaapi on /dev/dri/renderD128", or why there is none; appended. Any thread. */
void hardware_words(struct hardware *hardware, struct str *out);
