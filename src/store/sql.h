/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside store/ only: connections and queries. A query remembers its first failure, so that callers
 * bind and step without asking, and ask once. Threads: a connection belongs to whoever holds it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/why.h"
#include "store/store.h"

struct sqlite3_stmt;
struct conn;

MUST_CHECK enum err conn_open(const char *path, bool is_reader, struct conn **out, struct why *why);
void conn_close(struct conn **conn);
/* A database that is one file, no journal beside it: to be written, or looked at without changing it. */
MUST_CHECK enum err conn_open_plain(const char *path, bool is_writer, struct conn **out,
                                    struct why *why);
/* All of one state of `from` into `to`, in place of what is there. BAD_INPUT: it is damaged; LIMIT: no
 * room; IO. */
MUST_CHECK enum err conn_copy(struct conn *from, struct conn *to, struct why *why);
/* Statements without parameters or rows. IO. */
MUST_CHECK enum err conn_run(struct conn *conn, const char *sql);
/* What sqlite says of the last failure. Lent until the next call. */
const char *conn_words(struct conn *conn);
/* True when the last failure was a file that is damaged or no database. */
bool conn_is_damaged(struct conn *conn);

struct query {
    struct sqlite3_stmt *_stmt;
    struct conn *_conn;
    enum err _err;
    int _bound, _read;
};

/* `sql` is a literal: prepared once per connection and kept. */
struct query query_on(struct conn *conn, const char *sql);
/* Bind the next parameter. Text and bytes are lent until query_end; NULL binds NULL. */
void query_int(struct query *query, int64_t number);
void query_int_or_null(struct query *query, int64_t number, bool is_null);
void query_text(struct query *query, const char *text);
void query_bytes(struct query *query, const void *bytes, size_t size);
/* The next row. NOT_FOUND: no more; BUSY: a UNIQUE rule forbids it; IO. */
MUST_CHECK enum err query_step(struct query *query);
/* Read the next column of the row. */
int64_t query_get_int(struct query *query);
bool query_get_bool(struct query *query);
bool query_next_is_null(struct query *query);
/* The caller's (mem_free); NULL for NULL. */
char *query_get_text(struct query *query);
/* Into `out`, cut to its size. */
void query_get_text_into(struct query *query, char *out, size_t size);
/* The caller's (mem_free); NULL for NULL or nothing. */
uint8_t *query_get_bytes(struct query *query, size_t *size);
/* Copies exactly `size` bytes; false when the column holds another number of them. */
bool query_get_bytes_into(struct query *query, void *out, size_t size);
/* Gives the statement back. */
void query_end(struct query *query);
/* Steps, reads the id that is the row's one column, and ends. NOT_FOUND, BUSY, IO. */
MUST_CHECK enum err query_take_id(struct query *query, char out[STORE_ID_SIZE]);
/* Steps once where no row is expected, and ends. */
MUST_CHECK enum err query_run(struct query *query);
/* links.c: the columns file, url, type, etag, modified, size, is_ranged. */
struct store_remote;
void query_get_remote(struct query *query, struct store_remote *out);
/* Rows changed by the last statement. */
int64_t conn_changes(struct conn *conn);

/* schema.c: brings the database to the newest schema. */
MUST_CHECK enum err schema_upgrade(struct conn *conn, struct why *why);
/* Whether it is one of ours, and not newer than this program. BAD_INPUT, IO. */
MUST_CHECK enum err schema_judge(struct conn *conn, int *version, struct why *why);
/* The newest that this program knows. */
int schema_newest(void);

/* store.c: runs `write` on the writer thread inside its transaction and waits for the commit. When
 * `write` fails, what it did is undone. */
typedef enum err store_write_fn(struct conn *conn, void *arg);
MUST_CHECK enum err store_write(struct store *store, store_write_fn *write, void *arg);

/* readers.c: a connection to read with, for a short while. IO. */
struct readers;
struct readers *readers_new(const char *path);
void readers_free(struct readers **readers);
MUST_CHECK enum err readers_take(struct readers *readers, struct conn **out);
void readers_give(struct readers *readers, struct conn **conn);
/* store.c */
struct readers *store_readers(struct store *store);
struct overviews;
struct overviews *store_overviews(struct store *store);
