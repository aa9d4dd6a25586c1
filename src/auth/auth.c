/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/auth.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/code.h"
#include "auth/limit.h"
#include "auth/password.h"
#include "auth/sessions.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    /* Ten tries at once from one address, then one each half minute. */
    PEER_BURST = 10,
    PEER_DRAIN_MS = 30 * 1000,
    /* Many addresses may guess at one name; its owner, signed in elsewhere, is not locked out. */
    NAME_BURST = 40,
    NAME_DRAIN_MS = 15 * 1000,
    QUEUE = 16, /* askers that wait for a hash: 2 s of work */
    SECRET_BYTES = 32
};
#define SESSION_MS (30LL * 24 * 60 * 60 * 1000)

struct auth {
    /* fixed after start */
    enum http_auth_mode mode;
    char key[AUTH_TOKEN_SIZE];
    int64_t session_ms;
    struct store *store;
    struct pool *pool;
    struct sessions *sessions;
    struct limit *peers, *names;
    struct code *code; /* NULL when there were accounts at the start */
    atomic_bool has_accounts;
};

static void draw_token(char out[AUTH_TOKEN_SIZE])
{
    unsigned char secret[SECRET_BYTES];
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(out, AUTH_TOKEN_SIZE, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
}

/* --- accounts --- */

enum err auth_add_user(struct store *store, struct slice name, struct slice password, bool is_admin,
                       bool only_first, struct store_user *out, struct why *why)
{
    struct store_user user = {.is_admin = is_admin, .created_ms = clock_wall_ms()};
    if (sodium_init() < 0)
        return why_set(why, ERR_IO, NULL, "the system gives no random numbers");
    enum err err = name_check(name, user.name, user.folded, why);
    if (err == OK)
        err = password_check(password, why);
    if (err == OK)
        err = password_hash(password, user.password);
    if (err != OK)
        return err;
    store_new_id(user.id);
    err = store_user_add(store, &user, only_first);
    if (err == ERR_BUSY)
        return why_set(why, err, "username", "the name %s is taken", user.name);
    if (err == OK && out != NULL)
        *out = user;
    return err;
}

static void accounts_exist(struct auth *auth)
{
    if (!atomic_exchange(&auth->has_accounts, true) && auth->code != NULL)
        code_void(auth->code);
}

void auth_look_again(struct auth *auth)
{
    int64_t count = 0;
    if (atomic_load(&auth->has_accounts))
        return;
    if (store_user_count(auth->store, &count) == OK && count > 0)
        accounts_exist(auth);
}

/* --- sessions --- */

static enum err open_session(struct auth *auth, const struct store_user *user,
                             struct auth_answer *out)
{
    struct store_session session = {.created_ms = clock_wall_ms()};
    session.seen_ms = session.created_ms;
    store_new_id(session.id);
    memcpy(session.user, user->id, sizeof session.user);
    draw_token(out->token);
    enum err err = sessions_hash(slice_of(out->token), session.hash);
    MUST(err == OK);
    err = store_session_add(auth->store, &session);
    if (err != OK)
        return err;
    sessions_add(auth->sessions, &session, user);
    return sessions_find(auth->sessions, session.hash, session.seen_ms, &out->user);
}

enum err auth_sign_out(struct auth *auth, const char *session)
{
    if (session[0] == '\0')
        return OK;
    enum err err = store_session_remove(auth->store, session);
    if (err == OK)
        sessions_remove(auth->sessions, session);
    return err;
}

bool auth_session_lives(struct auth *auth, const char *session)
{
    return session[0] == '\0' || sessions_has(auth->sessions, session);
}

/* Runs on the pool. */
static void save_seen(void *arg)
{
    struct auth *auth = arg;
    char id[STORE_ID_SIZE];
    int64_t seen_ms;
    while (sessions_take_seen(auth->sessions, id, &seen_ms) == OK)
        if (store_session_seen(auth->store, id, seen_ms) != OK)
            log_warning("auth.seen", log_str("session", id));
}

/* --- what the guard asks --- */

static enum err local_user(struct http_user *out)
{
    *out = (struct http_user){.id = "local", .name = "local", .is_admin = true};
    return OK;
}

static bool is_key(const struct auth *auth, struct slice given)
{
    return given.length == AUTH_TOKEN_SIZE - 1 &&
           sodium_memcmp(given.at, auth->key, AUTH_TOKEN_SIZE - 1) == 0;
}

static enum err user_of_session(struct auth *auth, struct slice cookie, struct http_user *out)
{
    uint8_t hash[32];
    if (sessions_hash(cookie, hash) != OK)
        return ERR_NOT_FOUND;
    enum err err = sessions_find(auth->sessions, hash, clock_wall_ms(), out);
    if (err == OK && sessions_want_saving(auth->sessions) &&
        pool_run(auth->pool, save_seen, NULL, auth, NULL) != OK)
        log_debug("auth.seen_later", log_str("why", "the queue is full"));
    return err;
}

static enum err find_user(void *ctx, struct slice cookie, struct slice bearer,
                          struct http_user *out)
{
    struct auth *auth = ctx;
    switch (auth->mode) {
    case AUTH_NONE:
        return local_user(out);
    case AUTH_KEY:
        return is_key(auth, cookie) || is_key(auth, bearer) ? local_user(out) : ERR_NOT_FOUND;
    case AUTH_ACCOUNTS:
        return user_of_session(auth, cookie, out);
    }
    MUST(false);
}

static bool has_accounts(void *ctx)
{
    struct auth *auth = ctx;
    return auth->mode != AUTH_ACCOUNTS || atomic_load(&auth->has_accounts);
}

struct http_auth auth_http(struct auth *auth)
{
    return (struct http_auth){.ctx = auth, .user = find_user, .has_accounts = has_accounts};
}

bool auth_has_accounts(struct auth *auth)
{
    return has_accounts(auth);
}

enum http_auth_mode auth_mode(const struct auth *auth)
{
    return auth->mode;
}

const char *auth_key(const struct auth *auth)
{
    return auth->key;
}

struct pool *auth_pool(struct auth *auth)
{
    return auth->pool;
}

/* --- setup and sign-in --- */

/* Of an IPv6 address the first half counts: a household has all the rest (RFC 4291 2.5.4). */
static void peer_key(struct slice peer, char out[64])
{
    struct in6_addr address;
    snprintf(out, 64, "%.*s", (int) (peer.length < 63 ? peer.length : 63), peer.at);
    if (inet_pton(AF_INET6, out, &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address))
        return;
    sodium_bin2hex(out, 64, address.s6_addr, 8);
}

static enum err count_try(struct limit *limit, const char *key, struct auth_answer *out,
                          struct why *why)
{
    int64_t retry_ms = 0;
    if (limit_try(limit, key, clock_mono_ms(), &retry_ms) == OK)
        return OK;
    out->retry_after_s = (int) (retry_ms / 1000 + 1);
    return why_set(why, ERR_LIMIT, NULL, "too many tries; the next one may be made in %d seconds",
                   out->retry_after_s);
}

static enum err check_code(struct auth *auth, const struct auth_wish *wish, struct why *why)
{
    if (wish->is_loopback && wish->code.at == NULL)
        return OK;
    if (wish->code.at == NULL)
        return why_set(why, ERR_REFUSED, "code",
                       "the setup code is missing; the server printed it when it started");
    if (code_try(auth->code, wish->code) != OK)
        return why_set(why, ERR_REFUSED, "code", "that is not the setup code");
    return OK;
}

static enum err make_first(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                           struct why *why)
{
    struct store_user user;
    enum err err = check_code(auth, wish, why);
    if (err == OK)
        err = auth_add_user(auth->store, wish->username, wish->password, true, true, &user, why);
    else
        return err;
    if (err == ERR_REFUSED) {
        accounts_exist(auth);
        return why_set(why, ERR_GONE, NULL, "there is an account already");
    }
    if (err != OK)
        return err;
    accounts_exist(auth);
    log_info("auth.set_up", log_str("user", user.name));
    return open_session(auth, &user, out);
}

enum err auth_set_up(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                     struct why *why)
{
    char key[64];
    if (has_accounts(auth) || auth->code == NULL)
        return why_set(why, ERR_GONE, NULL, "there is an account already");
    peer_key(wish->peer, key);
    enum err err = wish->is_loopback ? OK : count_try(auth->peers, key, out, why);
    if (err == OK)
        err = make_first(auth, wish, out, why);
    if (err == OK || err == ERR_BAD_INPUT)
        limit_forgive(auth->peers, key, clock_mono_ms());
    return err;
}

/* The name and the password are judged together: nobody learns which names there are. */
static enum err check_password(struct auth *auth, const struct auth_wish *wish, const char *folded,
                               struct store_user *user)
{
    enum err err = store_user_find(auth->store, folded, user);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_NOT_FOUND)
        user->password[0] = '\0';
    return password_is(wish->password, user->password) ? OK : ERR_REFUSED;
}

static enum err try_password(struct auth *auth, const struct auth_wish *wish, const char *folded,
                             struct auth_answer *out, struct why *why)
{
    struct store_user user;
    enum err err = count_try(auth->names, folded, out, why);
    if (err != OK)
        return err;
    err = check_password(auth, wish, folded, &user);
    if (err == ERR_REFUSED) {
        CLEANUP(str_fini) struct str peer = {0};
        str_append_utf8(&peer, wish->peer.at, wish->peer.length);
        /* not the name: people type their password into that field */
        log_warning("auth.refused", log_str("peer", str_text(&peer)));
        return why_set(why, err, NULL, "that is not a name and its password");
    }
    if (err != OK)
        return err;
    limit_forgive(auth->names, folded, clock_mono_ms());
    accounts_exist(auth);
    return open_session(auth, &user, out);
}

enum err auth_sign_in(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                      struct why *why)
{
    char key[64], name[STORE_NAME_SIZE], folded[STORE_NAME_SIZE];
    peer_key(wish->peer, key);
    enum err err = count_try(auth->peers, key, out, why);
    if (err != OK)
        return err;
    if (wish->password.length > 1024 || name_check(wish->username, name, folded, NULL) != OK)
        return why_set(why, ERR_REFUSED, NULL, "that is not a name and its password");
    err = try_password(auth, wish, folded, out, why);
    if (err == OK)
        limit_forgive(auth->peers, key, clock_mono_ms());
    return err;
}

/* --- start and stop --- */

static enum err read_password(const char *path, struct str *out, struct why *why)
{
    char text[2048];
    size_t got = 0;
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fd_read_at(fd, text, sizeof text, 0, &got) != OK)
        return why_set(why, ERR_BAD_INPUT, "auth.admin_password_file", "%s cannot be read", path);
    while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == '\r'))
        got--;
    str_append(out, text, got);
    sodium_memzero(text, sizeof text);
    return OK;
}

static enum err make_admin(struct auth *auth, const struct auth_options *options, struct why *why)
{
    CLEANUP(str_fini) struct str password = {0};
    bool is_named = options->admin_name != NULL && options->admin_name[0] != '\0';
    struct slice name = slice_of(is_named ? options->admin_name : "admin");
    enum err err = read_password(options->admin_password_file, &password, why);
    if (err != OK)
        return err;
    struct slice given = {str_text(&password), password.length};
    err = auth_add_user(auth->store, name, given, true, true, NULL, why);
    if (err == ERR_BAD_INPUT)
        snprintf(why->field, sizeof why->field, "%s",
                 strcmp(why->field, "username") == 0 ? "auth.admin_name"
                                                     : "auth.admin_password_file");
    if (err == OK || err == ERR_REFUSED)
        atomic_store(&auth->has_accounts, true);
    return err == ERR_REFUSED ? OK : err;
}

static enum err make_code(struct auth *auth, const struct auth_options *options, struct why *why)
{
    CLEANUP(str_fini) struct str path = {0};
    str_printf(&path, "%s/setup-code", options->data_folder);
    if (atomic_load(&auth->has_accounts)) {
        unlink(path.at);
        return OK;
    }
    return code_new(path.at, options->show_code, options->show_ctx, &auth->code, why);
}

static void load_session(void *ctx, const struct store_session *session,
                         const struct store_user *user)
{
    struct auth *auth = ctx;
    sessions_add(auth->sessions, session, user);
}

static enum err load(struct auth *auth, const struct auth_options *options, struct why *why)
{
    enum err err = store_sessions_expire(auth->store, clock_wall_ms() - auth->session_ms);
    if (err == OK)
        err = store_sessions_each(auth->store, load_session, auth);
    if (err != OK)
        return why_set(why, err, NULL, "the accounts cannot be read");
    auth_look_again(auth);
    if (!atomic_load(&auth->has_accounts) && options->admin_password_file != NULL)
        err = make_admin(auth, options, why);
    return err != OK ? err : make_code(auth, options, why);
}

enum err auth_start(const struct auth_options *options, struct store *store, struct auth **out,
                    struct why *why)
{
    if (sodium_init() < 0)
        return why_set(why, ERR_IO, NULL, "the system gives no random numbers");
    struct auth *auth = mem_new(struct auth);
    auth->mode = options->mode;
    auth->store = store;
    auth->session_ms = options->session_ms != 0 ? options->session_ms : SESSION_MS;
    auth->sessions = sessions_new(auth->session_ms);
    auth->peers = limit_new(PEER_BURST, PEER_DRAIN_MS);
    auth->names = limit_new(NAME_BURST, NAME_DRAIN_MS);
    if (auth->mode == AUTH_KEY)
        draw_token(auth->key);
    enum err err = pool_new("auth", 1, QUEUE, &auth->pool);
    if (err == OK && auth->mode == AUTH_ACCOUNTS)
        err = load(auth, options, why);
    if (err != OK)
        auth_stop(&auth);
    else
        *out = auth;
    return err;
}

void auth_stop(struct auth **auth)
{
    if (*auth == NULL)
        return;
    pool_free(&(*auth)->pool);
    sessions_free(&(*auth)->sessions);
    limit_free(&(*auth)->peers);
    limit_free(&(*auth)->names);
    code_free(&(*auth)->code);
    sodium_memzero((*auth)->key, AUTH_TOKEN_SIZE);
    mem_free(*auth);
    *auth = NULL;
}
