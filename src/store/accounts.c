/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/accounts.h"

#include <stddef.h>

#include "store/sql.h"

struct user_add {
    const struct store_user *user;
    bool only_first;
};

static enum err count_users(struct conn *conn, int64_t *out)
{
    struct query query = query_on(conn, "SELECT count(*) FROM user");
    enum err err = query_step(&query);
    if (err == OK)
        *out = query_get_int(&query);
    query_end(&query);
    return err;
}

static enum err add_user(struct conn *conn, void *arg)
{
    const struct user_add *add = arg;
    int64_t count = 0;
    enum err err = count_users(conn, &count);
    if (err != OK)
        return err;
    if (add->only_first && count > 0)
        return ERR_REFUSED;
    struct query query =
        query_on(conn, "INSERT INTO user(id, name, folded, password, is_admin, created_ms) "
                       "VALUES(?, ?, ?, ?, ?, ?)");
    query_text(&query, add->user->id);
    query_text(&query, add->user->name);
    query_text(&query, add->user->folded);
    query_text(&query, add->user->password);
    query_int(&query, add->user->is_admin);
    query_int(&query, add->user->created_ms);
    return query_run(&query);
}

enum err store_user_add(struct store *store, const struct store_user *user, bool only_first)
{
    struct user_add add = {user, only_first};
    return store_write(store, add_user, &add);
}

static void get_user(struct query *query, struct store_user *out)
{
    query_get_text_into(query, out->id, sizeof out->id);
    query_get_text_into(query, out->name, sizeof out->name);
    query_get_text_into(query, out->folded, sizeof out->folded);
    query_get_text_into(query, out->password, sizeof out->password);
    out->is_admin = query_get_bool(query);
    out->created_ms = query_get_int(query);
}

enum err store_user_find(struct store *store, const char *folded, struct store_user *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT id, name, folded, password, is_admin, created_ms FROM user "
                       "WHERE folded = ?");
    query_text(&query, folded);
    err = query_step(&query);
    if (err == OK)
        get_user(&query, out);
    query_end(&query);
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

struct password_set {
    const char *user, *password;
};

static enum err set_password(struct conn *conn, void *arg)
{
    const struct password_set *set = arg;
    struct query query = query_on(conn, "UPDATE user SET password = ? WHERE id = ?");
    query_text(&query, set->password);
    query_text(&query, set->user);
    enum err err = query_run(&query);
    if (err != OK)
        return err;
    if (conn_changes(conn) == 0)
        return ERR_NOT_FOUND;
    struct query ended = query_on(conn, "DELETE FROM session WHERE user = ?");
    query_text(&ended, set->user);
    return query_run(&ended);
}

enum err store_user_set_password(struct store *store, const char *user, const char *password)
{
    struct password_set set = {user, password};
    return store_write(store, set_password, &set);
}

static enum err add_session(struct conn *conn, void *arg)
{
    const struct store_session *session = arg;
    struct query query = query_on(
        conn, "INSERT INTO session(id, hash, user, created_ms, seen_ms) VALUES(?, ?, ?, ?, ?)");
    query_text(&query, session->id);
    query_bytes(&query, session->hash, sizeof session->hash);
    query_text(&query, session->user);
    query_int(&query, session->created_ms);
    query_int(&query, session->seen_ms);
    return query_run(&query);
}

enum err store_session_add(struct store *store, const struct store_session *session)
{
    struct store_session copy = *session;
    return store_write(store, add_session, &copy);
}

struct session_mark {
    const char *id;
    int64_t seen_ms;
};

static enum err remove_session(struct conn *conn, void *arg)
{
    const struct session_mark *mark = arg;
    struct query query = query_on(conn, "DELETE FROM session WHERE id = ?");
    query_text(&query, mark->id);
    return query_run(&query);
}

enum err store_session_remove(struct store *store, const char *id)
{
    struct session_mark mark = {id, 0};
    return store_write(store, remove_session, &mark);
}

static enum err see_session(struct conn *conn, void *arg)
{
    const struct session_mark *mark = arg;
    struct query query = query_on(conn, "UPDATE session SET seen_ms = ? WHERE id = ?");
    query_int(&query, mark->seen_ms);
    query_text(&query, mark->id);
    return query_run(&query);
}

enum err store_session_seen(struct store *store, const char *id, int64_t seen_ms)
{
    struct session_mark mark = {id, seen_ms};
    return store_write(store, see_session, &mark);
}

static enum err expire_sessions(struct conn *conn, void *arg)
{
    struct query query = query_on(conn, "DELETE FROM session WHERE seen_ms < ?");
    query_int(&query, *(const int64_t *) arg);
    return query_run(&query);
}

enum err store_sessions_expire(struct store *store, int64_t seen_ms)
{
    return store_write(store, expire_sessions, &seen_ms);
}

static enum err each_session(struct conn *conn, store_session_fn *each, void *ctx)
{
    struct query query = query_on(
        conn, "SELECT s.id, s.hash, s.user, s.created_ms, s.seen_ms, u.id, u.name, u.folded, "
              "u.password, u.is_admin, u.created_ms FROM session s JOIN user u ON u.id = s.user");
    enum err err;
    while ((err = query_step(&query)) == OK) {
        struct store_session session;
        struct store_user user;
        query_get_text_into(&query, session.id, sizeof session.id);
        bool has_hash = query_get_bytes_into(&query, session.hash, sizeof session.hash);
        query_get_text_into(&query, session.user, sizeof session.user);
        session.created_ms = query_get_int(&query);
        session.seen_ms = query_get_int(&query);
        get_user(&query, &user);
        if (has_hash)
            each(ctx, &session, &user);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_sessions_each(struct store *store, store_session_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_session(conn, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}
