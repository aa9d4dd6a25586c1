/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A socket of wire messages on a loop: never blocks, keeps what the other side does not take yet.
 * Life: channel_new -> messages... -> ended (once) -> channel_free, at any moment, in callbacks too.
 * Threads: the loop's. */
#pragma once

#include "base/err.h"
#include "base/why.h"
#include "segments/wire.h"

struct uv_loop_s;
struct channel;

struct channel_events {
    /* Lent for the call; its fds may be taken by fd_take, the others are closed after. */
    void (*message)(void *ctx, struct wire_message *message);
    /* Nothing more will come. GONE: the other end is closed; BAD_INPUT: it sent garbage; LIMIT: it
     * does not read; IO. Never inside a call of ours but channel_drain. */
    void (*ended)(void *ctx, enum err kind, const struct why *why);
};

/* Takes the socket; `way` is that of the messages that arrive. */
struct channel *channel_new(struct uv_loop_s *loop, int *socket, enum wire_way way,
                            const struct channel_events *events, void *ctx);
void channel_free(struct channel **channel);
/* Borrows the fds (duplicates what has to wait). What cannot be sent ends the channel. */
void channel_send(struct channel *channel, const struct wire_message *message);
/* Reads what has already arrived, now: before judging a silence, and after a death. */
void channel_drain(struct channel *channel);
