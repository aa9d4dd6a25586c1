/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sessions.h"

#include "store/accounts_inside.h"
#include "store/sql.h"

struct session_wish {
    const struct store_session *session;
    const struct store_user *user;
};

static enum err add_session(struct conn *conn, void *arg)
{
    const struct session_wish *wish = arg;
    const struct store_session *session = wish->session;
    struct query query =
        query_on(conn, "INSERT INTO session(id, hash, user, agent, peer, created_ms, seen_ms, "
                       "is_program) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM user WHERE id = ?3 "
                       "AND is_disabled = 0 AND password = ?9");
    query_text(&query, session->id);
    query_bytes(&query, session->hash, sizeof session->hash);
    query_text(&query, session->user);
    query_text(&query, session->agent);
    query_text(&query, session->peer);
    query_int(&query, session->created_ms);
    query_int(&query, session->seen_ms);
    query_int(&query, session->is_program);
    query_text(&query, wish->user->password);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_GONE : err;
}

enum err store_session_add(struct store *store, const struct store_session *session,
                           const struct store_user *user)
{
    return store_write(store, add_session, &(struct session_wish){session, user});
}

struct session_mark {
    const char *id, *user;
    int64_t seen_ms;
};

static enum err remove_session(struct conn *conn, void *arg)
{
    const struct session_mark *mark = arg;
    struct query query =
        query_on(conn, "DELETE FROM session WHERE id = ?1 AND (?2 IS NULL OR user = ?2)");
    query_text(&query, mark->id);
    query_text(&query, mark->user);
    enum err err = query_run(&query);
    return err == OK && conn_changes(conn) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_session_remove(struct store *store, const char *id, const char *user)
{
    return store_write(store, remove_session, &(struct session_mark){id, user, 0});
}

struct renewal {
    const uint8_t *hash, *next;
    int64_t now_ms;
    char *id;
    bool was_stolen;
};

static enum err end_stolen(struct conn *conn, struct renewal *renewal)
{
    struct query query =
        query_on(conn, "DELETE FROM session WHERE former = ? AND is_program = 1 RETURNING id");
    query_bytes(&query, renewal->hash, STORE_HASH_SIZE);
    enum err err = query_take_id(&query, renewal->id);
    renewal->was_stolen = err == OK;
    return err; /* what was deleted stays deleted: OK */
}

static enum err renew_session(struct conn *conn, void *arg)
{
    struct renewal *renewal = arg;
    struct query query = query_on(conn, "UPDATE session SET hash = ?1, former = ?2, seen_ms = ?3 "
                                        "WHERE hash = ?2 AND is_program = 1 RETURNING id");
    query_bytes(&query, renewal->next, STORE_HASH_SIZE);
    query_bytes(&query, renewal->hash, STORE_HASH_SIZE);
    query_int(&query, renewal->now_ms);
    enum err err = query_take_id(&query, renewal->id);
    return err == ERR_NOT_FOUND ? end_stolen(conn, renewal) : err;
}

enum err store_session_renew(struct store *store, const uint8_t hash[STORE_HASH_SIZE],
                             const uint8_t next[STORE_HASH_SIZE], int64_t now_ms,
                             char id[STORE_ID_SIZE])
{
    struct renewal renewal = {hash, next, now_ms, id, false};
    id[0] = '\0';
    enum err err = store_write(store, renew_session, &renewal);
    return err == OK && renewal.was_stolen ? ERR_GONE : err;
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
    return store_write(store, see_session, &(struct session_mark){id, NULL, seen_ms});
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

static enum err each_session(struct conn *conn, const char *user, store_session_fn *each, void *ctx)
{
    struct query query = query_on(
        conn, "SELECT s.id, s.hash, s.user, s.agent, s.peer, s.is_program, s.created_ms, "
              "s.seen_ms, " USER_COLUMNS
              " FROM session s JOIN user u ON u.id = s.user WHERE ?1 IS NULL OR s.user = ?1 "
              "ORDER BY s.seen_ms DESC, s.id");
    enum err err;
    query_text(&query, user);
    while ((err = query_step(&query)) == OK) {
        struct store_session session;
        struct store_user owner;
        query_get_text_into(&query, session.id, sizeof session.id);
        bool has_hash = query_get_bytes_into(&query, session.hash, sizeof session.hash);
        query_get_text_into(&query, session.user, sizeof session.user);
        query_get_text_into(&query, session.agent, sizeof session.agent);
        query_get_text_into(&query, session.peer, sizeof session.peer);
        session.is_program = query_get_bool(&query);
        session.created_ms = query_get_int(&query);
        session.seen_ms = query_get_int(&query);
        account_get(&query, &owner);
        if (has_hash)
            each(ctx, &session, &owner);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_sessions_each(struct store *store, const char *user, store_session_fn *each,
                             void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_session(conn, user, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}
