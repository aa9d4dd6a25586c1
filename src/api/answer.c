/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The request and the work each hold the answer; it ends when both have let go. What the request
 * is asked happens on its loop alone. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/mem.h"

static void unref(struct answer *answer)
{
    if (--answer->_refs > 0)
        return;
    if (answer->_fini != NULL)
        answer->_fini(answer->input);
    json_decref(answer->body);
    str_fini(&answer->text);
    mem_free(answer->input);
    mem_free(answer);
}

static void on_gone(void *ctx)
{
    struct answer *answer = ctx;
    answer->_request = NULL;
    unref(answer);
}

static void reply(struct answer *answer, struct request *request)
{
    if (answer->cookie[0] != '\0')
        reply_header(request, "set-cookie", answer->cookie);
    if (answer->other_cookie[0] != '\0')
        reply_header(request, "set-cookie", answer->other_cookie);
    if (answer->retry_after_s > 0)
        reply_retry_after(request, answer->retry_after_s);
    if (answer->kind != OK) {
        reply_problem(request, answer->status, answer->kind, &answer->why);
    } else if (answer->location[0] != '\0') {
        reply_redirect(request, answer->status, answer->location);
    } else if (answer->body != NULL) {
        json_t *body = answer->body;
        answer->body = NULL;
        reply_json(request, answer->status, body);
    } else if (answer->text.length > 0) {
        const struct reply_bytes_options options = {.content_type =
                                                        "text/plain; version=0.0.4; charset=utf-8",
                                                    .cache_control = "no-store",
                                                    .compressible = true};
        reply_bytes(request, answer->status, &options, answer->text.at, answer->text.length);
    } else {
        reply_empty(request, answer->status);
    }
}

static void on_done(void *arg)
{
    struct answer *answer = arg;
    if (answer->_request != NULL && answer->kind == OK && answer->_then != NULL)
        answer->_then(answer, answer->_request);
    else if (answer->_request != NULL)
        reply(answer, answer->_request);
    unref(answer);
}

bool api_enter(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    bool may = !api->is_stopping;
    api->jobs += may ? 1 : 0;
    pthread_mutex_unlock(&api->lock);
    return may;
}

void api_leave(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    if (--api->jobs == 0)
        pthread_cond_broadcast(&api->idle);
    pthread_mutex_unlock(&api->lock);
}

struct posted {
    struct answer *answer;
    struct mailbox *mailbox;
};

/* On the pool. The end is posted from here, not by the pool, so that api_stop knows when it was. */
static void do_work(void *arg)
{
    struct posted posted = *(struct posted *) arg;
    struct api *api = posted.answer->api;
    mem_free(arg);
    posted.answer->_work(posted.answer);
    mailbox_post(posted.mailbox, on_done, posted.answer);
    api_leave(api);
}

void answer_later(struct api *api, struct request *request, const struct answer_plan *plan)
{
    struct answer *answer = mem_new(struct answer);
    struct posted *posted = mem_new(struct posted);
    answer->api = api;
    answer->user = *request_user(request);
    copy_slice(request_peer(request), answer->peer, sizeof answer->peer);
    answer->input = plan->size > 0 ? mem_dup(plan->input, plan->size) : NULL;
    answer->_fini = plan->fini;
    answer->status = 200;
    answer->_request = request;
    answer->_work = plan->work;
    answer->_then = plan->then;
    answer->_refs = 2;
    *posted = (struct posted){answer, request_mailbox(request)};
    request_on_gone(request, on_gone, answer);
    pthread_mutex_lock(&api->lock);
    api->jobs++;
    pthread_mutex_unlock(&api->lock);
    struct pool *pool = plan->pool != NULL ? plan->pool : api->pool;
    enum err taken = plan->is_first ? pool_run_first(pool, do_work, NULL, posted, NULL)
                                    : pool_run(pool, do_work, NULL, posted, NULL);
    if (taken == OK)
        return;
    api_leave(api);
    mem_free(posted);
    answer_fail(answer, why_set(&answer->why, ERR_BUSY, NULL, "the server has too much to do"),
                plan->busy_status != 0 ? plan->busy_status : 503);
    answer->retry_after_s = 2;
    on_done(answer);
}

void answer_with_id(struct api *api, struct request *request, answer_work_fn *work)
{
    char id[STORE_ID_SIZE];
    copy_slice(request_param(request, 0), id, sizeof id);
    answer_later(api, request, &(struct answer_plan){.work = work, .input = id, .size = sizeof id});
}

struct store_viewer answer_viewer(const struct answer *answer)
{
    return (struct store_viewer){.user = answer->user.id, .ages = http_user_ages(&answer->user)};
}

void answer_note(const struct answer *answer, const char *action, const char *object)
{
    auth_note(answer->api->auth, &answer->user, slice_of(answer->peer), action, object);
}

void answer_go_on(struct answer *answer, answer_then_fn *then)
{
    answer->_then = then;
}

void answer_fail(struct answer *answer, enum err kind, int status)
{
    answer->kind = kind;
    answer->status = status;
}

void answer_way_removed(struct answer *answer, enum err kind, const struct answer_way *way)
{
    answer->status = 204;
    if (kind == OK) {
        answer_note(answer, way->action, answer->input);
        return;
    }
    if (kind == ERR_NOT_FOUND)
        why_set(&answer->why, kind, NULL, "there is no such %s", way->called);
    if (kind == ERR_REFUSED)
        why_set(&answer->why, kind, NULL,
                "it is your only way to sign in: set a password, or %s, first", way->instead);
    answer_fail(answer, kind, kind == ERR_REFUSED ? 409 : 0);
}

void copy_slice(struct slice slice, char *out, size_t size)
{
    size_t length = slice.length < size ? slice.length : 0;
    if (length > 0)
        memcpy(out, slice.at, length);
    memset(out + length, 0, size - length);
}

json_t *json_date(int64_t wall_ms)
{
    char text[CLOCK_ISO_SIZE];
    clock_iso(wall_ms, text);
    return json_string(text);
}

json_t *json_text(const char *text)
{
    CLEANUP(str_fini) struct str shown = {0};
    str_append_utf8(&shown, text, strlen(text));
    return json_string(str_text(&shown));
}
