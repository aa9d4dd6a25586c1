/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/accounts.h"

#include <stddef.h>
#include <stdio.h>

#include "store/accounts_inside.h"
#include "store/sql.h"

/* --- rows --- */

/* A role that this program does not know opens nothing. */
void role_get(struct query *query, enum role *out)
{
    char name[16];
    query_get_text_into(query, name, sizeof name);
    if (role_parse(slice_of(name), out) != OK)
        *out = ROLE_CHILD;
}

void bounds_get(struct query *query, struct bounds *out)
{
    out->age = (int) query_get_int(query);
    out->unrated = query_get_bool(query);
    out->streams = (int) query_get_int(query);
}

void query_bounds(struct query *query, const struct bounds *bounds)
{
    query_int(query, bounds->age);
    query_int(query, bounds->unrated);
    query_int(query, bounds->streams);
}

void account_get(struct query *query, struct store_user *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_text_into(query, out->name, sizeof out->name);
    query_get_text_into(query, out->folded, sizeof out->folded);
    query_get_text_into(query, out->password, sizeof out->password);
    role_get(query, &out->role);
    bounds_get(query, &out->bounds);
    out->is_disabled = query_get_bool(query);
    out->created_ms = query_get_int(query);
}

static enum err take_user(struct query *query, struct store_user *out)
{
    enum err err = query_step(query);
    if (err == OK)
        account_get(query, out);
    query_end(query);
    return err;
}

enum err account_find(struct conn *conn, const char *id, struct store_user *out)
{
    struct query query = query_on(conn, "SELECT " USER_COLUMNS " FROM user u WHERE u.id = ?");
    query_text(&query, id);
    return take_user(&query, out);
}

static enum err take_count(struct query *query, int64_t *out)
{
    enum err err = query_step(query);
    if (err == OK)
        *out = query_get_int(query);
    query_end(query);
    return err;
}

static enum err count_users(struct conn *conn, int64_t *out)
{
    struct query query = query_on(conn, "SELECT count(*) FROM user");
    return take_count(&query, out);
}

/* --- adding --- */

enum err account_add(struct conn *conn, const struct store_user *user)
{
    struct query query = query_on(
        conn, "INSERT INTO user(id, name, folded, password, role, age_limit, sees_unrated, "
              "streams, is_disabled, created_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_text(&query, user->id);
    query_text(&query, user->name);
    query_text(&query, user->folded);
    query_text(&query, user->password);
    query_text(&query, role_name(user->role));
    query_bounds(&query, &user->bounds);
    query_int(&query, user->is_disabled);
    query_int(&query, user->created_ms);
    return query_run(&query);
}

struct user_wish {
    const struct store_user *user;
    bool only_first;
};

static enum err add_user(struct conn *conn, void *arg)
{
    const struct user_wish *wish = arg;
    int64_t count = 0;
    enum err err = count_users(conn, &count);
    if (err == OK && wish->only_first && count > 0)
        return ERR_REFUSED;
    return err == OK ? account_add(conn, wish->user) : err;
}

enum err store_user_add(struct store *store, const struct store_user *user, bool only_first)
{
    return store_write(store, add_user, &(struct user_wish){user, only_first});
}

/* --- reading --- */

enum err store_user_find(struct store *store, const char *folded, struct store_user *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "SELECT " USER_COLUMNS " FROM user u WHERE u.folded = ?");
    query_text(&query, folded);
    err = take_user(&query, out);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_user_get(struct store *store, const char *id, struct store_user *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = account_find(conn, id, out);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_user_count(struct store *store, int64_t *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = count_users(conn, out);
    readers_give(store_readers(store), &conn);
    return err;
}

enum err store_users_each(struct store *store, store_user_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT " USER_COLUMNS " FROM user u ORDER BY u.folded, u.id");
    while ((err = query_step(&query)) == OK) {
        struct store_user user;
        account_get(&query, &user);
        each(ctx, &user);
    }
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err account_has_a_way(struct conn *conn, const char *user)
{
    bool has = false;
    struct query query =
        query_on(conn, "SELECT password <> '' OR EXISTS(SELECT 1 FROM identity WHERE user = ?1) "
                       "OR EXISTS(SELECT 1 FROM passkey WHERE user = ?1) FROM user WHERE id = ?1");
    query_text(&query, user);
    enum err err = query_step(&query);
    if (err == OK)
        has = query_get_bool(&query);
    query_end(&query);
    return err == OK && !has ? ERR_REFUSED : err;
}

/* --- changing --- */

/* Somebody must be left who can open the house again. */
static enum err keep_an_admin(struct conn *conn)
{
    int64_t count = 0;
    struct query query =
        query_on(conn, "SELECT count(*) FROM user WHERE role = 'admin' AND is_disabled = 0");
    enum err err = take_count(&query, &count);
    return err == OK && count == 0 ? ERR_REFUSED : err;
}

static bool rules(const struct store_user *user)
{
    return user->role == ROLE_ADMIN && !user->is_disabled;
}

static enum err end_sessions(struct conn *conn, const char *user, const char *kept)
{
    struct query query = query_on(conn, "DELETE FROM session WHERE user = ? AND id IS NOT ?");
    query_text(&query, user);
    query_text(&query, kept);
    return query_run(&query);
}

struct change_wish {
    const char *id;
    const struct store_user_change *change;
    struct store_user *out;
};

static enum err put_change(struct conn *conn, const struct store_user *user)
{
    struct query query =
        query_on(conn, "UPDATE user SET name = ?, folded = ?, role = ?, age_limit = ?, "
                       "sees_unrated = ?, streams = ?, is_disabled = ? WHERE id = ?");
    query_text(&query, user->name);
    query_text(&query, user->folded);
    query_text(&query, role_name(user->role));
    query_bounds(&query, &user->bounds);
    query_int(&query, user->is_disabled);
    query_text(&query, user->id);
    return query_run(&query);
}

static enum err change_user(struct conn *conn, void *arg)
{
    const struct change_wish *wish = arg;
    const struct store_user_change *change = wish->change;
    struct store_user *user = wish->out;
    enum err err = account_find(conn, wish->id, user);
    if (err != OK)
        return err;
    bool ruled = rules(user);
    if (change->name != NULL) {
        snprintf(user->name, sizeof user->name, "%s", change->name);
        snprintf(user->folded, sizeof user->folded, "%s", change->folded);
    }
    if (change->role != NULL)
        user->role = *change->role;
    if (change->bounds != NULL)
        bounds_take(&user->bounds, change->bounds);
    if (change->is_disabled != NULL)
        user->is_disabled = *change->is_disabled;
    err = put_change(conn, user);
    if (err == OK && user->is_disabled)
        err = end_sessions(conn, user->id, NULL);
    return err == OK && ruled && !rules(user) ? keep_an_admin(conn) : err;
}

enum err store_user_change(struct store *store, const char *id,
                           const struct store_user_change *change, struct store_user *out)
{
    return store_write(store, change_user, &(struct change_wish){id, change, out});
}

/* What is somebody's may be of no account, where there are none: no foreign key takes it along. */
static enum err remove_belongings(struct conn *conn, const char *user)
{
    static const char *const STATEMENTS[] = {
        "DELETE FROM link WHERE user = ?",     "DELETE FROM preference WHERE user = ?",
        "DELETE FROM progress WHERE user = ?", "DELETE FROM watched WHERE user = ?",
        "DELETE FROM history WHERE user = ?",  "DELETE FROM watchlist WHERE user = ?",
        "DELETE FROM comment WHERE user = ?",
    };
    enum err err = OK;
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof STATEMENTS[0] && err == OK; i++) {
        struct query query = query_on(conn, STATEMENTS[i]);
        query_text(&query, user);
        err = query_run(&query);
    }
    return err;
}

static enum err remove_user(struct conn *conn, void *arg)
{
    const char *id = arg;
    struct store_user user;
    enum err err = account_find(conn, id, &user);
    if (err == OK)
        err = remove_belongings(conn, id);
    if (err != OK)
        return err;
    struct query query = query_on(conn, "DELETE FROM user WHERE id = ?");
    query_text(&query, id);
    err = query_run(&query);
    return err == OK && rules(&user) ? keep_an_admin(conn) : err;
}

enum err store_user_remove(struct store *store, const char *id)
{
    char copy[STORE_ID_SIZE];
    snprintf(copy, sizeof copy, "%s", id);
    return store_write(store, remove_user, copy);
}

struct password_wish {
    const char *user, *password, *kept;
};

enum err account_set_password(struct conn *conn, const char *user, const char *password,
                              const char *kept)
{
    struct query query = query_on(conn, "UPDATE user SET password = ? WHERE id = ?");
    query_text(&query, password);
    query_text(&query, user);
    enum err err = query_run(&query);
    if (err == OK && conn_changes(conn) == 0)
        return ERR_NOT_FOUND;
    return err == OK ? end_sessions(conn, user, kept) : err;
}

static enum err set_password(struct conn *conn, void *arg)
{
    const struct password_wish *wish = arg;
    return account_set_password(conn, wish->user, wish->password, wish->kept);
}

enum err store_user_set_password(struct store *store, const char *user, const char *password,
                                 const char *kept)
{
    return store_write(store, set_password, &(struct password_wish){user, password, kept});
}
