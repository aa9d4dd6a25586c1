/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/worker.h"

#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "http/connection.h"
#include "http/request.h"

enum { BACKLOG = 4096, DRAIN_TICK_MS = 20 };

static void finish(struct worker *worker);

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    connections_look(worker);
    if (!worker->is_draining)
        return;
    bool is_late = (int64_t) uv_now(timer->loop) >= worker->break_at_ms;
    if (is_late)
        requests_break(worker);
    connections_break(worker, is_late);
    if (worker->connection_count == 0)
        finish(worker);
}

void worker_start_ticking(struct worker *worker)
{
    if (worker->is_draining)
        return;
    uint64_t every_ms = (uint64_t) worker->http->options.timeouts.tick_ms;
    uv_timer_start(&worker->tick, on_tick, every_ms, every_ms);
}

void worker_begin(void *arg)
{
    struct worker *worker = arg;
    struct uv_loop_s *loop = loop_uv(worker->loop);
    h2o_context_init(&worker->context, loop, &worker->http->config);
    worker->accept = (h2o_accept_ctx_t){
        .ctx = &worker->context,
        .hosts = worker->http->config.hosts,
    };
    MUST(uv_timer_init(loop, &worker->tick) == 0);
    worker->tick.data = worker;
    MUST(uv_tcp_init(loop, &worker->listener) == 0);
    worker->listener.data = worker;
    MUST(uv_tcp_open(&worker->listener, fd_take(&worker->listen_fd)) == 0);
    MUST(uv_listen((uv_stream_t *) &worker->listener, BACKLOG, connection_accept) == 0);
}

void worker_drain(struct worker *worker, int64_t grace_ms)
{
    worker->is_draining = true;
    worker->break_at_ms = (int64_t) uv_now(worker->context.loop) + grace_ms;
    uv_close((uv_handle_t *) &worker->listener, NULL);
    h2o_context_request_shutdown(&worker->context);
    uv_timer_start(&worker->tick, on_tick, 0, DRAIN_TICK_MS);
}

/* What h2o keeps for the next request of this thread would be lost with the thread. Its list has no
 * end of its own: the chunks are taken out as a pool, whose first member links them. */
static void free_recycled(void)
{
    enum { CHUNKS_MOST = 16, CHUNK_PART = 1000, PARTS_PER_CHUNK = 4 };
    h2o_mem_pool_t pool;
    h2o_mem_init_pool(&pool);
    for (int i = 0; i < CHUNKS_MOST * PARTS_PER_CHUNK; i++)
        h2o_mem_alloc_pool(&pool, CHUNK_PART);
    for (void *chunk = pool.chunks, *next; chunk != NULL; chunk = next) {
        memcpy(&next, chunk, sizeof next);
        mem_free(chunk);
    }
    h2o_mem_recycle_t *buffers = &h2o_socket_buffer_prototype.allocator;
    while (buffers->cnt > 0)
        mem_free(h2o_mem_alloc_recycle(buffers, 1));
}

/* h2o_context_dispose, but for its uv_run: we are inside one. */
static void dispose_context(h2o_context_t *context)
{
    h2o_timeout_t *timeouts[] = {
        &context->zero_timeout,       &context->one_sec_timeout,
        &context->hundred_ms_timeout, &context->handshake_timeout,
        &context->http1.req_timeout,  &context->http2.idle_timeout,
        &context->proxy.io_timeout,   &context->http2.graceful_shutdown_timeout,
    };
    h2o_timeout_unlink(&context->http2._graceful_shutdown_timeout);
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++)
        h2o_timeout_dispose(context->loop, timeouts[i]);
    mem_free(context->_pathconfs_inited.entries);
    mem_free(context->_module_configs);
    h2o_filecache_destroy(context->filecache);
    h2o_multithread_unregister_receiver(context->queue, &context->receivers.hostinfo_getaddr);
    h2o_multithread_destroy_queue(context->queue);
    if (context->_timestamp_cache.value != NULL)
        h2o_mem_release_shared(context->_timestamp_cache.value);
}

static void finish(struct worker *worker)
{
    uv_close((uv_handle_t *) &worker->tick, NULL);
    dispose_context(&worker->context);
    free_recycled();
    page_unref(&worker->page);
    tls_unref(&worker->tls);
    worker->is_empty = true;
    worker->drained(worker->drained_ctx);
}
