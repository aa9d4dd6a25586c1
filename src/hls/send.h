/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sends segments and originals: pieces of memory and extents of the source, gathered into buffers
 * from one budget (decision 17). What the page cache holds is read on the loop, the rest on a pool
 * of the source's file system. Threads: a send belongs to its request's loop; budget and pools are
 * everybody's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "hls/segment.h"
#include "http/http.h"
#include "source/source.h"

struct hls;
struct send;

/* --- buffers --- */
struct send_budget;
struct send_budget *send_budget_new(uint64_t bytes);
void send_budget_free(struct send_budget **budget);
/* A buffer of `*size` bytes (64 KiB to 512 KiB, a power of two), or a smaller one, *size says;
 * NULL: the budget is spent. */
uint8_t *send_budget_take(struct send_budget *budget, size_t *size);
/* *buffer is NULL afterwards; NULL is accepted. */
void send_budget_give(struct send_budget *budget, uint8_t **buffer, size_t size);

/* --- pools for reads that sleep, one a file system --- */
struct source_pools;
struct source_pools *source_pools_new(void);
void source_pools_free(struct source_pools **pools);
/* Runs `work` there, then `done` on `mailbox`. BUSY: too many wait for that disk already. */
MUST_CHECK enum err source_pools_run(struct source_pools *pools, uint64_t device, task_fn *work,
                                     task_fn *done, void *arg, struct mailbox *mailbox);

/* --- sends --- */
struct send_options {
    struct hls *hls;
    /* The send is over and frees itself after. */
    void (*gone)(void *ctx);
    void *ctx;
};

/* Sends the headers; NULL when that was all (HEAD). `length` < 0: chunked, to the end of the segment. Nothing but heartbeats
 * (`heartbeat_ms`: a styp at once, then free boxes) until send_give. */
struct send *send_start(struct request *request, int status, const char *content_type,
                        int64_t length, int64_t heartbeat_ms, const struct send_options *options);
/* What is sent: bytes from `first` on; both are referenced. After heartbeats the segment's own styp
 * is left out. `source` may be NULL where no piece is of it. */
void send_give(struct send *send, struct segment *segment, struct source *source, uint64_t first);
/* The body cannot be completed. */
void send_break(struct send *send);
/* `gone` is not called any more. */
void send_detach(struct send *send);
