/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST and DELETE /api/v1/session: signing in and out. Passwords are hashed on auth's pool. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

enum { COOKIE_S = 30 * 24 * 60 * 60 }; /* as long as a session lives unused */

json_t *me_json(const struct http_user *user)
{
    return json_pack("{s:s, s:s, s:s}", "id", user->id, "username", user->name, "role",
                     user->is_admin ? "admin" : "user");
}

static void forget(char **secret)
{
    if (*secret != NULL)
        explicit_bzero(*secret, strlen(*secret));
    mem_free(*secret);
    *secret = NULL;
}

void credentials_fini(void *arg)
{
    struct credentials *credentials = arg;
    mem_free(credentials->username);
    forget(&credentials->password);
    forget(&credentials->code);
}

/* Text without NUL; absent is NULL where it may be. */
static enum err read_text(const json_t *body, const char *name, bool is_needed, char **out,
                          struct why *why)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL && !is_needed)
        return OK;
    if (!json_is_string(value))
        return why_set(why, ERR_BAD_INPUT, name, "%s is missing, or is not text", name);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return why_set(why, ERR_BAD_INPUT, name, "%s holds a NUL character", name);
    *out = mem_strdup(json_string_value(value));
    return OK;
}

enum err credentials_read(struct request *request, struct credentials *out, struct why *why)
{
    json_t *body = NULL;
    *out = (struct credentials){.is_loopback = request_is_loopback(request),
                                .is_secure = request_is_secure(request)};
    copy_slice(request_peer(request), out->peer, sizeof out->peer);
    enum err err = request_json(request, &body, why);
    if (err == OK)
        err = read_text(body, "username", true, &out->username, why);
    if (err == OK)
        err = read_text(body, "password", true, &out->password, why);
    if (err == OK)
        err = read_text(body, "code", false, &out->code, why);
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
                              .is_loopback = credentials->is_loopback};
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

void session_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct credentials credentials;
    struct why why = {0};
    enum err err = credentials_read(request, &credentials, &why);
    if (err == OK && auth_mode(api->auth) != AUTH_ACCOUNTS) {
        credentials_fini(&credentials);
        err = why_set(&why, ERR_REFUSED, NULL, "this server has no accounts");
    }
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(api, request,
                     &(struct answer_plan){.work = sign_in,
                                           .pool = auth_pool(api->auth),
                                           .input = &credentials,
                                           .size = sizeof credentials,
                                           .fini = credentials_fini});
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
