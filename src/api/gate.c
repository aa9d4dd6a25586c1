/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Most people pass at once. For a child the store is asked each time, so that what an administrator says of
 * a title counts from then on; what it may not know of answers as what is not there. */
#include "api/inside.h"
#include "base/clock.h"

struct question {
    char file[STORE_ID_SIZE];
    const struct gate *gate;
};

static void look(struct answer *answer)
{
    const struct question *question = answer->input;
    const struct store_viewer viewer = answer_viewer(answer);
    struct store_place place;
    enum err err = store_item_place(answer->api->store, question->file, &viewer, &place);
    /* The id of a title is none of a file. */
    if (err == ERR_NOT_FOUND || (err == OK && place.file[0] == '\0'))
        err = why_set(&answer->why, ERR_NOT_FOUND, NULL, "there is no such file");
    if (err != OK)
        answer_fail(answer, err, 0);
}

static void go_on(struct answer *answer, struct request *request)
{
    const struct question *question = answer->input;
    question->gate->handler(request, answer->api);
}

/* What is watched is a playback, or the file itself for who made none. */
static enum err count_stream(const struct gate *gate, struct request *request, struct why *why)
{
    const struct http_user *user = request_user(request);
    char key[STORE_ID_SIZE];
    copy_slice(request_query(request, "p"), key, sizeof key);
    if (key[0] == '\0')
        copy_slice(request_param(request, 0), key, sizeof key);
    return streams_enter(gate->api->streams, user->id, key, user->bounds.streams, clock_mono_ms(),
                         why);
}

void gate_enter(struct request *request, void *ctx)
{
    const struct gate *gate = ctx;
    const struct http_user *user = request_user(request);
    struct why why = {0};
    if (user->bounds.streams > 0 && gate->is_stream && count_stream(gate, request, &why) != OK) {
        reply_problem(request, 403, ERR_LIMIT, &why);
        return;
    }
    if (user->role != ROLE_CHILD) {
        gate->handler(request, gate->api);
        return;
    }
    struct question question = {.gate = gate};
    copy_slice(request_param(request, 0), question.file, sizeof question.file);
    answer_later(gate->api, request,
                 &(struct answer_plan){
                     .work = look, .then = go_on, .input = &question, .size = sizeof question});
}

static void refuse(struct request *request)
{
    struct why why;
    enum err kind = why_set(&why, ERR_REFUSED, NULL,
                            "this address is not good any more: ask for the film again");
    reply_problem(request, 403, kind, &why);
}

void gate_enter_by_token(struct request *request, void *ctx)
{
    const struct gate *gate = ctx;
    struct http_user user;
    char playback[40];
    bool is_late = false;
    enum err err = auth_check_path(gate->api->auth, request_param(request, 0),
                                   request_param(request, 1), &user, playback, &is_late);
    if (err == OK && user.is_key && (user.scopes & SCOPE_PLAY) == 0)
        err = ERR_REFUSED;
    /* A day, and as long as it is played. */
    if (err != OK || (!playbacks_touch(gate->api, playback, user.id) && is_late)) {
        refuse(request);
        return;
    }
    request_admit(request, &user, 1);
    gate_enter(request, ctx);
}
