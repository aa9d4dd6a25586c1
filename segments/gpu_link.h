/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's process (gpu.h), seen from that of a film: sessions over one socket, of which threads may
 * have one each. It answers in turn, so whoever waits for an answer takes in those of the others too.
 * Whatever is wrong with it is REFUSED, with words; nothing it says is believed.
 * Life: gpu_link_new -> sessions -> gpu_link_unref; a link that failed stays so. Internal to segments/.
 * Threads: any; a session belongs to one at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "segments/encode.h"

struct AVFrame;
struct AVPacket;
struct gpu_link;
struct gpu_session;

/* Takes the socket; who gave it has set how long an answer may take (SO_RCVTIMEO). */
struct gpu_link *gpu_link_new(int *socket);
struct gpu_link *gpu_link_ref(struct gpu_link *link);
/* NULL is accepted; *link is NULL afterwards. */
void gpu_link_unref(struct gpu_link **link);

/* An encoder of the device. `link` NULL: there is none. */
MUST_CHECK enum err gpu_session_open(struct gpu_link *link, const struct encode_video *settings,
                                     struct gpu_session **out, struct why *why);
void gpu_session_close(struct gpu_session **session);
/* Its headers in Annex B form, lent; size 0: they stand in the first packet. */
const uint8_t *gpu_session_config(const struct gpu_session *session, size_t *size);
/* Hands it a picture, 8-bit 4:2:0 in planes, of the session's size; NULL: there are no more, and all
 * packets are there afterwards. */
MUST_CHECK enum err gpu_session_send(struct gpu_session *session, const struct AVFrame *picture,
                                     struct why *why);
/* The next packet that is there. AGAIN: none. */
MUST_CHECK enum err gpu_session_receive(struct gpu_session *session, struct AVPacket *out);
