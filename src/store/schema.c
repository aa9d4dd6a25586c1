/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schema as numbered steps. A step that was released is never changed: a new one follows it.
 * user_version in the file counts the steps taken; application_id says that the file is ours. */
#include <stdio.h>

#include "base/log.h"
#include "store/sql.h"

enum { APPLICATION_ID = 0x4d74696e /* "Mtin" */ };

/* No string is longer than C99 promises to hold. */
enum { PARTS = 2 };
static const char *const STEPS[][PARTS] = {
    /* 1: accounts, films, plans */
    {"CREATE TABLE mark(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

     "CREATE TABLE user(id TEXT PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,"
     " password TEXT NOT NULL, is_admin INTEGER NOT NULL, created_ms INTEGER NOT NULL) STRICT;"

     "CREATE TABLE session(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
     " user TEXT NOT NULL REFERENCES user(id) ON DELETE CASCADE,"
     " created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX session_user ON session(user);"

     /* `match` joins files of one film: the folded title and the year; NULL where there is no year,
     * then nothing joins it. */
     "CREATE TABLE title(id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, year "
     "INTEGER,"
     " sort TEXT NOT NULL, folded TEXT NOT NULL, letter TEXT NOT NULL, match TEXT UNIQUE,"
     " added_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX title_sort ON title(sort, id);"

     /* Names of files are bytes. A missing file keeps its row for a while, so that its id comes back
     * with it; its path is then free for another. */
     "CREATE TABLE file(id TEXT PRIMARY KEY, title TEXT NOT NULL REFERENCES title(id),"
     " folder BLOB NOT NULL, path BLOB NOT NULL, name TEXT NOT NULL,"
     " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, dev INTEGER NOT NULL, hash BLOB,"
     " state INTEGER NOT NULL, is_offline INTEGER NOT NULL, reason TEXT, duration_ms INTEGER,"
     " added_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, missing_ms INTEGER) STRICT;"
     "CREATE UNIQUE INDEX file_path ON file(path) WHERE missing_ms IS NULL;"
     "CREATE INDEX file_title ON file(title);"

     "CREATE TABLE plan(file TEXT NOT NULL REFERENCES file(id) ON DELETE CASCADE,"
     " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, hash BLOB NOT NULL,"
     " version INTEGER NOT NULL, engine TEXT NOT NULL, made_ms INTEGER NOT NULL,"
     " bytes BLOB NOT NULL, PRIMARY KEY(file, hash, size, mtime_ns, version, engine)) STRICT;"},

    /* 2: plans made at once, of films that are yet to be read through for an index: they stay beside
     * the ones that are made then */
    {"ALTER TABLE plan RENAME TO old_plan;"
     "CREATE TABLE plan(file TEXT NOT NULL REFERENCES file(id) ON DELETE CASCADE,"
     " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, hash BLOB NOT NULL,"
     " version INTEGER NOT NULL, engine TEXT NOT NULL, wants_scan INTEGER NOT NULL,"
     " made_ms INTEGER NOT NULL, bytes BLOB NOT NULL,"
     " PRIMARY KEY(file, hash, size, mtime_ns, version, engine, wants_scan)) STRICT;"
     "INSERT INTO plan SELECT file, size, mtime_ns, hash, version, engine, 0, made_ms, bytes"
     " FROM old_plan;"
     "DROP TABLE old_plan;"},

    /* 3: films of other servers */
    {"CREATE TABLE remote(file TEXT PRIMARY KEY, url TEXT NOT NULL UNIQUE, type TEXT NOT NULL,"
     " etag TEXT NOT NULL, modified TEXT NOT NULL, size INTEGER NOT NULL,"
     " is_ranged INTEGER NOT NULL) STRICT;"
     /* `user` may be of no account: that of --auth none and key */
     "CREATE TABLE link(id TEXT PRIMARY KEY, user TEXT NOT NULL,"
     " file TEXT NOT NULL REFERENCES remote(file), added_ms INTEGER NOT NULL,"
     " UNIQUE(user, file)) STRICT;"
     "CREATE INDEX link_file ON link(file);"
     /* downloads of such films */
     "CREATE TABLE fetched(id TEXT PRIMARY KEY, file TEXT NOT NULL UNIQUE, url TEXT NOT NULL "
     "UNIQUE,"
     " type TEXT NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL, size INTEGER NOT NULL,"
     " is_ranged INTEGER NOT NULL, is_paused INTEGER NOT NULL, is_filed INTEGER NOT NULL,"
     " added_ms INTEGER NOT NULL) STRICT;"},

    /* 4: roles, devices that are signed in, keys, invitations, links to set a password, the log of who
     * did what */
    {"ALTER TABLE user ADD COLUMN role TEXT NOT NULL DEFAULT 'member';"
     "UPDATE user SET role = 'admin' WHERE is_admin <> 0;"
     "ALTER TABLE user DROP COLUMN is_admin;"
     "ALTER TABLE user ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0;"

     "ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE session ADD COLUMN peer TEXT NOT NULL DEFAULT '';"

     "CREATE TABLE api_key(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
     " user TEXT NOT NULL REFERENCES user(id) ON DELETE CASCADE, name TEXT NOT NULL,"
     " scopes INTEGER NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER) STRICT;"
     "CREATE INDEX api_key_user ON api_key(user);"

     /* Who made it may go; what came of it is in the log. */
     "CREATE TABLE invite(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, role TEXT NOT NULL,"
     " made_by TEXT REFERENCES user(id) ON DELETE SET NULL, created_ms INTEGER NOT NULL,"
     " expires_ms INTEGER NOT NULL) STRICT;"

     "CREATE TABLE reset(user TEXT PRIMARY KEY REFERENCES user(id) ON DELETE CASCADE,"
     " hash BLOB NOT NULL UNIQUE, expires_ms INTEGER NOT NULL) STRICT;"

     /* Names as they were then: people and things may be gone. */
     "CREATE TABLE audit(n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, user TEXT, name TEXT NOT "
     "NULL,"
     " action TEXT NOT NULL, object TEXT NOT NULL, peer TEXT NOT NULL) STRICT;"
     "CREATE INDEX audit_action ON audit(action, n);"},

    /* 5: children, how many films at once, what titles are for whom; what people have watched, want to and
     * say of it; searches */
    {"ALTER TABLE user ADD COLUMN age_limit INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE user ADD COLUMN sees_unrated INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE user ADD COLUMN streams INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE invite ADD COLUMN age_limit INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE invite ADD COLUMN sees_unrated INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE invite ADD COLUMN streams INTEGER NOT NULL DEFAULT 0;"

     /* NULL: nobody said for what age it is */
     "ALTER TABLE title ADD COLUMN age INTEGER;"

     /* Which way its name was read; of an episode: it stands in no list but its show's. */
     "ALTER TABLE file ADD COLUMN names INTEGER NOT NULL DEFAULT 1;"
     "ALTER TABLE title ADD COLUMN show TEXT REFERENCES title(id);"
     "ALTER TABLE title ADD COLUMN season INTEGER;"
     "ALTER TABLE title ADD COLUMN episode INTEGER;"
     "ALTER TABLE title ADD COLUMN last_episode INTEGER;"
     "CREATE INDEX title_show ON title(show, season, episode) WHERE show IS NOT NULL;"

     /* `n` is what the index of searches knows a title by: a rowid may be another after a VACUUM. */
     "ALTER TABLE title ADD COLUMN n INTEGER;"
     "UPDATE title SET n = rowid;"
     "CREATE UNIQUE INDEX title_n ON title(n);"
     "CREATE INDEX title_added ON title(-added_ms, id) WHERE show IS NULL;"
     "DROP INDEX title_sort;"
     "CREATE INDEX title_sort ON title(sort, id) WHERE show IS NULL;"
     "CREATE INDEX file_here ON file(title) WHERE missing_ms IS NULL;"
     "CREATE VIRTUAL TABLE title_search USING fts5(folded, content='title', content_rowid='n',"
     " tokenize='trigram');"
     "INSERT INTO title_search(title_search) VALUES('rebuild');"

     /* What is somebody's: `user` may be of no account, that of --auth none and key; `item` is a title's
     * id, and stays when its files are gone. */
     "CREATE TABLE preference(user TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;"

     "CREATE TABLE progress(user TEXT NOT NULL, item TEXT NOT NULL, file TEXT NOT NULL,"
     " position_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
     " is_hidden INTEGER NOT NULL, PRIMARY KEY(user, item)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX progress_latest ON progress(user, at_ms) WHERE is_hidden = 0;"
     "CREATE INDEX progress_item ON progress(item);"

     "CREATE TABLE watched(user TEXT NOT NULL, item TEXT NOT NULL, at_ms INTEGER NOT NULL,"
     " PRIMARY KEY(user, item)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX watched_item ON watched(item);"

     "CREATE TABLE history(n INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL,"
     " item TEXT NOT NULL, file TEXT NOT NULL, began_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
     " position_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL, is_whole INTEGER NOT NULL)"
     " STRICT;"
     "CREATE INDEX history_user ON history(user, n);"
     "CREATE INDEX history_item ON history(item, user, n);"

     "CREATE TABLE watchlist(user TEXT NOT NULL, item TEXT NOT NULL, added_ms INTEGER NOT NULL,"
     " PRIMARY KEY(user, item)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX watchlist_latest ON watchlist(user, added_ms);"
     "CREATE INDEX watchlist_item ON watchlist(item);"

     "CREATE TABLE comment(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
     " item TEXT NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,"
     " is_spoiler INTEGER NOT NULL, position_ms INTEGER, created_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX comment_item ON comment(item, n);"
     "CREATE INDEX comment_user ON comment(user);",

     /* Sessions of programs: what they refresh with is another each time; who brings one that is no more ends
     * it. Keys of our own: what we sign with. */
     "ALTER TABLE session ADD COLUMN is_program INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE session ADD COLUMN former BLOB;"
     "CREATE UNIQUE INDEX session_former ON session(former) WHERE former IS NOT NULL;"
     "CREATE TABLE secret(name TEXT PRIMARY KEY, value TEXT NOT NULL, made_ms INTEGER NOT NULL)"
     " STRICT, WITHOUT ROWID;"

     /* Who somebody is elsewhere. An address proves nothing by itself: it is `email` where it was verified
     * here. */
     "ALTER TABLE user ADD COLUMN email TEXT;"
     "ALTER TABLE user ADD COLUMN email_ms INTEGER;"
     "CREATE UNIQUE INDEX user_email ON user(email) WHERE email IS NOT NULL;"
     "CREATE TABLE identity(id TEXT PRIMARY KEY, provider TEXT NOT NULL, subject TEXT NOT NULL,"
     " user TEXT NOT NULL REFERENCES user(id) ON DELETE CASCADE, name TEXT NOT NULL,"
     " made_ms INTEGER NOT NULL, UNIQUE(provider, subject)) STRICT;"
     "CREATE INDEX identity_user ON identity(user);"
     /* An address that a letter was sent to: of `user`, or of an account that is made when it is answered. */
     "CREATE TABLE email_wish(hash BLOB PRIMARY KEY, email TEXT NOT NULL,"
     " user TEXT REFERENCES user(id) ON DELETE CASCADE, name TEXT NOT NULL, folded TEXT NOT NULL,"
     " password TEXT NOT NULL, made_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL)"
     " STRICT, WITHOUT ROWID;"
     "CREATE INDEX email_wish_user ON email_wish(user);"

     /* The public halves of keys that people's devices hold. */
     "CREATE TABLE passkey(id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user(id) ON DELETE "
     "CASCADE, rp TEXT NOT NULL, name TEXT NOT NULL, handle BLOB NOT NULL UNIQUE,"
     " algorithm INTEGER NOT NULL, key BLOB NOT NULL, counter INTEGER NOT NULL,"
     " made_ms INTEGER NOT NULL, seen_ms INTEGER) STRICT;"
     "CREATE INDEX passkey_user ON passkey(user);"},
};
enum { STEP_COUNT = sizeof STEPS / sizeof STEPS[0] };

static enum err read_number(struct conn *conn, const char *sql, int64_t *out)
{
    struct query query = query_on(conn, sql);
    enum err err = query_step(&query);
    if (err == OK)
        *out = query_get_int(&query);
    query_end(&query);
    return err;
}

static enum err take_step(struct conn *conn, int64_t step)
{
    char marks[96];
    snprintf(marks, sizeof marks, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
             APPLICATION_ID, (int) step + 1);
    enum err err = OK;
    for (int part = 0; part < PARTS && STEPS[step][part] != NULL && err == OK; part++)
        err = conn_run(conn, STEPS[step][part]);
    if (err == OK)
        err = conn_run(conn, marks);
    if (err == OK)
        log_info("store.upgraded", log_int("schema", step + 1));
    return err;
}

/* Two processes may start at once: each step looks again once it holds the lock. */
static enum err next_step(struct conn *conn, int64_t *version)
{
    enum err err = conn_run(conn, "BEGIN IMMEDIATE");
    if (err != OK)
        return err;
    err = read_number(conn, "PRAGMA user_version", version);
    if (err == OK && *version < STEP_COUNT) {
        err = take_step(conn, *version);
        *version += 1;
    } else if (err == OK) {
        err = conn_run(conn, "COMMIT");
    }
    if (err != OK)
        (void) !conn_run(conn, "ROLLBACK");
    return err;
}

static enum err judge(struct conn *conn, int64_t *version, struct why *why)
{
    int64_t application = 0, tables = 0;
    enum err err = read_number(conn, "PRAGMA user_version", version);
    if (err == OK)
        err = read_number(conn, "PRAGMA application_id", &application);
    if (err == OK)
        err = read_number(conn, "SELECT count(*) FROM sqlite_schema", &tables);
    if (err != OK)
        return why_set(why, conn_is_damaged(conn) ? ERR_BAD_INPUT : ERR_IO, NULL,
                       "the database cannot be read: %s", conn_words(conn));
    if (application != APPLICATION_ID && (tables > 0 || *version > 0))
        return why_set(why, ERR_BAD_INPUT, NULL, "the database is not one of matinee");
    if (*version > STEP_COUNT)
        return why_set(
            why, ERR_BAD_INPUT, NULL,
            "the database was written by a newer matinee (its schema is %d, this program "
            "knows up to %d)",
            (int) *version, (int) STEP_COUNT);
    return OK;
}

enum err schema_judge(struct conn *conn, int *version, struct why *why)
{
    int64_t number = 0;
    enum err err = judge(conn, &number, why);
    *version = (int) number;
    if (err == OK && number == 0)
        return why_set(why, ERR_BAD_INPUT, NULL, "there is nothing of matinee in it");
    return err;
}

int schema_newest(void)
{
    return STEP_COUNT;
}

enum err schema_upgrade(struct conn *conn, struct why *why)
{
    int64_t version = 0;
    enum err err = judge(conn, &version, why);
    while (err == OK && version < STEP_COUNT) {
        err = next_step(conn, &version);
        if (err != OK)
            return why_set(why, err, NULL, "the database cannot be brought up to date: %s",
                           conn_words(conn));
    }
    return err;
}
