/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    STATEMENTS = 256,      /* more than there are queries in the program */
    BUSY_TIMEOUT_MS = 5000 /* another process (matinee user ...) may be writing */
};

struct conn {
    sqlite3 *db;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } kept[STATEMENTS];
    int last; /* sqlite's result of the last failure */
};

/* A page cache of 1 MiB a connection: the server's memory is counted in tens of megabytes. FULL
 * syncs at each commit: what was acknowledged survives a power cut too. */
static const char *const WRITER_SETUP = "PRAGMA journal_mode=WAL;"
                                        "PRAGMA synchronous=FULL;"
                                        "PRAGMA foreign_keys=ON;"
                                        "PRAGMA cache_size=-1024;"
                                        "PRAGMA trusted_schema=OFF;";
static const char *const READER_SETUP = "PRAGMA query_only=ON;"
                                        "PRAGMA cache_size=-1024;"
                                        "PRAGMA trusted_schema=OFF;";

static enum err failed(struct conn *conn, int result)
{
    conn->last = result;
    log_error("store.failed", log_str("sqlite", sqlite3_errmsg(conn->db)),
              log_int("code", sqlite3_extended_errcode(conn->db)));
    return ERR_IO;
}

enum err conn_open(const char *path, bool is_reader, struct conn **out, struct why *why)
{
    struct conn *conn = mem_new(struct conn);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (is_reader ? 0 : SQLITE_OPEN_CREATE);
    int result = sqlite3_open_v2(path, &conn->db, flags, NULL);
    if (result == SQLITE_OK) {
        sqlite3_busy_timeout(conn->db, BUSY_TIMEOUT_MS);
        sqlite3_extended_result_codes(conn->db, 1);
        result = sqlite3_exec(conn->db, is_reader ? READER_SETUP : WRITER_SETUP, NULL, NULL, NULL);
    }
    if (result != SQLITE_OK) {
        conn->last = result;
        bool damaged = conn_is_damaged(conn);
        why_set(why, ERR_IO, NULL, "%s cannot be opened: %s", path, conn_words(conn));
        conn_close(&conn);
        return damaged ? ERR_BAD_INPUT : ERR_IO;
    }
    *out = conn;
    return OK;
}

#define PLAIN_SETUP "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-1024;"

/* sqlite.org/uri.html 3.1; immutable: whatever lies beside the file, nothing is made or read there */
static void write_uri(struct str *out, const char *path, bool is_immutable)
{
    str_puts(out, "file:");
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '?' || *at == '#' || *at == '%')
            str_printf(out, "%%%02x", (unsigned char) *at);
        else
            str_putc(out, *at);
    }
    if (is_immutable)
        str_puts(out, "?immutable=1");
}

enum err conn_open_plain(const char *path, bool is_writer, struct conn **out, struct why *why)
{
    struct conn *conn = mem_new(struct conn);
    CLEANUP(str_fini) struct str uri = {0};
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    flags |= is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    write_uri(&uri, path, !is_writer);
    int result = sqlite3_open_v2(uri.at, &conn->db, flags, NULL);
    if (result == SQLITE_OK) {
        sqlite3_extended_result_codes(conn->db, 1);
        result = sqlite3_exec(conn->db,
                              is_writer ? PLAIN_SETUP "PRAGMA journal_mode=DELETE;" : PLAIN_SETUP,
                              NULL, NULL, NULL);
    }
    if (result == SQLITE_OK) {
        *out = conn;
        return OK;
    }
    why_set(why, ERR_BAD_INPUT, NULL, "%s cannot be opened: %s", path, conn_words(conn));
    conn_close(&conn);
    return ERR_BAD_INPUT;
}

static enum err copy_failure(struct conn *to, int result, struct why *why)
{
    int primary = result & 0xff;
    enum err err = primary == SQLITE_FULL                                  ? ERR_LIMIT
                   : primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ? ERR_BAD_INPUT
                                                                           : ERR_IO;
    to->last = result;
    return why_set(why, err, NULL, "the database cannot be copied: %s", sqlite3_errstr(result));
}

/* In one go: between two steps somebody's write would begin it anew. */
enum err conn_copy(struct conn *from, struct conn *to, struct why *why)
{
    enum { TRIES = 100, WAIT_MS = 100 };
    sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");
    int result = SQLITE_BUSY;
    if (backup == NULL)
        return copy_failure(to, sqlite3_errcode(to->db), why);
    for (int i = 0; i < TRIES && (result == SQLITE_BUSY || result == SQLITE_LOCKED); i++) {
        if (i > 0)
            sqlite3_sleep(WAIT_MS);
        result = sqlite3_backup_step(backup, -1);
    }
    int finished = sqlite3_backup_finish(backup);
    result = result == SQLITE_DONE ? finished : result;
    return result == SQLITE_OK ? OK : copy_failure(to, result, why);
}

void conn_close(struct conn **conn)
{
    if (*conn == NULL)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize((*conn)->kept[i].stmt);
    sqlite3_close((*conn)->db);
    mem_free(*conn);
    *conn = NULL;
}

enum err conn_run(struct conn *conn, const char *sql)
{
    int result = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? OK : failed(conn, result);
}

const char *conn_words(struct conn *conn)
{
    return sqlite3_errmsg(conn->db);
}

bool conn_is_damaged(struct conn *conn)
{
    int primary = conn->last & 0xff;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

int64_t conn_changes(struct conn *conn)
{
    return sqlite3_changes64(conn->db);
}

static sqlite3_stmt *find_or_prepare(struct conn *conn, const char *sql)
{
    size_t i = 0;
    while (i < STATEMENTS && conn->kept[i].sql != NULL && conn->kept[i].sql != sql)
        i++;
    MUST(i < STATEMENTS);
    if (conn->kept[i].sql == NULL) {
        int result = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                        &conn->kept[i].stmt, NULL);
        if (result != SQLITE_OK) {
            (void) failed(conn, result);
            return NULL;
        }
        conn->kept[i].sql = sql;
    }
    return conn->kept[i].stmt;
}

struct query query_on(struct conn *conn, const char *sql)
{
    struct query query = {._conn = conn, ._stmt = find_or_prepare(conn, sql)};
    query._err = query._stmt == NULL ? ERR_IO : OK;
    MUST(query._stmt == NULL || !sqlite3_stmt_busy(query._stmt));
    return query;
}

static void note(struct query *query, int result)
{
    if (result != SQLITE_OK)
        query->_err = failed(query->_conn, result);
}

void query_int(struct query *query, int64_t number)
{
    query_int_or_null(query, number, false);
}

void query_int_or_null(struct query *query, int64_t number, bool is_null)
{
    if (query->_err != OK)
        return;
    int at = ++query->_bound;
    note(query, is_null ? sqlite3_bind_null(query->_stmt, at)
                        : sqlite3_bind_int64(query->_stmt, at, number));
}

void query_text(struct query *query, const char *text)
{
    if (query->_err == OK)
        note(query, sqlite3_bind_text(query->_stmt, ++query->_bound, text, -1, SQLITE_STATIC));
}

void query_bytes(struct query *query, const void *bytes, size_t size)
{
    if (query->_err == OK)
        note(query, sqlite3_bind_blob64(query->_stmt, ++query->_bound, bytes, size, SQLITE_STATIC));
}

enum err query_step(struct query *query)
{
    if (query->_err != OK)
        return query->_err;
    query->_read = 0;
    int result = sqlite3_step(query->_stmt);
    if (result == SQLITE_ROW)
        return OK;
    if (result == SQLITE_DONE)
        return ERR_NOT_FOUND;
    if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY)
        return query->_err = ERR_BUSY;
    return query->_err = failed(query->_conn, result);
}

int64_t query_get_int(struct query *query)
{
    return sqlite3_column_int64(query->_stmt, query->_read++);
}

bool query_get_bool(struct query *query)
{
    return query_get_int(query) != 0;
}

bool query_next_is_null(struct query *query)
{
    return sqlite3_column_type(query->_stmt, query->_read) == SQLITE_NULL;
}

char *query_get_text(struct query *query)
{
    int at = query->_read++;
    const void *text = sqlite3_column_blob(query->_stmt, at);
    size_t size = (size_t) sqlite3_column_bytes(query->_stmt, at);
    if (sqlite3_column_type(query->_stmt, at) == SQLITE_NULL)
        return NULL;
    return mem_strndup(text != NULL ? text : "", size);
}

void query_get_text_into(struct query *query, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(query->_stmt, query->_read++);
    snprintf(out, size, "%s", text != NULL ? (const char *) text : "");
}

uint8_t *query_get_bytes(struct query *query, size_t *size)
{
    int at = query->_read++;
    const void *bytes = sqlite3_column_blob(query->_stmt, at);
    *size = (size_t) sqlite3_column_bytes(query->_stmt, at);
    return bytes != NULL ? mem_dup(bytes, *size) : NULL;
}

bool query_get_bytes_into(struct query *query, void *out, size_t size)
{
    int at = query->_read++;
    const void *bytes = sqlite3_column_blob(query->_stmt, at);
    if (bytes == NULL || (size_t) sqlite3_column_bytes(query->_stmt, at) != size)
        return false;
    memcpy(out, bytes, size);
    return true;
}

void query_end(struct query *query)
{
    if (query->_stmt == NULL)
        return;
    sqlite3_reset(query->_stmt);
    sqlite3_clear_bindings(query->_stmt);
    query->_stmt = NULL;
}

enum err query_take_id(struct query *query, char out[STORE_ID_SIZE])
{
    enum err err = query_step(query);
    if (err == OK)
        query_get_text_into(query, out, STORE_ID_SIZE);
    query_end(query);
    return err;
}

enum err query_run(struct query *query)
{
    enum err err = query_step(query);
    query_end(query);
    return err == ERR_NOT_FOUND ? OK : err;
}
