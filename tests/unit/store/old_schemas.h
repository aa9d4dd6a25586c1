/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A database of every schema that was there, as that program made it, with something in it. */
#pragma once

#include <stddef.h>

struct old_schema {
    int version;
    const char *tables; /* what the step from the one before did */
    const char *rows;   /* what somebody had in it then; of this step's tables */
};

static const struct old_schema OLD_SCHEMAS[] = {
    {1,
     "CREATE TABLE mark(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE TABLE user(id TEXT PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,"
     " password TEXT NOT NULL, is_admin INTEGER NOT NULL, created_ms INTEGER NOT NULL) STRICT;"
     "CREATE TABLE session(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
     " user TEXT NOT NULL REFERENCES user(id) ON DELETE CASCADE,"
     " created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX session_user ON session(user);"
     "CREATE TABLE title(id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, year "
     "INTEGER,"
     " sort TEXT NOT NULL, folded TEXT NOT NULL, letter TEXT NOT NULL, match TEXT UNIQUE,"
     " added_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX title_sort ON title(sort, id);"
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
     " bytes BLOB NOT NULL, PRIMARY KEY(file, hash, size, mtime_ns, version, engine)) STRICT;",
     "INSERT INTO user VALUES('u1', 'Anna', 'anna', 'hash of anna', 1, 10);"
     "INSERT INTO user VALUES('u2', 'Ben', 'ben', 'hash of ben', 0, 20);"
     "INSERT INTO session VALUES('s1', "
     "x'0101010101010101010101010101010101010101010101010101010101010101',"
     " 'u1', 30, 40);"
     "INSERT INTO title VALUES('t1', 'film', 'A Film', 1999, 'film', 'a film', 'F', 'a film 1999', "
     "50);"
     "INSERT INTO file VALUES('f1', 't1', x'2f61', x'2f612f622e6d6b76', 'b.mkv', 7, 8, 9,"
     " x'0202020202020202020202020202020202020202020202020202020202020202', 1, 0, NULL, 60000, 50, "
     "50,"
     " NULL);"
     "INSERT INTO plan VALUES('f1', 7, 8,"
     " x'0202020202020202020202020202020202020202020202020202020202020202', 1, 'engine', 60,"
     " x'0badc0de');"},
    {2,
     "ALTER TABLE plan RENAME TO old_plan;"
     "CREATE TABLE plan(file TEXT NOT NULL REFERENCES file(id) ON DELETE CASCADE,"
     " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, hash BLOB NOT NULL,"
     " version INTEGER NOT NULL, engine TEXT NOT NULL, wants_scan INTEGER NOT NULL,"
     " made_ms INTEGER NOT NULL, bytes BLOB NOT NULL,"
     " PRIMARY KEY(file, hash, size, mtime_ns, version, engine, wants_scan)) STRICT;"
     "INSERT INTO plan SELECT file, size, mtime_ns, hash, version, engine, 0, made_ms, bytes"
     " FROM old_plan;"
     "DROP TABLE old_plan;",
     ""},
    {3,
     "CREATE TABLE remote(file TEXT PRIMARY KEY, url TEXT NOT NULL UNIQUE, type TEXT NOT NULL,"
     " etag TEXT NOT NULL, modified TEXT NOT NULL, size INTEGER NOT NULL,"
     " is_ranged INTEGER NOT NULL) STRICT;"
     "CREATE TABLE link(id TEXT PRIMARY KEY, user TEXT NOT NULL,"
     " file TEXT NOT NULL REFERENCES remote(file), added_ms INTEGER NOT NULL,"
     " UNIQUE(user, file)) STRICT;"
     "CREATE INDEX link_file ON link(file);"
     "CREATE TABLE fetched(id TEXT PRIMARY KEY, file TEXT NOT NULL UNIQUE, url TEXT NOT NULL "
     "UNIQUE,"
     " type TEXT NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL, size INTEGER NOT NULL,"
     " is_ranged INTEGER NOT NULL, is_paused INTEGER NOT NULL, is_filed INTEGER NOT NULL,"
     " added_ms INTEGER NOT NULL) STRICT;",
     "INSERT INTO remote VALUES('r1', 'https://films.example/a.mkv', 'video/x-matroska', '', '', "
     "9, 1);"
     "INSERT INTO link VALUES('l1', 'u1', 'r1', 70);"},
    {4,
     "ALTER TABLE user ADD COLUMN role TEXT NOT NULL DEFAULT 'member';"
     "UPDATE user SET role = 'admin' WHERE is_admin <> 0;"
     "ALTER TABLE user DROP COLUMN is_admin;"
     "ALTER TABLE user ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE session ADD COLUMN peer TEXT NOT NULL DEFAULT '';"
     "CREATE TABLE api_key(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
     " user TEXT NOT NULL REFERENCES user(id) ON DELETE CASCADE, name TEXT NOT NULL,"
     " scopes INTEGER NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER) STRICT;"
     "CREATE INDEX api_key_user ON api_key(user);"
     "CREATE TABLE invite(id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, role TEXT NOT NULL,"
     " made_by TEXT REFERENCES user(id) ON DELETE SET NULL, created_ms INTEGER NOT NULL,"
     " expires_ms INTEGER NOT NULL) STRICT;"
     "CREATE TABLE reset(user TEXT PRIMARY KEY REFERENCES user(id) ON DELETE CASCADE,"
     " hash BLOB NOT NULL UNIQUE, expires_ms INTEGER NOT NULL) STRICT;"
     "CREATE TABLE audit(n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, user TEXT, name TEXT NOT "
     "NULL,"
     " action TEXT NOT NULL, object TEXT NOT NULL, peer TEXT NOT NULL) STRICT;"
     "CREATE INDEX audit_action ON audit(action, n);",
     "INSERT INTO api_key VALUES('k1', "
     "x'0303030303030303030303030303030303030303030303030303030303030303',"
     " 'u1', 'a program', 3, 80, NULL);"
     "INSERT INTO invite VALUES('i1', "
     "x'0404040404040404040404040404040404040404040404040404040404040404',"
     " 'member', 'u1', 90, 9000000000000);"
     "INSERT INTO audit VALUES(1, 100, 'u1', 'Anna', 'setup', 'Anna', '127.0.0.1');"},
};
enum { OLD_SCHEMA_COUNT = sizeof OLD_SCHEMAS / sizeof OLD_SCHEMAS[0] };
