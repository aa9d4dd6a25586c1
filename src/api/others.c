/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sign-in by others: /auth/{provider}/start and /callback, which browsers are sent to and fro, and
 * /api/v1/auth/identities, by what one is known elsewhere. */
#include "auth/others.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/logins.h"

enum { HEADER_MOST = 8192 };
#define FLOW_COOKIE "matinee_flow"

/* Copies of what the request says; the work outlives it. */
struct visit {
    char provider[STORE_PROVIDER_SIZE];
    char redirect_uri[512];
    char peer[64], agent[STORE_AGENT_SIZE], secret[48];
    char state[48];
    char *code, *iss, *token, *email, *header; /* NULL: absent */
    bool is_secure, is_link, was_denied;
    bool is_page; /* a browser asks, for somebody who looks at it */
};

static void visit_fini(void *arg)
{
    struct visit *visit = arg;
    body_forget(&visit->code);
    mem_free(visit->iss);
    body_forget(&visit->token);
    mem_free(visit->email);
    mem_free(visit->header);
}

static char *copy(struct slice text)
{
    return text.at != NULL && text.length <= HEADER_MOST ? mem_strndup(text.at, text.length) : NULL;
}

static bool wants_page(const struct request *request)
{
    struct slice accept = request_header(request, "accept");
    return accept.at != NULL && memmem(accept.at, accept.length, "text/html", 9) != NULL;
}

static void read_visit(struct api *api, struct request *request, struct visit *out)
{
    char origin[ORIGIN_SIZE];
    *out = (struct visit){.is_secure = request_is_secure(request), .is_page = wants_page(request)};
    copy_slice(request_param(request, 0), out->provider, sizeof out->provider);
    api_origin(api, request, origin, sizeof origin);
    snprintf(out->redirect_uri, sizeof out->redirect_uri, "%s/auth/%s/callback", origin,
             out->provider);
    copy_slice(request_peer(request), out->peer, sizeof out->peer);
    copy_slice(request_cookie(request, FLOW_COOKIE), out->secret, sizeof out->secret);
    copy_slice(request_query(request, "state"), out->state, sizeof out->state);
    struct slice agent = request_header(request, "user-agent");
    snprintf(out->agent, sizeof out->agent, "%.*s",
             (int) (agent.length < sizeof out->agent ? agent.length : sizeof out->agent - 1),
             agent.at != NULL ? agent.at : "");
    out->code = copy(request_query(request, "code"));
    out->iss = copy(request_query(request, "iss"));
    out->was_denied = request_query(request, "error").at != NULL;
    out->is_link = slice_is(request_query(request, "link"), "true");
}

static struct slice slice_or_none(const char *text)
{
    return text != NULL ? slice_of(text) : (struct slice){NULL, 0};
}

/* --- what all of them end with --- */

/* Back to the page; what it is to say stands in the address. */
static void go_home(struct answer *answer, const char *said)
{
    answer->status = 303;
    snprintf(answer->location, sizeof answer->location, "%s/%s", answer->api->base_path, said);
}

/* What came of it in a word, which the page has a sentence for. */
static const char *reason_of(enum err err, int status)
{
    static const struct {
        int status;
        enum err err;
        const char *reason;
    } REASONS[] = {
        {400, ERR_COUNT, "over"},        {409, ERR_COUNT, "taken"},
        {502, ERR_COUNT, "unreachable"}, {403, ERR_NOT_FOUND, "unknown"},
        {403, ERR_GONE, "disabled"},     {403, ERR_REFUSED, "address"},
    };
    for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
        if (REASONS[i].status == status && (REASONS[i].err == err || REASONS[i].err == ERR_COUNT))
            return REASONS[i].reason;
    return "failed";
}

/* Who looks at a page is led back to where it was begun; a program is told as everywhere. */
static void refuse(struct answer *answer, enum err err, int status, bool is_link)
{
    const struct visit *visit = answer->input;
    char said[64];
    log_info("others.refused", log_str("provider", visit->provider),
             log_str("reason", reason_of(err, status)), log_str("why", answer->why.text));
    if (!visit->is_page) {
        answer_fail(answer, err, status);
        return;
    }
    snprintf(said, sizeof said, "%s?refused=%s", is_link ? "settings" : "login",
             reason_of(err, status));
    go_home(answer, said);
}

static void flow_cookie(const struct api *api, const char *secret, bool is_secure, char *out,
                        size_t size)
{
    snprintf(out, size, FLOW_COOKIE "=%s; Path=%s/auth/; HttpOnly; SameSite=Lax; Max-Age=%d%s",
             secret, api->base_path, secret[0] != '\0' ? 600 : 0, is_secure ? "; Secure" : "");
}

static bool is_about_him(enum err err)
{
    return err == ERR_NOT_FOUND || err == ERR_GONE || err == ERR_REFUSED;
}

static void enter(struct answer *answer, const struct provider *provider,
                  const struct provider_person *person)
{
    const struct visit *visit = answer->input;
    const struct auth_wish wish = {.peer = slice_of(visit->peer), .agent = slice_of(visit->agent)};
    struct auth_answer opened = {0};
    enum err err =
        others_enter(answer->api->others, provider, person, &wish, &opened, &answer->why);
    if (err != OK) {
        refuse(answer, err, is_about_him(err) ? 403 : 0, false);
        return;
    }
    session_cookie(answer->api, opened.token, visit->is_secure, answer->cookie,
                   sizeof answer->cookie);
    explicit_bzero(&opened, sizeof opened);
    go_home(answer, "");
}

static void link_to(struct answer *answer, const struct provider *provider,
                    const struct provider_person *person, const struct http_user *user)
{
    enum err err = others_link(answer->api->others, provider, person, user, slice_of(answer->peer),
                               &answer->why);
    if (err == OK)
        go_home(answer, "settings");
    else
        refuse(answer, err, err == ERR_BUSY ? 409 : is_about_him(err) ? 403 : 0, true);
}

static void finish(struct answer *answer, const struct provider *provider,
                   const struct provider_person *person, const struct http_user *linked_to)
{
    if (linked_to->id[0] != '\0')
        link_to(answer, provider, person, linked_to);
    else
        enter(answer, provider, person);
}

static void fail(struct answer *answer, enum err err, bool is_link)
{
    int status = 0;
    if (err == ERR_REFUSED)
        status = 401;
    else if (err == ERR_IO || err == ERR_TIMEOUT || err == ERR_NOT_FOUND || err == ERR_LIMIT)
        status = 502;
    refuse(answer, err, status, is_link);
}

/* --- start --- */

static void begin_code(struct answer *answer, struct provider *provider)
{
    const struct visit *visit = answer->input;
    struct others_flow flow = {.provider = ""};
    unsigned char drawn[32];
    CLEANUP(mem_free_at) char *url = NULL;
    snprintf(flow.provider, sizeof flow.provider, "%s", visit->provider);
    snprintf(flow.flow.redirect_uri, sizeof flow.flow.redirect_uri, "%s", visit->redirect_uri);
    if (visit->is_link)
        flow.linked_to = answer->user;
    randombytes_buf(drawn, sizeof drawn);
    sodium_bin2base64(flow.secret, sizeof flow.secret, drawn, sizeof drawn,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    enum err err = provider_begin(provider, &flow.flow, &url, &answer->why);
    if (err == OK && strlen(url) >= sizeof answer->location)
        err = why_set(&answer->why, ERR_IO, NULL, "the address of %s is too long",
                      provider_title(provider));
    if (err != OK) {
        fail(answer, err, visit->is_link);
        return;
    }
    others_keep(answer->api->others, &flow, clock_mono_ms() + 1);
    flow_cookie(answer->api, flow.secret, visit->is_secure, answer->cookie, sizeof answer->cookie);
    answer->status = 303;
    snprintf(answer->location, sizeof answer->location, "%s", url);
    explicit_bzero(&flow, sizeof flow);
}

static void by_access(struct answer *answer, struct provider *provider)
{
    const struct visit *visit = answer->input;
    struct provider_person person;
    const struct http_user nobody = {.id = ""};
    enum err err = provider_check_access(provider, slice_or_none(visit->token),
                                         slice_or_none(visit->email), &person, &answer->why);
    if (err == OK)
        finish(answer, provider, &person, visit->is_link ? &answer->user : &nobody);
    else
        fail(answer, err, visit->is_link);
}

/* The guard has seen to it that it comes from the proxy, with its secret. */
static void by_header(struct answer *answer, const struct provider *provider)
{
    const struct visit *visit = answer->input;
    struct provider_person person = {.subject = ""};
    const struct http_user nobody = {.id = ""};
    if (visit->header == NULL || visit->header[0] == '\0' ||
        strlen(visit->header) >= sizeof person.subject) {
        fail(answer, why_set(&answer->why, ERR_REFUSED, NULL, "the proxy names nobody"),
             visit->is_link);
        return;
    }
    snprintf(person.subject, sizeof person.subject, "%s", visit->header);
    if (strlen(visit->header) < sizeof person.name)
        snprintf(person.name, sizeof person.name, "%s", visit->header);
    finish(answer, provider, &person, visit->is_link ? &answer->user : &nobody);
}

static void begin(struct answer *answer)
{
    const struct visit *visit = answer->input;
    struct provider *provider = others_find(answer->api->others, slice_of(visit->provider));
    switch (provider_kind(provider)) {
    case PROVIDER_OIDC:
    case PROVIDER_OAUTH:
        begin_code(answer, provider);
        return;
    case PROVIDER_ACCESS:
        by_access(answer, provider);
        return;
    case PROVIDER_HEADER:
        by_header(answer, provider);
        return;
    }
}

static enum err check_start(struct api *api, struct request *request, const struct visit *visit,
                            struct why *why)
{
    const struct http_user *user = request_user(request);
    if (others_find(api->others, slice_of(visit->provider)) == NULL)
        return why_set(why, ERR_NOT_FOUND, NULL, "there is no such way to sign in");
    if (visit->is_link && (user->id[0] == '\0' || user->is_key))
        return why_set(why, ERR_REFUSED, NULL, "this is for who is signed in");
    return api_need_accounts(api, why);
}

static void work_outward(struct api *api, struct request *request, struct visit *visit,
                         answer_work_fn *work)
{
    answer_later(api, request,
                 &(struct answer_plan){.work = work,
                                       .pool = api->outward,
                                       .input = visit,
                                       .size = sizeof *visit,
                                       .fini = visit_fini});
}

/* Who would link one, and whose session has ended since, signs in first. */
static void reply_refusal(const struct api *api, struct request *request, const struct visit *visit,
                          enum err err, const struct why *why)
{
    char where[300];
    if (!visit->is_page || !visit->is_link || err != ERR_REFUSED) {
        reply_problem(request, 0, err, why);
        return;
    }
    snprintf(where, sizeof where, "%s/login", api->base_path);
    reply_redirect(request, 303, where);
}

void others_start_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct visit visit;
    struct why why = {0};
    read_visit(api, request, &visit);
    enum err err = check_start(api, request, &visit, &why);
    if (err != OK) {
        reply_refusal(api, request, &visit, err, &why);
        visit_fini(&visit);
        return;
    }
    const struct provider *provider = others_find(api->others, slice_of(visit.provider));
    visit.token = copy(request_header(request, "cf-access-jwt-assertion"));
    visit.email = copy(request_header(request, "cf-access-authenticated-user-email"));
    if (provider_kind(provider) == PROVIDER_HEADER)
        visit.header = copy(request_header(request, provider_header(provider)));
    work_outward(api, request, &visit, begin);
}

/* --- callback --- */

static void end(struct answer *answer)
{
    const struct visit *visit = answer->input;
    struct api *api = answer->api;
    struct others_flow flow;
    struct provider_person person;
    struct provider *provider = others_find(api->others, slice_of(visit->provider));
    enum err err = others_take(api->others, slice_of(visit->provider), slice_of(visit->state),
                               slice_of(visit->secret), clock_mono_ms() + 1, &flow);
    flow_cookie(api, "", visit->is_secure, answer->other_cookie, sizeof answer->other_cookie);
    if (err != OK) {
        refuse(answer,
               why_set(&answer->why, ERR_BAD_INPUT, "state",
                       "this sign-in was begun elsewhere, too long ago, or is over: begin again"),
               400, answer->user.id[0] != '\0');
        return;
    }
    if (visit->was_denied) {
        go_home(answer,
                flow.linked_to.id[0] != '\0' ? "settings?refused=denied" : "login?refused=denied");
        return;
    }
    err = provider_finish(provider, &flow.flow, slice_or_none(visit->code),
                          slice_or_none(visit->iss), &person, &answer->why);
    if (err == OK)
        finish(answer, provider, &person, &flow.linked_to);
    else
        fail(answer, err, flow.linked_to.id[0] != '\0');
    explicit_bzero(&flow, sizeof flow);
}

void others_callback_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct visit visit;
    struct why why = {0};
    read_visit(api, request, &visit);
    visit.is_link = false;
    enum err err = check_start(api, request, &visit, &why);
    if (err == OK) {
        work_outward(api, request, &visit, end);
        return;
    }
    visit_fini(&visit);
    reply_problem(request, 0, err, &why);
}

/* --- identities --- */

static void list_one(void *ctx, const struct store_login *identity)
{
    json_array_append_new(ctx, json_pack("{s:s, s:s, s:o, s:o}", "id", identity->id, "provider",
                                         identity->provider, "name", json_text(identity->name),
                                         "created", json_date(identity->made_ms)));
}

static void list(struct answer *answer)
{
    json_t *items = json_array();
    enum err err = store_logins_each(answer->api->store, answer->user.id, list_one, items);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void identities_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static void drop(struct answer *answer)
{
    static const struct answer_way way = {"identity", "link another", "sign-in unlinked"};
    enum err err = store_login_remove(answer->api->store, answer->input, answer->user.id);
    answer_way_removed(answer, err, &way);
}

void identity_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, drop);
}
