/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: rows of users in what others ask for. */
#pragma once

#include "store/accounts.h"
#include "store/sql.h"

#define USER_COLUMNS                                                                               \
    "u.id, u.name, u.folded, u.password, u.role, u.age_limit, u.sees_unrated, u.streams, "         \
    "u.is_disabled, u.created_ms"

/* The columns USER_COLUMNS. */
void account_get(struct query *query, struct store_user *out);
void role_get(struct query *query, enum role *out);
/* The columns age_limit, sees_unrated, streams. */
void bounds_get(struct query *query, struct bounds *out);
void query_bounds(struct query *query, const struct bounds *bounds);
/* On the writer thread. As store_user_add, store_user_set_password. */
MUST_CHECK enum err account_add(struct conn *conn, const struct store_user *user);
MUST_CHECK enum err account_find(struct conn *conn, const char *id, struct store_user *out);
MUST_CHECK enum err account_set_password(struct conn *conn, const char *user, const char *password,
                                         const char *kept);
/* REFUSED: the user could sign in by nothing: no password, nobody who vouches for him, no passkey. */
MUST_CHECK enum err account_has_a_way(struct conn *conn, const char *user);
