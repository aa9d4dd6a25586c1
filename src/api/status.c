/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/status: what this server is, before anyone signs in. */
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"

static json_t *layers(const char *text)
{
    json_t *list = json_array();
    while (*text != '\0') {
        size_t length = strcspn(text, ", ");
        if (length > 0)
            json_array_append_new(list, json_stringn(text, length));
        text += length + strspn(text + length, ", ");
    }
    return list;
}

static const char *mode_name(enum http_auth_mode mode)
{
    switch (mode) {
    case AUTH_NONE:
        return "none";
    case AUTH_KEY:
        return "key";
    case AUTH_ACCOUNTS:
        break;
    }
    return "accounts";
}

static const char *registration_name(const struct auth *auth)
{
    if (auth_mode(auth) != AUTH_ACCOUNTS)
        return "closed";
    switch (auth_registration(auth)) {
    case AUTH_OPEN:
        return "open";
    case AUTH_CLOSED:
        return "closed";
    case AUTH_BY_INVITE:
        break;
    }
    return "invite";
}

static json_t *providers_json(const struct others *others)
{
    json_t *list = json_array();
    for (size_t i = 0; i < others_count(others); i++) {
        const struct provider *provider = others_at(others, i);
        json_array_append_new(list, json_pack("{s:s, s:o}", "name", provider_name(provider),
                                              "title", json_text(provider_title(provider))));
    }
    return list;
}

static void work(struct answer *answer)
{
    struct api *api = answer->api;
    bool by_password = auth_mode(api->auth) == AUTH_ACCOUNTS;
    auth_look_again(api->auth);
    answer->body = json_pack(
        "{s:s, s:b, s:s, s:[], s:s, s:{}, s:o}", "version", MATINEE_VERSION, "setup_required",
        !auth_has_accounts(api->auth), "auth", mode_name(auth_mode(api->auth)), "sign_in",
        "registration", registration_name(api->auth), "features", "sandbox", layers(api->sandbox));
    if (api->hls != NULL) {
        CLEANUP(str_fini) struct str words = {0};
        hls_hardware(api->hls, &words);
        json_object_set_new(answer->body, "hardware", json_string(str_text(&words)));
    }
    json_object_set_new(answer->body, "providers",
                        by_password ? providers_json(api->others) : json_array());
    if (by_password)
        json_array_append_new(json_object_get(answer->body, "sign_in"), json_string("password"));
    if (by_password && api->mail != NULL)
        json_object_set_new(json_object_get(answer->body, "features"), "mail", json_true());
}

void status_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    answer_later(api, request, &(struct answer_plan){.work = work});
}
