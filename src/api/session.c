/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST and DELETE /api/v1/session: signing in and out. Passwords are hashed on auth's pool. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

enum {
    COOKIE_S = 30 * 24 * 60 * 60, /* as long as a session lives unused */
    KNOWN_S = 365 * 24 * 60 * 60
};
#define KNOWN_COOKIE "matinee_known"

json_t *me_json(const struct http_user *user)
{
    json_t *object = json_pack("{s:s, s:s}", "id", user->id, "username", user->name);
    put_standing(object, user->role, &user->bounds);
    return object;
}

void credentials_fini(void *arg)
{
    struct credentials *credentials = arg;
    mem_free(credentials->username);
    body_forget(&credentials->password);
    body_forget(&credentials->code);
    mem_free(credentials->email);
    explicit_bzero(&credentials->letter, sizeof credentials->letter);
}

enum err api_need_accounts(const struct api *api, struct why *why)
{
    if (auth_mode(api->auth) == AUTH_ACCOUNTS)
        return OK;
    return why_set(why, ERR_REFUSED, NULL, "this server has no accounts");
}

/* A browser's name that is too long is cut. */
static void read_agent(const struct request *request, char *out, size_t size)
{
    struct slice agent = request_header(request, "user-agent");
    snprintf(out, size, "%.*s", (int) (agent.length < size ? agent.length : size - 1),
             agent.at != NULL ? agent.at : "");
}

void credentials_read_from(struct request *request, struct credentials *out)
{
    *out = (struct credentials){.is_loopback = request_is_loopback(request),
                                .is_secure = request_is_secure(request)};
    copy_slice(request_peer(request), out->peer, sizeof out->peer);
    copy_slice(request_cookie(request, KNOWN_COOKIE), out->known, sizeof out->known);
    read_agent(request, out->agent, sizeof out->agent);
}

enum err credentials_read(struct request *request, enum credentials_kind kind,
                          struct credentials *out, struct why *why)
{
    json_t *body = NULL;
    credentials_read_from(request, out);
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = body_text(body, "username", kind == CREDENTIALS_NAMED, &out->username, why);
    if (err == OK)
        err = body_text(body, "password", kind != CREDENTIALS_CODE, &out->password, why);
    if (err == OK)
        err = body_text(body, "code", kind == CREDENTIALS_CODE, &out->code, why);
    if (err == OK)
        err = body_text(body, "email", false, &out->email, why);
    if (err != OK)
        credentials_fini(out);
    return err;
}

struct auth_wish credentials_wish(const struct credentials *credentials)
{
    return (struct auth_wish){.username = slice_of(credentials->username),
                              .password = slice_of(credentials->password),
                              .code = slice_of(credentials->code),
                              .peer = slice_of(credentials->peer),
                              .agent = slice_of(credentials->agent),
                              .known = slice_of(credentials->known),
                              .is_loopback = credentials->is_loopback,
                              .is_program = credentials->is_program};
}

void api_origin(const struct api *api, struct request *request, char *out, size_t size)
{
    struct slice host = request_header(request, "host");
    const char *name = strstr(api->public_url, "://");
    size_t length = name != NULL ? (size_t) (name + 3 - api->public_url) : 0;
    length += strcspn(api->public_url + length, "/");
    if (length > 0)
        snprintf(out, size, "%.*s%s", (int) length, api->public_url, api->base_path);
    else
        snprintf(out, size, "%s://%.*s%s", request_is_secure(request) ? "https" : "http",
                 (int) (host.length < 255 ? host.length : 255), host.at != NULL ? host.at : "",
                 api->base_path);
}

/* An empty token takes the cookie back. */
void session_cookie(const struct api *api, const char *token, bool is_secure, char *out,
                    size_t size)
{
    snprintf(out, size, "matinee_session=%s; Path=%s/; HttpOnly; SameSite=Lax; Max-Age=%d%s", token,
             api->base_path, token[0] != '\0' ? COOKIE_S : 0, is_secure ? "; Secure" : "");
}

void session_answer(struct answer *answer, int status, const struct auth_answer *opened,
                    bool is_secure)
{
    session_cookie(answer->api, opened->token, is_secure, answer->cookie, sizeof answer->cookie);
    if (opened->known[0] != '\0')
        snprintf(answer->other_cookie, sizeof answer->other_cookie,
                 KNOWN_COOKIE
                 "=%s; Path=%s/api/v1/session; HttpOnly; SameSite=Strict; Max-Age=%d%s",
                 opened->known, answer->api->base_path, KNOWN_S, is_secure ? "; Secure" : "");
    answer->body = me_json(&opened->user);
    answer->status = status;
}

static void sign_in(struct answer *answer)
{
    struct credentials *credentials = answer->input;
    struct auth_wish wish = credentials_wish(credentials);
    struct auth_answer opened = {0};
    enum err err = auth_sign_in(answer->api->auth, &wish, &opened, &answer->why);
    answer->retry_after_s = opened.retry_after_s;
    if (err == OK)
        session_answer(answer, 200, &opened, credentials->is_secure);
    else
        answer_fail(answer, err, err == ERR_REFUSED ? 401 : err == ERR_LIMIT ? 429 : 0);
}

/* True, and refused: who has to wait takes no place in the queue of those who need not. */
static bool is_slowed_down(struct api *api, struct request *request,
                           struct credentials *credentials)
{
    int retry_after_s = 0;
    struct why why;
    struct auth_wish wish = credentials_wish(credentials);
    if (auth_look_at_tries(api->auth, &wish, &retry_after_s, &why) == OK)
        return false;
    credentials_fini(credentials);
    reply_retry_after(request, retry_after_s);
    reply_problem(request, 429, ERR_LIMIT, &why);
    return true;
}

void credentials_later(struct api *api, struct request *request, enum credentials_kind kind,
                       answer_work_fn *work)
{
    struct credentials credentials;
    struct why why = {0};
    enum err err = credentials_read(request, kind, &credentials, &why);
    if (err == OK && api_need_accounts(api, &why) != OK) {
        credentials_fini(&credentials);
        err = ERR_REFUSED;
    }
    if (err != OK) {
        reply_problem(request, 0, err, &why);
        return;
    }
    if (is_slowed_down(api, request, &credentials))
        return;
    struct auth_wish wish = credentials_wish(&credentials);
    answer_later(api, request,
                 &(struct answer_plan){.work = work,
                                       .pool = auth_pool(api->auth),
                                       .input = &credentials,
                                       .size = sizeof credentials,
                                       .fini = credentials_fini,
                                       .busy_status = 429,
                                       .is_first = auth_is_known(api->auth, &wish)});
}

void session_post(struct request *request, void *ctx)
{
    credentials_later(ctx, request, CREDENTIALS_NAMED, sign_in);
}

static void sign_out(struct answer *answer)
{
    enum err err = auth_sign_out(answer->api->auth, answer->user.session);
    bool is_secure = *(const bool *) answer->input;
    session_cookie(answer->api, "", is_secure, answer->cookie, sizeof answer->cookie);
    answer->status = 204;
    if (err != OK)
        answer_fail(answer, err, 0);
}

void session_delete(struct request *request, void *ctx)
{
    struct api *api = ctx;
    bool is_secure = request_is_secure(request);
    answer_later(
        api, request,
        &(struct answer_plan){.work = sign_out, .input = &is_secure, .size = sizeof is_secure});
}
