/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/tokens.h"

#include <endian.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "auth/jwt.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/accounts.h"
#include "store/secrets.h"

#define DAY_MS      (24LL * 60 * 60 * 1000)
#define RENEW_MS    (90 * DAY_MS)  /* a new key signs after */
#define FORGET_MS   (100 * DAY_MS) /* an old one is known until */
#define KEY_PREFIX  "access:"
#define PATH_SECRET "path:1"
#define ISSUER      "matinee"
#define TYPE        "at+jwt" /* RFC 9068 2.1 */

enum {
    SEEN = 512,
    SPENT = 1024,
    HASH_SIZE = 32,
    MAC_SIZE = crypto_generichash_BYTES,
    MAC_TEXT = 44
};

/* A token that was good: its signature need not be checked for every segment of a film. */
struct seen {
    uint8_t hash[HASH_SIZE];
    struct tokens_claim claim;
    int64_t expires_s;
};

/* A challenge that was signed. */
struct spent {
    char text[TOKENS_CHALLENGE_SIZE];
    int64_t expires_s; /* then it is good for nothing anyway */
};

struct tokens {
    json_t *keys; /* fixed after new: {"keys": [...]}, private ones, the newest first */
    uint8_t path_key[crypto_generichash_KEYBYTES];
    pthread_mutex_t lock;
    struct seen seen[SEEN];    /* under lock; at hash[0..1] % SEEN */
    uint8_t boot[16];          /* challenges end with the process that made them */
    struct spent spent[SPENT]; /* under lock */
};

/* --- keys --- */

struct loading {
    json_t *list;
    int64_t newest_ms;
};

static void take_key(void *ctx, const char *name, const char *value, int64_t made_ms)
{
    struct loading *loading = ctx;
    json_t *key = json_loads(value, 0, NULL);
    if (key == NULL) {
        log_warning("tokens.key", log_str("name", name));
        return;
    }
    json_array_append_new(loading->list, key);
    loading->newest_ms = made_ms > loading->newest_ms ? made_ms : loading->newest_ms;
}

static enum err make_key(struct store *store, int64_t now_ms)
{
    char kid[STORE_ID_SIZE], name[STORE_ID_SIZE + sizeof KEY_PREFIX];
    json_t *key = NULL;
    store_new_id(kid);
    snprintf(name, sizeof name, KEY_PREFIX "%s", kid);
    enum err err = jwt_new_key(kid, &key);
    if (err != OK)
        return err;
    char *text = json_dumps(key, JSON_COMPACT);
    json_decref(key);
    err = store_secret_add(store, name, text, now_ms);
    explicit_bzero(text, strlen(text));
    mem_free(text);
    return err;
}

static enum err load_keys(struct store *store, int64_t now_ms, struct tokens *tokens)
{
    struct loading loading = {.list = json_array()};
    enum err err = store_secrets_expire(store, KEY_PREFIX, now_ms - FORGET_MS);
    if (err == OK)
        err = store_secrets_each(store, KEY_PREFIX, take_key, &loading);
    if (err == OK && now_ms - loading.newest_ms > RENEW_MS) {
        json_array_clear(loading.list);
        err = make_key(store, now_ms);
        if (err == OK)
            err = store_secrets_each(store, KEY_PREFIX, take_key, &loading);
    }
    tokens->keys = json_pack("{s:o}", "keys", loading.list);
    return err == OK && json_array_size(json_object_get(tokens->keys, "keys")) == 0 ? ERR_IO : err;
}

static void take_path_key(void *ctx, const char *name, const char *value, int64_t made_ms)
{
    struct tokens *tokens = ctx;
    size_t size = 0;
    (void) name;
    (void) made_ms;
    if (sodium_hex2bin(tokens->path_key, sizeof tokens->path_key, value, strlen(value), NULL, &size,
                       NULL) != 0 ||
        size != sizeof tokens->path_key)
        sodium_memzero(tokens->path_key, sizeof tokens->path_key);
}

static enum err load_path_key(struct store *store, int64_t now_ms, struct tokens *tokens)
{
    uint8_t drawn[sizeof tokens->path_key];
    char text[2 * sizeof drawn + 1];
    randombytes_buf(drawn, sizeof drawn);
    sodium_bin2hex(text, sizeof text, drawn, sizeof drawn);
    enum err err = store_secret_add(store, PATH_SECRET, text, now_ms);
    sodium_memzero(text, sizeof text);
    sodium_memzero(drawn, sizeof drawn);
    if (err == OK)
        err = store_secrets_each(store, PATH_SECRET, take_path_key, tokens);
    return err == OK && sodium_is_zero(tokens->path_key, sizeof tokens->path_key) ? ERR_IO : err;
}

enum err tokens_new(struct store *store, int64_t now_ms, struct tokens **out)
{
    struct tokens *tokens = mem_new(struct tokens);
    pthread_mutex_init(&tokens->lock, NULL);
    randombytes_buf(tokens->boot, sizeof tokens->boot);
    enum err err = load_keys(store, now_ms, tokens);
    if (err == OK)
        err = load_path_key(store, now_ms, tokens);
    if (err == OK)
        *out = tokens;
    else
        tokens_free(&tokens);
    return err;
}

void tokens_free(struct tokens **tokens)
{
    struct tokens *gone = *tokens;
    *tokens = NULL;
    if (gone == NULL)
        return;
    json_decref(gone->keys);
    sodium_memzero(gone->path_key, sizeof gone->path_key);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* --- access tokens --- */

enum err tokens_issue(struct tokens *tokens, const char *user, const char *session, int64_t now_s,
                      char out[TOKENS_ACCESS_SIZE])
{
    CLEANUP(mem_free_at) char *text = NULL;
    char id[STORE_ID_SIZE];
    json_int_t made_s = now_s;
    store_new_id(id);
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "iss", ISSUER, "aud", ISSUER, "sub", user,
                  "sid", session, "iat", made_s, "exp", made_s + TOKENS_ACCESS_S, "jti", id);
    const json_t *key = json_array_get(json_object_get(tokens->keys, "keys"), 0);
    enum err err = jwt_sign(key, TYPE, claims, &text);
    json_decref(claims);
    if (err == OK && strlen(text) >= TOKENS_ACCESS_SIZE)
        err = ERR_LIMIT;
    if (err == OK)
        memcpy(out, text, strlen(text) + 1);
    return err;
}

static struct seen *place_of(struct tokens *tokens, const uint8_t hash[HASH_SIZE])
{
    return &tokens->seen[(hash[0] | (size_t) hash[1] << 8) % SEEN];
}

static bool was_seen(struct tokens *tokens, const uint8_t hash[HASH_SIZE], int64_t now_s,
                     struct tokens_claim *out)
{
    pthread_mutex_lock(&tokens->lock);
    const struct seen *seen = place_of(tokens, hash);
    bool is = seen->expires_s >= now_s && memcmp(seen->hash, hash, HASH_SIZE) == 0;
    if (is)
        *out = seen->claim;
    pthread_mutex_unlock(&tokens->lock);
    return is;
}

static void remember(struct tokens *tokens, const uint8_t hash[HASH_SIZE], int64_t expires_s,
                     const struct tokens_claim *claim)
{
    pthread_mutex_lock(&tokens->lock);
    struct seen *seen = place_of(tokens, hash);
    memcpy(seen->hash, hash, HASH_SIZE);
    seen->claim = *claim;
    seen->expires_s = expires_s;
    pthread_mutex_unlock(&tokens->lock);
}

static bool copy_claim(const json_t *claims, const char *name, char out[40])
{
    const char *text = json_string_value(json_object_get(claims, name));
    if (text == NULL || strlen(text) >= 40)
        return false;
    snprintf(out, 40, "%s", text);
    return true;
}

enum err tokens_check(struct tokens *tokens, struct slice token, int64_t now_s,
                      struct tokens_claim *out)
{
    static const char *const ALGS[] = {"ES256", NULL};
    const struct jwt_rules rules = {
        .algs = ALGS, .issuer = ISSUER, .audience = ISSUER, .type = TYPE, .now_s = now_s};
    uint8_t hash[HASH_SIZE];
    json_t *claims = NULL;
    if (token.length > TOKENS_ACCESS_SIZE)
        return ERR_REFUSED;
    crypto_generichash(hash, sizeof hash, (const unsigned char *) token.at, token.length, NULL, 0);
    if (was_seen(tokens, hash, now_s, out))
        return OK;
    if (jwt_verify(token, tokens->keys, &rules, &claims, NULL) != OK)
        return ERR_REFUSED;
    bool is_whole = copy_claim(claims, "sub", out->user) && copy_claim(claims, "sid", out->session);
    int64_t expires_s = (int64_t) json_number_value(json_object_get(claims, "exp"));
    json_decref(claims);
    if (!is_whole)
        return ERR_REFUSED;
    remember(tokens, hash, expires_s, out);
    return OK;
}

/* --- parts of addresses: EXPIRY.PLAYBACK.USER.SESSION.MAC --- */

static void make_mac(const struct tokens *tokens, const char *text, size_t length,
                     struct slice file, char out[MAC_TEXT])
{
    uint8_t mac[MAC_SIZE];
    crypto_generichash_state state;
    crypto_generichash_init(&state, tokens->path_key, sizeof tokens->path_key, sizeof mac);
    crypto_generichash_update(&state, (const unsigned char *) text, length);
    crypto_generichash_update(&state, (const unsigned char *) "/", 1);
    crypto_generichash_update(&state, (const unsigned char *) file.at, file.length);
    crypto_generichash_final(&state, mac, sizeof mac);
    sodium_bin2base64(out, MAC_TEXT, mac, sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void tokens_sign_path(struct tokens *tokens, const struct tokens_path *path, const char *file,
                      char out[TOKENS_PATH_SIZE])
{
    char mac[MAC_TEXT];
    int length = snprintf(out, TOKENS_PATH_SIZE, "%" PRIx64 ".%s.%s.%s", (uint64_t) path->expires_s,
                          path->playback, path->user, path->session);
    MUST(length > 0 && length + MAC_TEXT < TOKENS_PATH_SIZE);
    make_mac(tokens, out, (size_t) length, slice_of(file), mac);
    snprintf(out + length, TOKENS_PATH_SIZE - (size_t) length, ".%s", mac);
}

/* What stands before the next dot, into `out`; false: too long, or there is none. */
static bool take_part(struct slice *text, char *out, size_t size)
{
    const char *dot = memchr(text->at, '.', text->length);
    size_t length = dot != NULL ? (size_t) (dot - text->at) : 0;
    if (dot == NULL || length >= size)
        return false;
    memcpy(out, text->at, length);
    out[length] = '\0';
    *text = (struct slice){dot + 1, text->length - length - 1};
    return true;
}

static bool parse_hex(const char *text, int64_t *out)
{
    uint64_t number = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 12 || strspn(text, "0123456789abcdef") != length)
        return false;
    for (size_t i = 0; i < length; i++)
        number = number * 16 + (uint64_t) (text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
    *out = (int64_t) number;
    return true;
}

enum err tokens_check_path(struct tokens *tokens, struct slice text, struct slice file,
                           struct tokens_path *out)
{
    char expiry[16], mac[MAC_TEXT];
    struct slice rest = text;
    if (text.at == NULL || text.length >= TOKENS_PATH_SIZE ||
        !take_part(&rest, expiry, sizeof expiry) ||
        !take_part(&rest, out->playback, sizeof out->playback) ||
        !take_part(&rest, out->user, sizeof out->user) ||
        !take_part(&rest, out->session, sizeof out->session) ||
        !parse_hex(expiry, &out->expires_s) || rest.length != MAC_TEXT - 1)
        return ERR_REFUSED;
    make_mac(tokens, text.at, text.length - rest.length - 1, file, mac);
    return sodium_memcmp(mac, rest.at, MAC_TEXT - 1) == 0 ? OK : ERR_REFUSED;
}

/* --- browsers: NONCE.MAC --- */

enum { NONCE_SIZE = 16, NONCE_TEXT = 23 };
_Static_assert(NONCE_TEXT + MAC_TEXT == TOKENS_BROWSER_SIZE, "a nonce, a dot, a MAC");

/* The part of an address has dots before its first slash: neither is ever the other. */
static void mac_browser(const struct tokens *tokens, const char *nonce, const char *name,
                        char out[MAC_TEXT])
{
    char object[STORE_NAME_SIZE + 16];
    int length = snprintf(object, sizeof object, "browser/%s", name);
    MUST(length > 0 && (size_t) length < sizeof object);
    make_mac(tokens, nonce, NONCE_TEXT - 1, slice_of(object), out);
}

void tokens_sign_browser(struct tokens *tokens, const char *name, char out[TOKENS_BROWSER_SIZE])
{
    uint8_t nonce[NONCE_SIZE];
    randombytes_buf(nonce, sizeof nonce);
    sodium_bin2base64(out, NONCE_TEXT, nonce, sizeof nonce,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out[NONCE_TEXT - 1] = '.';
    mac_browser(tokens, out, name, out + NONCE_TEXT);
}

bool tokens_check_browser(struct tokens *tokens, struct slice text, const char *name)
{
    char mac[MAC_TEXT];
    if (text.length != TOKENS_BROWSER_SIZE - 1 || text.at[NONCE_TEXT - 1] != '.' ||
        memchr(text.at, '/', NONCE_TEXT - 1) != NULL)
        return false;
    mac_browser(tokens, text.at, name, mac);
    return sodium_memcmp(mac, text.at + NONCE_TEXT, MAC_TEXT - 1) == 0;
}

/* --- challenges: EXPIRY NONCE MAC, in base64url --- */

struct challenge {
    uint8_t expiry[8], nonce[NONCE_SIZE], mac[MAC_SIZE];
};

static void mac_challenge(const struct tokens *tokens, const struct challenge *challenge,
                          const char *purpose, uint8_t out[MAC_SIZE])
{
    static const unsigned char LABEL[] = "/challenge/";
    crypto_generichash_state state;
    crypto_generichash_init(&state, tokens->path_key, sizeof tokens->path_key, MAC_SIZE);
    crypto_generichash_update(&state, challenge->expiry, sizeof challenge->expiry);
    crypto_generichash_update(&state, challenge->nonce, sizeof challenge->nonce);
    crypto_generichash_update(&state, tokens->boot, sizeof tokens->boot);
    crypto_generichash_update(&state, LABEL,
                              sizeof LABEL); /* its NUL too: no text of others has one */
    crypto_generichash_update(&state, (const unsigned char *) purpose, strlen(purpose));
    crypto_generichash_final(&state, out, MAC_SIZE);
}

void tokens_make_challenge(struct tokens *tokens, const char *purpose, int64_t expires_s,
                           char out[TOKENS_CHALLENGE_SIZE])
{
    struct challenge challenge;
    uint64_t expiry = htobe64((uint64_t) expires_s);
    memcpy(challenge.expiry, &expiry, sizeof challenge.expiry);
    randombytes_buf(challenge.nonce, sizeof challenge.nonce);
    mac_challenge(tokens, &challenge, purpose, challenge.mac);
    sodium_bin2base64(out, TOKENS_CHALLENGE_SIZE, (const unsigned char *) &challenge,
                      sizeof challenge, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool decode_challenge(struct slice text, struct challenge *out, int64_t *expires_s)
{
    uint64_t expiry;
    size_t size = 0;
    if (text.length != TOKENS_CHALLENGE_SIZE - 1 ||
        sodium_base642bin((unsigned char *) out, sizeof *out, text.at, text.length, NULL, &size,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        size != sizeof *out)
        return false;
    memcpy(&expiry, out->expiry, sizeof expiry);
    *expires_s = (int64_t) be64toh(expiry);
    return true;
}

bool tokens_check_challenge(struct tokens *tokens, struct slice text, const char *purpose,
                            int64_t now_s)
{
    struct challenge challenge;
    uint8_t mac[MAC_SIZE];
    int64_t expires_s = 0;
    if (!decode_challenge(text, &challenge, &expires_s))
        return false;
    mac_challenge(tokens, &challenge, purpose, mac);
    return sodium_memcmp(mac, challenge.mac, MAC_SIZE) == 0 && expires_s >= now_s;
}

/* Under lock. A place that is free by now; NULL: it was spent before, or so many were that nobody does that. */
static struct spent *find_free(struct tokens *tokens, struct slice text, int64_t now_s)
{
    struct spent *found = NULL;
    for (size_t i = 0; i < SPENT; i++) {
        struct spent *spent = &tokens->spent[i];
        if (slice_is(text, spent->text))
            return NULL;
        if (spent->expires_s < now_s)
            found = spent;
    }
    return found;
}

bool tokens_spend_challenge(struct tokens *tokens, struct slice text, int64_t now_s)
{
    struct challenge challenge;
    int64_t expires_s = 0;
    if (!decode_challenge(text, &challenge, &expires_s))
        return false;
    pthread_mutex_lock(&tokens->lock);
    struct spent *place = find_free(tokens, text, now_s);
    if (place != NULL) {
        snprintf(place->text, sizeof place->text, "%.*s", (int) text.length, text.at);
        place->expires_s = expires_s;
    }
    pthread_mutex_unlock(&tokens->lock);
    return place != NULL;
}
