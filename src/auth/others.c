/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/others.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "auth/inside.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/emails.h"

#define FLOW_MS (10LL * 60 * 1000)
enum { FLOWS = 256, NAMES_TRIED = 50 };

struct kept_flow {
    struct others_flow flow;
    int64_t began_ms; /* 0: none */
};

struct others {
    /* fixed after new */
    struct auth *auth;
    struct provider **providers;
    size_t count;
    char **emails;
    bool links_by_email;
    /* under lock */
    pthread_mutex_t lock;
    struct kept_flow flows[FLOWS];
};

/* --- who there is --- */

enum err others_new(const struct others_options *options, struct auth *auth, struct fetch *fetch,
                    struct others **out, struct why *why)
{
    struct others *others = mem_new(struct others);
    enum err err = OK;
    size_t emails = 0;
    while (options->emails != NULL && options->emails[emails] != NULL)
        emails++;
    others->auth = auth;
    others->links_by_email = options->links_by_email;
    pthread_mutex_init(&others->lock, NULL);
    others->emails = mem_new_array(char *, emails + 1);
    for (size_t i = 0; i < emails; i++)
        others->emails[i] = mem_strdup(options->emails[i]);
    others->providers = mem_new_array(struct provider *, options->count + 1);
    for (size_t i = 0; i < options->count && err == OK; i++) {
        if (others_find(others, slice_of(options->providers[i].name)) != NULL)
            err = why_set(why, ERR_BAD_INPUT, "auth.providers", "two providers are called %s",
                          options->providers[i].name);
        else
            err = provider_new(&options->providers[i], fetch, &others->providers[i], why);
        others->count += err == OK ? 1 : 0;
    }
    if (err == OK)
        *out = others;
    else
        others_free(&others);
    return err;
}

void others_free(struct others **others)
{
    struct others *gone = *others;
    *others = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < gone->count; i++)
        provider_free(&gone->providers[i]);
    for (char **email = gone->emails; *email != NULL; email++)
        mem_free(*email);
    mem_free(gone->emails);
    mem_free(gone->providers);
    sodium_memzero(gone->flows, sizeof gone->flows);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

size_t others_count(const struct others *others)
{
    return others->count;
}

struct provider *others_at(const struct others *others, size_t i)
{
    return others->providers[i];
}

struct provider *others_find(const struct others *others, struct slice name)
{
    for (size_t i = 0; i < others->count; i++)
        if (slice_is(name, provider_name(others->providers[i])))
            return others->providers[i];
    return NULL;
}

/* --- what was begun --- */

void others_keep(struct others *others, const struct others_flow *flow, int64_t now_ms)
{
    pthread_mutex_lock(&others->lock);
    struct kept_flow *oldest = &others->flows[0];
    for (size_t i = 1; i < FLOWS; i++)
        if (others->flows[i].began_ms < oldest->began_ms)
            oldest = &others->flows[i];
    oldest->flow = *flow;
    oldest->began_ms = now_ms;
    pthread_mutex_unlock(&others->lock);
}

static bool is_secret(struct slice given, const char *kept)
{
    size_t length = strlen(kept);
    return length > 0 && given.length == length && sodium_memcmp(given.at, kept, length) == 0;
}

enum err others_take(struct others *others, struct slice provider, struct slice state,
                     struct slice secret, int64_t now_ms, struct others_flow *out)
{
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&others->lock);
    for (size_t i = 0; i < FLOWS && err != OK; i++) {
        struct kept_flow *kept = &others->flows[i];
        if (kept->began_ms == 0 || now_ms - kept->began_ms > FLOW_MS ||
            !slice_is(provider, kept->flow.provider) || !is_secret(state, kept->flow.flow.state) ||
            !is_secret(secret, kept->flow.secret))
            continue;
        *out = kept->flow;
        sodium_memzero(kept, sizeof *kept);
        err = OK;
    }
    pthread_mutex_unlock(&others->lock);
    return err;
}

/* --- what comes of it --- */

static bool is_listed(const struct others *others, const struct provider_person *person)
{
    for (char *const *email = others->emails; *email != NULL; email++)
        if (person->is_verified && strcmp(*email, person->email) == 0)
            return true;
    return false;
}

static enum err check_listed(const struct others *others, const struct provider *provider,
                             const struct provider_person *person, struct why *why)
{
    /* A proxy of one's own tells no addresses: whom it lets through is its business. */
    if (others->emails[0] == NULL || provider_kind(provider) == PROVIDER_HEADER ||
        is_listed(others, person))
        return OK;
    return why_set(why, ERR_REFUSED, NULL,
                   "that address is not one of those that may sign in here");
}

static void fill_identity(const struct provider *provider, const struct provider_person *person,
                          const char *user, struct store_login *out)
{
    *out = (struct store_login){.made_ms = clock_wall_ms()};
    store_new_id(out->id);
    snprintf(out->user, sizeof out->user, "%.*s", STORE_ID_SIZE - 1, user);
    snprintf(out->provider, sizeof out->provider, "%s", provider_name(provider));
    snprintf(out->subject, sizeof out->subject, "%s", person->subject);
    snprintf(out->name, sizeof out->name, "%s",
             person->name[0] != '\0' ? person->name : provider_title(provider));
}

/* "anna", "anna 2", ...: what he is called there, as far as that is a name here. */
static enum err choose_name(const struct provider_person *person, int n, struct store_user *user)
{
    char wanted[STORE_NAME_SIZE + 8];
    const char *name = person->name[0] != '\0' ? person->name : "guest";
    if (n == 1)
        snprintf(wanted, sizeof wanted, "%s", name);
    else
        snprintf(wanted, sizeof wanted, "%.*s %d", STORE_NAME_SIZE - 8, name, n);
    if (name_check(slice_of(wanted), user->name, user->folded, NULL) == OK)
        return OK;
    snprintf(wanted, sizeof wanted, "guest %d", n);
    return name_check(slice_of(wanted), user->name, user->folded, NULL);
}

static enum err make_account(struct auth *auth, const struct provider *provider,
                             const struct provider_person *person, struct store_user *user)
{
    enum err err = ERR_BUSY;
    struct store_user known;
    for (int n = 1; n <= NAMES_TRIED && err == ERR_BUSY; n++) {
        struct store_login identity;
        *user = (struct store_user){.role = ROLE_MEMBER, .created_ms = clock_wall_ms()};
        store_new_id(user->id);
        err = choose_name(person, n, user);
        fill_identity(provider, person, user->id, &identity);
        if (err == OK)
            err = store_login_add_user(auth->store, &identity, user);
        /* of two at once the other was quicker */
        if (err == ERR_BUSY &&
            store_login_find(auth->store, identity.provider, identity.subject, &known) == OK) {
            *user = known;
            return OK;
        }
    }
    return err;
}

/* NOT_FOUND: none has his address, or may be had by it. What is his at the provider is the account's from now on. */
static enum err find_by_email(struct others *others, const struct provider *provider,
                              const struct provider_person *person, const struct auth_wish *wish,
                              struct store_user *user)
{
    struct auth *auth = others->auth;
    struct store_login identity;
    if (!others->links_by_email || !person->is_verified || person->email[0] == '\0')
        return ERR_NOT_FOUND;
    enum err err = store_email_find(auth->store, person->email, user);
    if (err == OK && (user->role == ROLE_ADMIN || user->is_disabled))
        err = ERR_NOT_FOUND;
    if (err != OK)
        return err;
    fill_identity(provider, person, user->id, &identity);
    err = store_login_add(auth->store, &identity);
    if (err == ERR_BUSY) /* of two at once the other was quicker */
        return store_login_find(auth->store, identity.provider, identity.subject, user);
    struct http_user by = {.role = user->role};
    snprintf(by.id, sizeof by.id, "%s", user->id);
    snprintf(by.name, sizeof by.name, "%s", user->name);
    if (err == OK)
        auth_note(auth, &by, wish->peer, "sign-in linked by address", identity.provider);
    return err;
}

static enum err find_or_make(struct others *others, const struct provider *provider,
                             const struct provider_person *person, const struct auth_wish *wish,
                             struct store_user *user, struct why *why)
{
    struct auth *auth = others->auth;
    enum err err = store_login_find(auth->store, provider_name(provider), person->subject, user);
    if (err == ERR_NOT_FOUND)
        err = find_by_email(others, provider, person, wish, user);
    if (err != ERR_NOT_FOUND)
        return err;
    bool may_make =
        provider_creates(provider) || auth->registration == AUTH_OPEN || is_listed(others, person);
    if (!may_make)
        return why_set(
            why, ERR_NOT_FOUND, NULL,
            "nobody here is known by that sign-in of %s: sign in with your password and link it, "
            "or ask for an invitation",
            provider_title(provider));
    err = make_account(auth, provider, person, user);
    if (err == OK)
        auth_note(auth, &(struct http_user){.id = ""}, wish->peer, "account made", user->name);
    return err;
}

enum err others_enter(struct others *others, const struct provider *provider,
                      const struct provider_person *person, const struct auth_wish *wish,
                      struct auth_answer *out, struct why *why)
{
    struct store_user user;
    enum err err = check_listed(others, provider, person, why);
    if (err == OK)
        err = find_or_make(others, provider, person, wish, &user, why);
    if (err != OK)
        return err;
    err = auth_open_session(others->auth, &user, wish, out);
    if (err == ERR_REFUSED)
        return why_set(why, ERR_GONE, NULL, "the account is disabled");
    if (err == OK)
        auth_note(others->auth, &out->user, wish->peer, "sign-in", provider_name(provider));
    return err;
}

enum err others_link(struct others *others, const struct provider *provider,
                     const struct provider_person *person, const struct http_user *user,
                     struct slice peer, struct why *why)
{
    struct store_login identity;
    struct store_user known;
    enum err err = check_listed(others, provider, person, why);
    if (err != OK)
        return err;
    fill_identity(provider, person, user->id, &identity);
    err = store_login_add(others->auth->store, &identity);
    if (err == ERR_BUSY &&
        store_login_find(others->auth->store, identity.provider, identity.subject, &known) == OK &&
        strcmp(known.id, user->id) == 0)
        return OK; /* it is his already */
    if (err == ERR_BUSY)
        return why_set(why, err, NULL, "somebody else here is known by that sign-in of %s",
                       provider_title(provider));
    if (err == OK)
        auth_note(others->auth, user, peer, "sign-in linked", provider_name(provider));
    return err;
}
