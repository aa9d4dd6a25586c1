/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/logins.h"

#include "store/accounts_inside.h"
#include "store/sql.h"

enum err store_login_find(struct store *store, const char *provider, const char *subject,
                          struct store_user *out)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "SELECT " USER_COLUMNS " FROM identity i JOIN user u ON u.id = i.user "
                       "WHERE i.provider = ? AND i.subject = ?");
    query_text(&query, provider);
    query_text(&query, subject);
    err = query_step(&query);
    if (err == OK)
        account_get(&query, out);
    query_end(&query);
    readers_give(store_readers(store), &conn);
    return err;
}

struct wish {
    const struct store_login *identity;
    const struct store_user *user;
};

static enum err add(struct conn *conn, void *arg)
{
    const struct wish *wish = arg;
    const struct store_login *identity = wish->identity;
    enum err err = wish->user != NULL ? account_add(conn, wish->user) : OK;
    if (err != OK)
        return err;
    struct query query =
        query_on(conn, "INSERT INTO identity(id, provider, subject, user, name, made_ms) "
                       "VALUES(?, ?, ?, ?, ?, ?)");
    query_text(&query, identity->id);
    query_text(&query, identity->provider);
    query_text(&query, identity->subject);
    query_text(&query, identity->user);
    query_text(&query, identity->name);
    query_int(&query, identity->made_ms);
    return query_run(&query);
}

enum err store_login_add(struct store *store, const struct store_login *identity)
{
    return store_write(store, add, &(struct wish){identity, NULL});
}

enum err store_login_add_user(struct store *store, const struct store_login *identity,
                              const struct store_user *user)
{
    return store_write(store, add, &(struct wish){identity, user});
}

static enum err each_identity(struct conn *conn, const char *user, store_login_fn *each, void *ctx)
{
    struct query query =
        query_on(conn, "SELECT id, user, provider, subject, name, made_ms FROM identity "
                       "WHERE user = ? ORDER BY made_ms DESC, id");
    enum err err;
    query_text(&query, user);
    while ((err = query_step(&query)) == OK) {
        struct store_login identity;
        query_get_text_into(&query, identity.id, sizeof identity.id);
        query_get_text_into(&query, identity.user, sizeof identity.user);
        query_get_text_into(&query, identity.provider, sizeof identity.provider);
        query_get_text_into(&query, identity.subject, sizeof identity.subject);
        query_get_text_into(&query, identity.name, sizeof identity.name);
        identity.made_ms = query_get_int(&query);
        each(ctx, &identity);
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err store_logins_each(struct store *store, const char *user, store_login_fn *each, void *ctx)
{
    struct conn *conn;
    enum err err = readers_take(store_readers(store), &conn);
    if (err != OK)
        return err;
    err = each_identity(conn, user, each, ctx);
    readers_give(store_readers(store), &conn);
    return err;
}

struct removal {
    const char *id, *user;
};

static enum err drop(struct conn *conn, void *arg)
{
    const struct removal *removal = arg;
    struct query query = query_on(conn, "DELETE FROM identity WHERE id = ? AND user = ?");
    query_text(&query, removal->id);
    query_text(&query, removal->user);
    enum err err = query_run(&query);
    if (err == OK && conn_changes(conn) == 0)
        return ERR_NOT_FOUND;
    return err == OK ? account_has_a_way(conn, removal->user) : err;
}

enum err store_login_remove(struct store *store, const char *id, const char *user)
{
    return store_write(store, drop, &(struct removal){id, user});
}
