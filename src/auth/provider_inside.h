/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside auth/ only: what the kinds of providers share. */
#pragma once

#include <jansson.h>
#include <pthread.h>

#include "auth/provider.h"

struct provider {
    /* fixed after new; texts are mem_free */
    struct fetch *fetch;
    enum provider_kind kind;
    bool creates;
    char *name, *title, *issuer, *client_id, *client_secret, *scopes, *authorize_url, *token_url,
        *userinfo_url, *emails_url, *subject_field, *name_field, *email_field, *audience, *header;
    /* under lock */
    pthread_mutex_t lock;
    json_t *discovery; /* of the issuer; NULL: not had yet */
    int64_t discovered_ms;
    json_t *keys; /* NULL: not had yet */
    int64_t keys_ms, tried_ms;
};

/* An object that another server says; new reference. `bearer` NULL: without a token; `form` NULL: it is only asked. */
struct provider_question {
    const char *url, *bearer, *basic, *form;
};
MUST_CHECK enum err provider_ask(struct provider *provider,
                                 const struct provider_question *question, json_t **out,
                                 struct why *why);
/* The keys that the issuer signs with; `kid_is_unknown`: those that are kept are not enough, others are fetched, once
 * a minute at most. New reference. */
MUST_CHECK enum err provider_keys(struct provider *provider, const char *url, bool kid_is_unknown,
                                  json_t **out, struct why *why);
/* A token of the issuer for this audience; the keys are had where they are not. */
MUST_CHECK enum err provider_verify(struct provider *provider, const char *keys_url,
                                    const char *const *algs, const char *audience,
                                    struct slice token, json_t **claims, struct why *why);
/* "" where it is no text, or too long. */
void provider_take_text(const json_t *object, const char *name, char *out, size_t size);
/* A text or a whole number; false: neither, empty or too long. */
bool provider_take_subject(const json_t *object, const char *name, char out[STORE_SUBJECT_SIZE]);
void provider_take_email(const json_t *object, const char *name, char out[256]);
