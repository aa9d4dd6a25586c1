/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/passkeys.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <jansson.h>
#include <sodium.h>

#include "auth/inside.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    CHALLENGE_S = 5 * 60,
    CLIENT_DATA_MOST = 4096,
    AUTHENTICATOR_DATA_MOST = 4096,
    SIGNATURE_MOST = 1024
};
#define REFUSED "that passkey opens nothing here"
/* What is asked for first is preferred by devices. */
static const int ALGORITHMS[] = {COSE_ES256, COSE_EDDSA, COSE_RS256};

/* --- the name of this server --- */

static bool is_numbers(const char *name)
{
    struct in6_addr address;
    return name[0] == '[' || inet_pton(AF_INET, name, &address) == 1;
}

/* As browsers say an origin (RFC 6454 6.2): small letters, no port that is the usual one. */
static void normalise(struct passkeys_site *site, const char *usual)
{
    size_t length = strlen(site->origin), size = strlen(usual);
    for (char *at = site->origin; *at != '\0'; at++)
        *at = char_lower(*at);
    for (char *at = site->rp; *at != '\0'; at++)
        *at = char_lower(*at);
    if (length > size && strcmp(site->origin + length - size, usual) == 0)
        site->origin[length - size] = '\0';
}

enum err passkeys_site(const char *url, struct passkeys_site *out, struct why *why)
{
    const char *name = strstr(url, "://");
    bool is_secure = strncmp(url, "https://", 8) == 0;
    size_t length = name != NULL ? strcspn(name + 3, "/") : 0;
    if (length == 0 || length >= STORE_RP_SIZE)
        return why_set(why, ERR_BAD_INPUT, NULL,
                       "this server has no name that a passkey could be for");
    snprintf(out->origin, sizeof out->origin, "%.*s", (int) (name + 3 - url + (long) length), url);
    snprintf(out->rp, sizeof out->rp, "%.*s", (int) length, name + 3);
    if (out->rp[0] != '[')
        out->rp[strcspn(out->rp, ":")] = '\0';
    normalise(out, is_secure ? ":443" : ":80");
    if (is_numbers(out->rp))
        return why_set(why, ERR_BAD_INPUT, NULL, "passkeys are for a name: %s is an address",
                       out->rp);
    if (!is_secure && strcmp(out->rp, "localhost") != 0)
        return why_set(why, ERR_BAD_INPUT, NULL, "passkeys need HTTPS");
    return OK;
}

/* --- challenges --- */

static void purpose_of(const char *user, char out[STORE_ID_SIZE + 16])
{
    snprintf(out, STORE_ID_SIZE + 16, "%s%.*s", user != NULL ? "passkey of " : "sign-in",
             STORE_ID_SIZE - 1, user != NULL ? user : "");
}

void passkeys_challenge(struct auth *auth, const char *user, char out[TOKENS_CHALLENGE_SIZE])
{
    char purpose[STORE_ID_SIZE + 16];
    purpose_of(user, purpose);
    tokens_make_challenge(auth->tokens, purpose, clock_wall_ms() / 1000 + CHALLENGE_S, out);
}

/* --- what a browser says --- */

struct bytes {
    size_t size;
    uint8_t at[AUTHENTICATOR_DATA_MOST];
};

static bool decode(struct slice text, size_t most, struct bytes *out)
{
    out->size = 0;
    return text.at != NULL && most <= sizeof out->at &&
           sodium_base642bin(out->at, most, text.at, text.length, NULL, &out->size, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

static bool says(const json_t *object, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && strcmp(text, wanted) == 0;
}

/* WebAuthn 7.1 steps 7 to 9, 7.2 steps 11 to 13: what was asked is what was signed, here. */
static enum err check_client_data(struct auth *auth, const struct bytes *data, const char *type,
                                  const char *user, const struct passkeys_site *site,
                                  char challenge[TOKENS_CHALLENGE_SIZE], struct why *why)
{
    char purpose[STORE_ID_SIZE + 16];
    json_t *said = json_loadb((const char *) data->at, data->size, JSON_REJECT_DUPLICATES, NULL);
    const char *given = json_string_value(json_object_get(said, "challenge"));
    enum err err = OK;
    purpose_of(user, purpose);
    if (!says(said, "type", type))
        err = why_set(why, ERR_REFUSED, "clientDataJSON", "it was not made for this");
    else if (!says(said, "origin", site->origin) ||
             json_is_true(json_object_get(said, "crossOrigin")))
        err = why_set(why, ERR_REFUSED, "clientDataJSON", "it was made for another page than %s",
                      site->origin);
    else if (!tokens_check_challenge(auth->tokens, slice_of(given), purpose,
                                     clock_wall_ms() / 1000))
        err = why_set(why, ERR_REFUSED, "clientDataJSON",
                      "it answers no question of ours, or too late: begin again");
    else
        snprintf(challenge, TOKENS_CHALLENGE_SIZE, "%s", given);
    json_decref(said);
    return err;
}

/* --- a new one --- */

/* WebAuthn 6.1: the hash of the name, flags (user present, user verified), counter. */
static bool is_ours(const struct bytes *data, const char *rp)
{
    enum { USER_PRESENT = 1, USER_VERIFIED = 4, FLAGS_AT = 32 };
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *) rp, strlen(rp));
    return data->size > FLAGS_AT && memcmp(data->at, hash, sizeof hash) == 0 &&
           (data->at[FLAGS_AT] & USER_PRESENT) != 0 && (data->at[FLAGS_AT] & USER_VERIFIED) != 0;
}

/* False: it is no data of a new key of this algorithm. */
static bool take_new(const struct bytes *data, int algorithm, struct store_passkey *out)
{
    fido_cred_t *made = fido_cred_new();
    MUST(made != NULL);
    bool is = fido_cred_set_type(made, algorithm) == FIDO_OK &&
              fido_cred_set_authdata_raw(made, data->at, data->size) == FIDO_OK;
    size_t handle = is ? fido_cred_id_len(made) : 0, key = is ? fido_cred_pubkey_len(made) : 0;
    is = handle > 0 && handle <= sizeof out->handle && key > 0 && key <= sizeof out->key;
    if (is) {
        memcpy(out->handle, fido_cred_id_ptr(made), handle);
        memcpy(out->key, fido_cred_pubkey_ptr(made), key);
        out->handle_size = handle;
        out->key_size = key;
        out->algorithm = algorithm;
        out->counter = fido_cred_sigcount(made);
    }
    fido_cred_free(&made);
    return is;
}

static enum err read_new(const struct bytes *data, const struct passkeys_site *site,
                         struct store_passkey *out, struct why *why)
{
    if (!is_ours(data, site->rp))
        return why_set(why, ERR_REFUSED, "authenticatorData",
                       "the device made it for another name, or did not ask who is using it");
    for (size_t i = 0; i < sizeof ALGORITHMS / sizeof ALGORITHMS[0]; i++)
        if (take_new(data, ALGORITHMS[i], out))
            return OK;
    return why_set(why, ERR_REFUSED, "authenticatorData", "it holds no key of a kind that we know");
}

enum err passkeys_add(struct auth *auth, const struct http_user *user,
                      const struct passkeys_site *site, const struct passkeys_said *said,
                      struct slice name, struct store_passkey *out, struct why *why)
{
    struct bytes client_data, data;
    char challenge[TOKENS_CHALLENGE_SIZE], folded[STORE_NAME_SIZE];
    *out = (struct store_passkey){.made_ms = clock_wall_ms(), .seen_ms = -1};
    fido_init(0);
    if (name_check(name, out->name, folded, NULL) != OK)
        return why_set(why, ERR_BAD_INPUT, "name", "a passkey needs a name of 1 to 64 characters");
    if (!decode(said->client_data, CLIENT_DATA_MOST, &client_data) ||
        !decode(said->authenticator_data, AUTHENTICATOR_DATA_MOST, &data))
        return why_set(why, ERR_REFUSED, NULL, "the browser said nothing that could be read");
    enum err err =
        check_client_data(auth, &client_data, "webauthn.create", user->id, site, challenge, why);
    if (err == OK)
        err = read_new(&data, site, out, why);
    if (err == OK &&
        !tokens_spend_challenge(auth->tokens, slice_of(challenge), clock_wall_ms() / 1000))
        err = why_set(why, ERR_REFUSED, NULL, "it was said before: begin again");
    if (err != OK)
        return err;
    store_new_id(out->id);
    snprintf(out->user, sizeof out->user, "%.*s", STORE_ID_SIZE - 1, user->id);
    memcpy(out->rp, site->rp, sizeof out->rp);
    err = store_passkey_add(auth->store, out);
    if (err == ERR_LIMIT)
        why_set(why, err, NULL, "there are %d passkeys already: remove one first",
                (int) STORE_PASSKEYS_MOST);
    if (err == ERR_BUSY)
        why_set(why, err, NULL, "that passkey is known already");
    return err;
}

/* --- signing in --- */

/* The public key as libfido2 wants it (free), or NULL. */
static void *key_of(const struct store_passkey *passkey)
{
    es256_pk_t *es256 = NULL;
    eddsa_pk_t *eddsa = NULL;
    rs256_pk_t *rs256 = NULL;
    switch (passkey->algorithm) {
    case COSE_ES256:
        es256 = es256_pk_new();
        if (es256 != NULL && es256_pk_from_ptr(es256, passkey->key, passkey->key_size) != FIDO_OK)
            es256_pk_free(&es256);
        return es256;
    case COSE_EDDSA:
        eddsa = eddsa_pk_new();
        if (eddsa != NULL && eddsa_pk_from_ptr(eddsa, passkey->key, passkey->key_size) != FIDO_OK)
            eddsa_pk_free(&eddsa);
        return eddsa;
    case COSE_RS256:
        rs256 = rs256_pk_new();
        if (rs256 != NULL && rs256_pk_from_ptr(rs256, passkey->key, passkey->key_size) != FIDO_OK)
            rs256_pk_free(&rs256);
        return rs256;
    default:
        return NULL;
    }
}

static void key_free(int algorithm, void *key)
{
    if (algorithm == COSE_ES256)
        es256_pk_free((es256_pk_t **) &key);
    else if (algorithm == COSE_EDDSA)
        eddsa_pk_free((eddsa_pk_t **) &key);
    else if (algorithm == COSE_RS256)
        rs256_pk_free((rs256_pk_t **) &key);
}

/* WebAuthn 7.2 steps 15 to 20, by libfido2: the name, the flags, the signature. */
static bool is_signed(const struct store_passkey *passkey, const struct bytes *client_data,
                      const struct bytes *data, const struct bytes *signature, uint32_t *counter)
{
    void *key = key_of(passkey);
    fido_assert_t *made = fido_assert_new();
    MUST(made != NULL);
    bool is = key != NULL && is_ours(data, passkey->rp) &&
              fido_assert_set_clientdata(made, client_data->at, client_data->size) == FIDO_OK &&
              fido_assert_set_rp(made, passkey->rp) == FIDO_OK &&
              fido_assert_set_up(made, FIDO_OPT_TRUE) == FIDO_OK &&
              fido_assert_set_uv(made, FIDO_OPT_TRUE) == FIDO_OK &&
              fido_assert_set_count(made, 1) == FIDO_OK &&
              fido_assert_set_authdata_raw(made, 0, data->at, data->size) == FIDO_OK &&
              fido_assert_set_sig(made, 0, signature->at, signature->size) == FIDO_OK &&
              fido_assert_verify(made, 0, passkey->algorithm, key) == FIDO_OK;
    *counter = is ? fido_assert_sigcount(made, 0) : 0;
    fido_assert_free(&made);
    key_free(passkey->algorithm, key);
    return is;
}

static enum err use(struct auth *auth, const struct store_passkey *passkey, uint32_t counter)
{
    enum err err = store_passkey_used(auth->store, passkey->id, counter, clock_wall_ms());
    if (err == ERR_NOT_FOUND) /* WebAuthn 7.2 step 21: two devices count */
        log_warning("auth.passkey_copied", log_str("passkey", passkey->id));
    return err == ERR_NOT_FOUND ? ERR_REFUSED : err;
}

static enum err check_signed(struct auth *auth, const struct passkeys_site *site,
                             const struct passkeys_said *said, struct store_user *user,
                             struct why *why)
{
    struct bytes client_data, data, handle, signature;
    struct store_passkey passkey;
    char challenge[TOKENS_CHALLENGE_SIZE];
    uint32_t counter = 0;
    if (!decode(said->client_data, CLIENT_DATA_MOST, &client_data) ||
        !decode(said->authenticator_data, AUTHENTICATOR_DATA_MOST, &data) ||
        !decode(said->handle, STORE_HANDLE_MOST, &handle) ||
        !decode(said->signature, SIGNATURE_MOST, &signature))
        return ERR_REFUSED;
    enum err err =
        check_client_data(auth, &client_data, "webauthn.get", NULL, site, challenge, why);
    if (err == OK)
        err = store_passkey_find(auth->store, handle.at, handle.size, &passkey, user);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_REFUSED : err;
    if (strcmp(passkey.rp, site->rp) != 0 || user->is_disabled ||
        !is_signed(&passkey, &client_data, &data, &signature, &counter) ||
        !tokens_spend_challenge(auth->tokens, slice_of(challenge), clock_wall_ms() / 1000))
        return ERR_REFUSED;
    return use(auth, &passkey, counter);
}

enum err passkeys_enter(struct auth *auth, const struct passkeys_site *site,
                        const struct passkeys_said *said, const struct auth_wish *wish,
                        struct auth_answer *out, struct why *why)
{
    struct store_user user;
    struct auth_try tried = auth_try_of(auth, wish->peer, NULL, wish->known);
    enum err err = auth_count_try(auth, &tried, out, why);
    if (err != OK)
        return err;
    fido_init(0);
    err = check_signed(auth, site, said, &user, why);
    if (err == OK)
        err = auth_open_session(auth, &user, wish, out);
    if (err == ERR_REFUSED) {
        auth_note(auth, &(struct http_user){.id = ""}, wish->peer, "sign-in refused", "passkey");
        return why->text[0] != '\0' ? err : why_set(why, err, NULL, REFUSED);
    }
    if (err != OK)
        return err;
    auth_forgive_try(auth, &tried);
    auth_note(auth, &out->user, wish->peer, "sign-in", "passkey");
    return OK;
}
