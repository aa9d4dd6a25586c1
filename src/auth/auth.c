/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/auth.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/inside.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/audit.h"

enum {
    QUEUE = 16, /* askers that wait for a hash: 2 s of work */
    SECRET_BYTES = 32
};
/* Of one name from one address (a household's, where it is IPv6), and of all names from there. Nobody else's
 * guesses make an owner wait. */
static const struct limit_rule NAME_RULE = {10, 5 * 1000, 60 * 1000, 60 * 60 * 1000};
static const struct limit_rule PEER_RULE = {30, 5 * 1000, 30 * 1000, 60 * 60 * 1000};
/* Letters to one address, and from one. */
static const struct limit_rule LETTER_RULE = {5, 60 * 1000, 60 * 60 * 1000, 24 * 60 * 60 * 1000};
#define NO_SUCH    "that is not a name and its password"
#define SESSION_MS (30LL * 24 * 60 * 60 * 1000)

void auth_draw_token(char out[AUTH_TOKEN_SIZE])
{
    unsigned char secret[SECRET_BYTES];
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(out, AUTH_TOKEN_SIZE, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
}

/* --- accounts --- */

enum err auth_add_user(struct store *store, struct slice name, struct slice password,
                       enum role role, const struct bounds *bounds, bool only_first,
                       struct store_user *out, struct why *why)
{
    struct store_user user = {.role = role, .created_ms = clock_wall_ms()};
    if (bounds != NULL)
        user.bounds = *bounds;
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

/* What is not UTF-8 is shown as such; cut where it is too long, between characters. */
static void copy_text(struct slice text, char *out, size_t size)
{
    CLEANUP(str_fini) struct str clean = {0};
    str_append_utf8(&clean, text.at, text.length);
    size_t length = clean.length < size ? clean.length : size - 1;
    while (length < clean.length && length > 0 && ((unsigned char) clean.at[length] & 0xC0) == 0x80)
        length--;
    memcpy(out, str_text(&clean), length);
    out[length] = '\0';
}

/* Where there are no accounts. */
static enum err local_user(struct http_user *out)
{
    *out =
        (struct http_user){.id = "local", .name = "local", .role = ROLE_ADMIN, .scopes = SCOPE_ALL};
    return OK;
}

/* A secret, and what is kept of it. */
static void draw_secret(bool is_program, char out[AUTH_REFRESH_SIZE], uint8_t hash[STORE_HASH_SIZE])
{
    char token[AUTH_TOKEN_SIZE];
    auth_draw_token(token);
    snprintf(out, AUTH_REFRESH_SIZE, "%s%s", is_program ? AUTH_REFRESH_PREFIX : "", token);
    enum err err = is_program ? sessions_hash_refresh(slice_of(out), hash)
                              : sessions_hash(slice_of(out), hash);
    MUST(err == OK);
    sodium_memzero(token, sizeof token);
}

static enum err give_access(struct auth *auth, struct auth_answer *out)
{
    return tokens_issue(auth->tokens, out->user.id, out->user.session, clock_wall_ms() / 1000,
                        out->access);
}

enum err auth_open_session(struct auth *auth, const struct store_user *user,
                           const struct auth_wish *wish, struct auth_answer *out)
{
    struct store_session session = {.created_ms = clock_wall_ms(), .is_program = wish->is_program};
    copy_text(wish->agent, session.agent, sizeof session.agent);
    copy_text(wish->peer, session.peer, sizeof session.peer);
    session.seen_ms = session.created_ms;
    store_new_id(session.id);
    memcpy(session.user, user->id, sizeof session.user);
    draw_secret(wish->is_program, out->token, session.hash);
    pthread_mutex_lock(&auth->people);
    enum err err = store_session_add(auth->store, &session, user);
    if (err == OK)
        sessions_add(auth->sessions, &session, user);
    pthread_mutex_unlock(&auth->people);
    if (err == OK)
        err = sessions_find(auth->sessions, session.hash, session.seen_ms, &out->user);
    if (err == OK && wish->is_program)
        err = give_access(auth, out);
    else if (err == OK)
        tokens_sign_browser(auth->tokens, user->folded, out->known);
    return err == ERR_GONE || err == ERR_NOT_FOUND ? ERR_REFUSED : err;
}

static enum err renew(struct auth *auth, const uint8_t *hash, struct auth_answer *out)
{
    char id[STORE_ID_SIZE];
    uint8_t next[STORE_HASH_SIZE];
    int64_t now_ms = clock_wall_ms();
    draw_secret(true, out->token, next);
    pthread_mutex_lock(&auth->people);
    enum err err = store_session_renew(auth->store, hash, next, now_ms, id);
    if (err == OK)
        sessions_renew(auth->sessions, id, next);
    if (err == ERR_GONE)
        sessions_remove(auth->sessions, id);
    pthread_mutex_unlock(&auth->people);
    if (err == ERR_GONE)
        log_warning("auth.refreshed_twice", log_str("session", id));
    return err == OK ? sessions_use(auth->sessions, id, now_ms, &out->user) : err;
}

enum err auth_refresh(struct auth *auth, struct slice refresh, struct auth_answer *out,
                      struct why *why)
{
    uint8_t hash[STORE_HASH_SIZE];
    enum err err = sessions_hash_refresh(refresh, hash) == OK ? OK : ERR_NOT_FOUND;
    if (err == OK)
        err = renew(auth, hash, out);
    if (err == OK)
        err = give_access(auth, out);
    if (err == ERR_NOT_FOUND || err == ERR_GONE)
        return why_set(why, ERR_REFUSED, "refresh_token", "that token is not good any more");
    return err;
}

/* --- addresses --- */

void auth_sign_path(struct auth *auth, const struct http_user *user, const char *playback,
                    const char *file, char out[TOKENS_PATH_SIZE])
{
    struct tokens_path path = {.expires_s = clock_wall_ms() / 1000 + TOKENS_PATH_S};
    snprintf(path.user, sizeof path.user, "%s", user->id);
    snprintf(path.session, sizeof path.session, "%s", user->session);
    snprintf(path.playback, sizeof path.playback, "%s", playback);
    tokens_sign_path(auth->tokens, &path, file, out);
}

enum err auth_check_path(struct auth *auth, struct slice text, struct slice file,
                         struct http_user *user, char playback[40], bool *is_late)
{
    struct tokens_path path;
    enum err err = tokens_check_path(auth->tokens, text, file, &path);
    if (err != OK)
        return err;
    *is_late = path.expires_s < clock_wall_ms() / 1000;
    memcpy(playback, path.playback, sizeof path.playback);
    if (auth->mode != AUTH_ACCOUNTS)
        return path.session[0] == '\0' ? local_user(user) : ERR_REFUSED;
    err = sessions_use(auth->sessions, path.session, clock_wall_ms(), user);
    return err == OK && strcmp(user->id, path.user) == 0 ? OK : ERR_REFUSED;
}

enum err auth_sign_out(struct auth *auth, const char *session)
{
    if (session[0] == '\0')
        return OK;
    enum err err = store_session_remove(auth->store, session, NULL);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    sessions_remove(auth->sessions, session);
    return OK;
}

bool auth_session_lives(struct auth *auth, const char *session)
{
    return session[0] == '\0' || sessions_has(auth->sessions, session);
}

bool auth_session_user(struct auth *auth, struct http_user *user)
{
    return user->session[0] == '\0' || sessions_get(auth->sessions, user->session, user);
}

/* Runs on the pool. */
static void save_seen(void *arg)
{
    struct auth *auth = arg;
    struct sessions_seen seen;
    while (sessions_take_seen(auth->sessions, &seen) == OK) {
        enum err err = seen.is_key ? store_key_seen(auth->store, seen.id, seen.seen_ms)
                                   : store_session_seen(auth->store, seen.id, seen.seen_ms);
        if (err != OK)
            log_warning("auth.seen", log_str("session", seen.id));
    }
}

/* --- what the guard asks --- */

static bool is_key(const struct auth *auth, struct slice given)
{
    return given.length == AUTH_TOKEN_SIZE - 1 &&
           sodium_memcmp(given.at, auth->key, AUTH_TOKEN_SIZE - 1) == 0;
}

static enum err user_of_access(struct auth *auth, struct slice token, int64_t now_ms,
                               struct http_user *out)
{
    struct tokens_claim claim;
    if (tokens_check(auth->tokens, token, now_ms / 1000, &claim) != OK ||
        sessions_use(auth->sessions, claim.session, now_ms, out) != OK)
        return ERR_NOT_FOUND;
    return strcmp(out->id, claim.user) == 0 && !out->is_key ? OK : ERR_NOT_FOUND;
}

/* A key or token that is brought counts, whatever cookie comes along. */
static enum err user_of(struct auth *auth, struct slice cookie, struct slice bearer,
                        struct http_user *out)
{
    uint8_t hash[STORE_HASH_SIZE];
    int64_t now_ms = clock_wall_ms();
    enum err err = ERR_NOT_FOUND;
    if (bearer.at != NULL && sessions_hash_key(bearer, hash) != OK)
        err = user_of_access(auth, bearer, now_ms, out);
    else if (bearer.at != NULL || sessions_hash(cookie, hash) == OK)
        err = sessions_find(auth->sessions, hash, now_ms, out);
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
        return user_of(auth, cookie, bearer, out);
    }
    MUST(false);
}

static bool has_accounts(void *ctx)
{
    struct auth *auth = ctx;
    return auth->mode != AUTH_ACCOUNTS || atomic_load(&auth->has_accounts);
}

static bool lives(void *ctx, const char *session)
{
    return auth_session_lives(ctx, session);
}

struct http_auth auth_http(struct auth *auth)
{
    return (struct http_auth){
        .ctx = auth, .user = find_user, .has_accounts = has_accounts, .lives = lives};
}

bool auth_has_accounts(struct auth *auth)
{
    return has_accounts(auth);
}

enum http_auth_mode auth_mode(const struct auth *auth)
{
    return auth->mode;
}

enum auth_registration auth_registration(const struct auth *auth)
{
    return auth->registration;
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

static enum err slow_down(int64_t retry_ms, int *retry_after_s, struct why *why)
{
    *retry_after_s = (int) ((retry_ms + 999) / 1000);
    return why_set(why, ERR_LIMIT, NULL, "too many tries; the next one may be made in %d seconds",
                   *retry_after_s);
}

struct auth_try auth_try_of(const struct auth *auth, struct slice peer, const char *name,
                            struct slice known)
{
    struct auth_try tried = {.peer = ""};
    if (name != NULL && tokens_check_browser(auth->tokens, known, name)) {
        snprintf(tried.named, sizeof tried.named, "known %s", name);
        return tried;
    }
    peer_key(peer, tried.peer);
    if (name != NULL)
        snprintf(tried.named, sizeof tried.named, "%s %s", tried.peer, name);
    return tried;
}

static enum err look_at_try(struct auth *auth, const struct auth_try *tried, int64_t now_ms,
                            int64_t *retry_ms)
{
    enum err err = OK;
    if (tried->named[0] != '\0')
        err = limit_look(auth->names, tried->named, now_ms, retry_ms);
    if (err == OK && tried->peer[0] != '\0')
        err = limit_look(auth->peers, tried->peer, now_ms, retry_ms);
    return err;
}

enum err auth_count_try(struct auth *auth, const struct auth_try *tried, struct auth_answer *out,
                        struct why *why)
{
    int64_t now_ms = clock_mono_ms(), retry_ms = 0;
    enum err err = look_at_try(auth, tried, now_ms, &retry_ms);
    if (err == OK && tried->peer[0] != '\0')
        err = limit_try(auth->peers, tried->peer, now_ms, &retry_ms);
    if (err == OK && tried->named[0] != '\0')
        err = limit_try(auth->names, tried->named, now_ms, &retry_ms);
    return err != OK ? slow_down(retry_ms, &out->retry_after_s, why) : OK;
}

enum err auth_look_at_tries(struct auth *auth, const struct auth_wish *wish, int *retry_after_s,
                            struct why *why)
{
    char shown[STORE_NAME_SIZE], folded[STORE_NAME_SIZE];
    int64_t retry_ms = 0;
    bool is_name = name_check(wish->username, shown, folded, NULL) == OK;
    struct auth_try tried = auth_try_of(auth, wish->peer, is_name ? folded : NULL, wish->known);
    enum err err = look_at_try(auth, &tried, clock_mono_ms(), &retry_ms);
    return err != OK ? slow_down(retry_ms, retry_after_s, why) : OK;
}

bool auth_is_known(struct auth *auth, const struct auth_wish *wish)
{
    char shown[STORE_NAME_SIZE], folded[STORE_NAME_SIZE];
    return name_check(wish->username, shown, folded, NULL) == OK &&
           tokens_check_browser(auth->tokens, wish->known, folded);
}

void auth_mark_failure(struct auth *auth, const struct auth_try *tried)
{
    int64_t now_ms = clock_mono_ms();
    if (tried->peer[0] != '\0')
        limit_again(auth->peers, tried->peer, now_ms);
    if (tried->named[0] != '\0')
        limit_again(auth->names, tried->named, now_ms);
}

void auth_forgive_try(struct auth *auth, const struct auth_try *tried)
{
    int64_t now_ms = clock_mono_ms();
    if (tried->peer[0] != '\0')
        limit_forgive(auth->peers, tried->peer, now_ms);
    if (tried->named[0] != '\0')
        limit_forgive(auth->names, tried->named, now_ms);
}

void auth_metrics(struct str *out)
{
    str_printf(out,
               "# TYPE matinee_password_hashes_total counter\n"
               "matinee_password_hashes_total %" PRIu64 "\n",
               password_hashes());
}

void auth_note(struct auth *auth, const struct http_user *user, struct slice peer,
               const char *action, const char *object)
{
    CLEANUP(str_fini) struct str from = {0};
    str_append_utf8(&from, peer.at, peer.length);
    const struct store_audit entry = {.at_ms = clock_wall_ms(),
                                      .user = user->id[0] != '\0' ? user->id : NULL,
                                      .name = user->name,
                                      .action = action,
                                      .object = object,
                                      .peer = str_text(&from)};
    log_info("auth.did", log_str("user", user->name), log_str("action", action),
             log_str("object", object), log_str("peer", str_text(&from)));
    if (store_audit_add(auth->store, &entry) != OK)
        log_warning("auth.not_noted", log_str("action", action));
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
        err = auth_add_user(auth->store, wish->username, wish->password, ROLE_ADMIN, NULL, true,
                            &user, why);
    else
        return err;
    if (err == ERR_REFUSED) {
        accounts_exist(auth);
        return why_set(why, ERR_GONE, NULL, "there is an account already");
    }
    if (err != OK)
        return err;
    accounts_exist(auth);
    err = auth_open_session(auth, &user, wish, out);
    if (err == OK)
        auth_note(auth, &out->user, wish->peer, "setup", user.name);
    return err;
}

enum err auth_set_up(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                     struct why *why)
{
    if (has_accounts(auth) || auth->code == NULL)
        return why_set(why, ERR_GONE, NULL, "there is an account already");
    struct auth_try tried = auth_try_of(auth, wish->peer, NULL, wish->known);
    enum err err = wish->is_loopback ? OK : auth_count_try(auth, &tried, out, why);
    if (err == OK)
        err = make_first(auth, wish, out, why);
    if (err == OK || err == ERR_BAD_INPUT)
        auth_forgive_try(auth, &tried);
    return err;
}

/* Name, password and account are judged together, and cost the same: nobody learns which names there are,
 * or which are disabled. */
static enum err check_password(struct auth *auth, const struct auth_wish *wish, const char *folded,
                               struct store_user *user)
{
    enum err err = store_user_find(auth->store, folded, user);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_NOT_FOUND)
        *user = (struct store_user){.password = ""};
    bool is_right = password_is(wish->password, user->password);
    return is_right && !user->is_disabled ? OK : ERR_REFUSED;
}

static enum err try_password(struct auth *auth, const struct auth_wish *wish, const char *folded,
                             struct auth_answer *out, struct why *why)
{
    struct store_user user;
    enum err err = check_password(auth, wish, folded, &user);
    if (err == ERR_REFUSED) {
        /* The account, where there is one, not what was typed: that may be a password. */
        auth_note(auth, &(struct http_user){.id = ""}, wish->peer, "sign-in refused", user.name);
        return why_set(why, err, NULL, NO_SUCH);
    }
    if (err != OK)
        return err;
    accounts_exist(auth);
    err = auth_open_session(auth, &user, wish, out);
    if (err == ERR_REFUSED)
        return why_set(why, err, NULL, NO_SUCH);
    if (err == OK)
        auth_note(auth, &out->user, wish->peer, "sign-in", "");
    return err;
}

enum err auth_sign_in(struct auth *auth, const struct auth_wish *wish, struct auth_answer *out,
                      struct why *why)
{
    char name[STORE_NAME_SIZE], folded[STORE_NAME_SIZE];
    bool is_name = name_check(wish->username, name, folded, NULL) == OK;
    struct auth_try tried = auth_try_of(auth, wish->peer, is_name ? folded : NULL, wish->known);
    enum err err = auth_count_try(auth, &tried, out, why);
    if (err != OK)
        return err;
    if (wish->password.length > 1024 || !is_name)
        return why_set(why, ERR_REFUSED, NULL, NO_SUCH);
    err = try_password(auth, wish, folded, out, why);
    if (err == OK)
        auth_forgive_try(auth, &tried);
    else if (err == ERR_REFUSED)
        auth_mark_failure(auth, &tried);
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
    err = auth_add_user(auth->store, name, given, ROLE_ADMIN, NULL, true, NULL, why);
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
    sessions_add(ctx, session, user);
}

static void load_key(void *ctx, const struct store_key *key, const struct store_user *user)
{
    sessions_add_key(ctx, key, user);
}

static enum err load_all(struct store *store, struct sessions *sessions)
{
    enum err err = store_sessions_each(store, NULL, load_session, sessions);
    return err == OK ? store_keys_each(store, NULL, load_key, sessions) : err;
}

void auth_reload(struct auth *auth)
{
    if (auth->mode != AUTH_ACCOUNTS)
        return;
    struct sessions *fresh = sessions_new(auth->session_ms);
    pthread_mutex_lock(&auth->people);
    enum err err = load_all(auth->store, fresh);
    if (err == OK)
        sessions_replace(auth->sessions, fresh);
    pthread_mutex_unlock(&auth->people);
    sessions_free(&fresh);
    if (err != OK)
        log_error("auth.reload", log_err(err));
    auth_look_again(auth);
}

static enum err load(struct auth *auth, const struct auth_options *options, struct why *why)
{
    enum err err = store_sessions_expire(auth->store, clock_wall_ms() - auth->session_ms);
    if (err == OK)
        err = load_all(auth->store, auth->sessions);
    if (err != OK)
        return why_set(why, err, NULL, "the accounts cannot be read");
    auth_look_again(auth);
    if (!atomic_load(&auth->has_accounts) && options->admin_password_file != NULL)
        err = make_admin(auth, options, why);
    return err != OK ? err : make_code(auth, options, why);
}

/* Half the cores: films go on while somebody guesses. */
static unsigned hash_threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores >= 4 ? (unsigned) cores / 2 : 1;
}

enum err auth_start(const struct auth_options *options, struct store *store, struct auth **out,
                    struct why *why)
{
    if (sodium_init() < 0)
        return why_set(why, ERR_IO, NULL, "the system gives no random numbers");
    struct auth *auth = mem_new(struct auth);
    auth->mode = options->mode;
    auth->store = store;
    auth->registration = options->registration;
    auth->session_ms = options->session_ms != 0 ? options->session_ms : SESSION_MS;
    auth->sessions = sessions_new(auth->session_ms);
    pthread_mutex_init(&auth->people, NULL);
    auth->peers = limit_new(&PEER_RULE);
    auth->names = limit_new(&NAME_RULE);
    auth->letters = limit_new(&LETTER_RULE);
    if (auth->mode == AUTH_KEY)
        auth_draw_token(auth->key);
    enum err err = pool_new("auth", hash_threads(), QUEUE, &auth->pool);
    if (err == OK) {
        err = tokens_new(store, clock_wall_ms(), &auth->tokens);
        if (err != OK)
            why_set(why, err, NULL, "the keys that tokens are signed with cannot be had");
    }
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
    tokens_free(&(*auth)->tokens);
    limit_free(&(*auth)->peers);
    limit_free(&(*auth)->names);
    limit_free(&(*auth)->letters);
    code_free(&(*auth)->code);
    pthread_mutex_destroy(&(*auth)->people);
    sodium_memzero((*auth)->key, AUTH_TOKEN_SIZE);
    mem_free(*auth);
    *auth = NULL;
}
