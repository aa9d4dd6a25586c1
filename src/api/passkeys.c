/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/passkeys, by which one signs in, and /api/v1/me/passkeys, one's own: what is asked of a browser, and what it
 * says, in the JSON of WebAuthn Level 3 (5.1.8 to 5.1.10). */
#include "auth/passkeys.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

enum { TIMEOUT_MS = 5 * 60 * 1000 };

static enum err find_site(struct api *api, struct request *request, struct passkeys_site *out,
                          struct why *why)
{
    char origin[ORIGIN_SIZE];
    enum err err = api_need_accounts(api, why);
    api_origin(api, request, origin, sizeof origin);
    return err == OK ? passkeys_site(origin, out, why) : err;
}

static void refuse_site(struct request *request, enum err err, const struct why *why)
{
    reply_problem(request, err == ERR_BAD_INPUT ? 409 : 0, err, why);
}

/* --- signing in --- */

void passkeys_options_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct passkeys_site site;
    char challenge[TOKENS_CHALLENGE_SIZE];
    struct why why = {0};
    enum err err = find_site(api, request, &site, &why);
    if (err != OK) {
        refuse_site(request, err, &why);
        return;
    }
    passkeys_challenge(api->auth, NULL, challenge);
    reply_json(request, 200,
               json_pack("{s:s, s:s, s:s, s:i, s:[]}", "challenge", challenge, "rpId", site.rp,
                         "userVerification", "required", "timeout", TIMEOUT_MS,
                         "allowCredentials"));
}

struct said {
    struct passkeys_site site;
    char *client_data, *authenticator_data, *handle, *signature, *name;
    struct credentials from; /* peer, agent, known, is_secure */
};

static void said_fini(void *arg)
{
    struct said *said = arg;
    mem_free(said->client_data);
    mem_free(said->authenticator_data);
    mem_free(said->handle);
    mem_free(said->signature);
    mem_free(said->name);
    credentials_fini(&said->from);
}

static struct passkeys_said lend(const struct said *said)
{
    return (struct passkeys_said){.client_data = slice_of(said->client_data),
                                  .authenticator_data = slice_of(said->authenticator_data),
                                  .handle = slice_of(said->handle),
                                  .signature = slice_of(said->signature)};
}

/* The object of a browser under "credential". */
static enum err read_said(struct request *request, bool is_new, struct said *out, struct why *why)
{
    json_t *body = NULL;
    credentials_read_from(request, &out->from);
    enum err err = request_json(request, &body, why);
    const json_t *credential = json_object_get(body, "credential");
    const json_t *response = json_object_get(credential, "response");
    if (err == OK && !json_is_object(response))
        err = why_set(why, ERR_BAD_INPUT, "credential",
                      "credential is missing, or is not what a browser says");
    if (err == OK)
        err = body_text(response, "clientDataJSON", true, &out->client_data, why);
    if (err == OK)
        err = body_text(response, "authenticatorData", true, &out->authenticator_data, why);
    if (err == OK)
        err = body_text(credential, "id", true, &out->handle, why);
    if (err == OK && is_new)
        err = body_text(body, "name", true, &out->name, why);
    if (err == OK && !is_new)
        err = body_text(response, "signature", true, &out->signature, why);
    return err;
}

static void say_later(struct api *api, struct request *request, bool is_new, answer_work_fn *work)
{
    struct said said = {0};
    struct why why = {0};
    enum err err = find_site(api, request, &said.site, &why);
    if (err != OK) {
        refuse_site(request, err, &why);
        return;
    }
    err = read_said(request, is_new, &said, &why);
    if (err == OK) {
        answer_later(api, request,
                     &(struct answer_plan){
                         .work = work, .input = &said, .size = sizeof said, .fini = said_fini});
        return;
    }
    said_fini(&said);
    reply_problem(request, 0, err, &why);
}

static void enter(struct answer *answer)
{
    const struct said *said = answer->input;
    const struct passkeys_said lent = lend(said);
    const struct auth_wish wish = credentials_wish(&said->from);
    struct auth_answer opened = {0};
    enum err err =
        passkeys_enter(answer->api->auth, &said->site, &lent, &wish, &opened, &answer->why);
    answer->retry_after_s = opened.retry_after_s;
    if (err == OK)
        session_answer(answer, 200, &opened, said->from.is_secure);
    else
        answer_fail(answer, err, err == ERR_REFUSED ? 401 : err == ERR_LIMIT ? 429 : 0);
}

void passkeys_post(struct request *request, void *ctx)
{
    say_later(ctx, request, false, enter);
}

/* --- one's own --- */

static json_t *passkey_json(const struct store_passkey *passkey)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", passkey->id, "name", passkey->name, "site",
                     passkey->rp, "created", json_date(passkey->made_ms), "seen",
                     passkey->seen_ms >= 0 ? json_date(passkey->seen_ms) : json_null());
}

static void list_one(void *ctx, const struct store_passkey *passkey)
{
    json_array_append_new(ctx, passkey_json(passkey));
}

static void list(struct answer *answer)
{
    json_t *items = json_array();
    enum err err = store_passkeys_each(answer->api->store, answer->user.id, list_one, items);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void me_passkeys_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static json_t *text_of_bytes(const void *bytes, size_t size)
{
    char text[STORE_HANDLE_MOST * 4 / 3 + 8];
    sodium_bin2base64(text, sizeof text, bytes, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return json_string(text);
}

/* A device that holds one already makes no other. */
static void exclude_one(void *ctx, const struct store_passkey *passkey)
{
    json_array_append_new(ctx, json_pack("{s:s, s:o}", "type", "public-key", "id",
                                         text_of_bytes(passkey->handle, passkey->handle_size)));
}

static void tell_options(struct answer *answer)
{
    static const int ALGORITHMS[] = {-7, -8, -257}; /* ES256, EdDSA, RS256: RFC 9053 2 */
    const struct passkeys_site *site = answer->input;
    const struct http_user *user = &answer->user;
    char challenge[TOKENS_CHALLENGE_SIZE];
    json_t *held = json_array(), *params = json_array();
    enum err err = store_passkeys_each(answer->api->store, user->id, exclude_one, held);
    for (size_t i = 0; i < sizeof ALGORITHMS / sizeof ALGORITHMS[0]; i++)
        json_array_append_new(params,
                              json_pack("{s:s, s:i}", "type", "public-key", "alg", ALGORITHMS[i]));
    passkeys_challenge(answer->api->auth, user->id, challenge);
    answer->body =
        json_pack("{s:s, s:{s:s, s:s}, s:{s:o, s:s, s:s}, s:o, s:o, s:{s:s, s:b, s:s}, s:s, s:i}",
                  "challenge", challenge, "rp", "id", site->rp, "name", "matinee", "user", "id",
                  text_of_bytes(user->id, strlen(user->id)), "name", user->name, "displayName",
                  user->name, "pubKeyCredParams", params, "excludeCredentials", held,
                  "authenticatorSelection", "residentKey", "required", "requireResidentKey", 1,
                  "userVerification", "required", "attestation", "none", "timeout", TIMEOUT_MS);
    if (err != OK)
        answer_fail(answer, err, 0);
}

void me_passkeys_options_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct passkeys_site site;
    struct why why = {0};
    enum err err = find_site(api, request, &site, &why);
    if (err == OK)
        answer_later(
            api, request,
            &(struct answer_plan){.work = tell_options, .input = &site, .size = sizeof site});
    else
        refuse_site(request, err, &why);
}

static int status_of(enum err err)
{
    if (err == ERR_REFUSED || err == ERR_BAD_INPUT)
        return STATUS_UNPROCESSABLE;
    return err == ERR_LIMIT || err == ERR_BUSY ? 409 : 0;
}

static void add(struct answer *answer)
{
    const struct said *said = answer->input;
    const struct passkeys_said lent = lend(said);
    struct store_passkey made;
    enum err err = passkeys_add(answer->api->auth, &answer->user, &said->site, &lent,
                                slice_of(said->name), &made, &answer->why);
    if (err != OK) {
        answer_fail(answer, err, status_of(err));
        return;
    }
    answer_note(answer, "passkey added", made.name);
    answer->status = 201;
    answer->body = passkey_json(&made);
}

void me_passkeys_post(struct request *request, void *ctx)
{
    say_later(ctx, request, true, add);
}

static void drop(struct answer *answer)
{
    static const struct answer_way way = {"passkey", "add another", "passkey removed"};
    enum err err = store_passkey_remove(answer->api->store, answer->input, answer->user.id);
    answer_way_removed(answer, err, &way);
}

void me_passkey_delete(struct request *request, void *ctx)
{
    answer_with_id(ctx, request, drop);
}
