/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/sql.h"

/* Of what is known of a download: its parts, as torrent/keep.h has them. */
enum { KEPT_BYTES_MOST = 64 << 20, ID_LENGTH = 20 };
static const char *const PARTS[] = {"state.json", "meta.torrent", "resume", "pieces"};
#define PART_COUNT (sizeof PARTS / sizeof PARTS[0])
#define DATABASE   "matinee.db"
#define STAGE      "restore"

static char *path_of(const char *folder, const char *name)
{
    struct str path = {0};
    str_printf(&path, "%s/%s", folder, name);
    return str_take(&path);
}

static enum err fail(struct why *why, const char *what, const char *path)
{
    const char *words = strerrordesc_np(errno);
    enum err err = err_from_errno(errno);
    if (err == OK || err == ERR_NOT_FOUND)
        err = ERR_IO;
    (void) why_set(why, err, NULL, "%s %s: %s", what, path, words);
    return err;
}

/* --- the files beside --- */

static bool is_id(const char *name)
{
    return strlen(name) == ID_LENGTH &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz234567") == ID_LENGTH;
}

static bool is_part(const char *name)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        if (strcmp(name, PARTS[i]) == 0)
            return true;
    return false;
}

static enum err read_whole(const char *path, uint8_t **bytes, size_t *size)
{
    struct stat info;
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ERR_NOT_FOUND;
    if (info.st_size > KEPT_BYTES_MOST)
        return ERR_LIMIT;
    *bytes = mem_zalloc((size_t) info.st_size + 1);
    enum err err = fd_read_at(fd, *bytes, (size_t) info.st_size, 0, size);
    if (err != OK)
        mem_free(*bytes);
    return err;
}

static enum err keep_part(struct conn *conn, const char *folder, const char *id, const char *part)
{
    CLEANUP(str_fini) struct str path = {0}, name = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    str_printf(&path, "%s/%s/%s", folder, id, part);
    if (read_whole(path.at, &bytes, &size) != OK)
        return OK; /* it is not there, or another thing is: a download goes on without */
    str_printf(&name, "%s/%s", id, part);
    struct query query = query_on(conn, "INSERT INTO kept_file(path, bytes) VALUES(?, ?)");
    query_text(&query, name.at);
    query_bytes(&query, bytes, size);
    enum err err = query_run(&query);
    mem_free(bytes);
    return err;
}

static enum err keep_downloads(struct conn *conn, const char *data_folder)
{
    CLEANUP(mem_free_at) char *folder = path_of(data_folder, "torrents");
    DIR *directory = opendir(folder);
    enum err err = OK;
    if (directory == NULL)
        return OK;
    for (const struct dirent *entry; err == OK && (entry = readdir(directory)) != NULL;)
        for (size_t i = 0; err == OK && is_id(entry->d_name) && i < PART_COUNT; i++)
            err = keep_part(conn, folder, entry->d_name, PARTS[i]);
    closedir(directory);
    return err;
}

/* --- making --- */

static enum err judge(struct conn *conn, struct why *why)
{
    char verdict[200] = "";
    struct query query = query_on(conn, "PRAGMA integrity_check(1)");
    enum err err = query_step(&query);
    if (err == OK)
        query_get_text_into(&query, verdict, sizeof verdict);
    query_end(&query);
    if (err == OK && strcmp(verdict, "ok") == 0)
        return OK;
    return why_set(why, ERR_BAD_INPUT, NULL, "it is damaged: %s",
                   verdict[0] != '\0' ? verdict : conn_words(conn));
}

/* From one connection that has the file, all at once: one state of the database. */
static enum err copy_all(struct conn *from, const char *data_folder, const char *path,
                         struct why *why)
{
    struct conn *to = NULL;
    enum err err = conn_open_plain(path, true, &to, why);
    if (err != OK)
        return err;
    err = conn_copy(from, to, why);
    /* what came along says that there is a journal beside it */
    if (err == OK)
        err = conn_run(to, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;");
    if (err == OK)
        err = conn_run(
            to, "BEGIN; DROP TABLE IF EXISTS kept_file;"
                "CREATE TABLE kept_file(path TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;");
    if (err == OK)
        err = keep_downloads(to, data_folder);
    if (err == OK)
        err = conn_run(to, "COMMIT");
    if (err == OK)
        err = judge(to, why);
    else if (why != NULL && why->text[0] == '\0')
        why_set(why, err, NULL, "%s: %s", path, conn_words(to));
    conn_close(&to);
    return err;
}

static enum err copy_to(const char *data_folder, const char *path, struct why *why)
{
    CLEANUP(mem_free_at) char *database = path_of(data_folder, DATABASE);
    struct conn *from = NULL;
    if (access(database, F_OK) != 0)
        return why_set(why, ERR_NOT_FOUND, NULL, "there is no database in %s", data_folder);
    enum err err = conn_open(database, true, &from, why);
    if (err == OK)
        err = copy_all(from, data_folder, path, why);
    conn_close(&from);
    return err;
}

/* The copy holds hashes of passwords: nobody else may read it. */
static enum err make_empty(const char *path, struct why *why)
{
    unlink(path);
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 ? OK : fail(why, "cannot write", path);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? mem_strdup(".") : mem_strndup(path, (size_t) (slash - path) + 1);
}

static enum err is_taken(const char *path, struct why *why)
{
    return why_set(why, ERR_BUSY, NULL, "there is a file at %s already", path);
}

enum err backup_make(const char *data_folder, const char *path, struct why *why)
{
    CLEANUP(str_fini) struct str part = {0};
    CLEANUP(mem_free_at) char *folder = folder_of(path);
    str_printf(&part, "%s.part", path);
    if (access(path, F_OK) == 0)
        return is_taken(path, why);
    enum err err = make_empty(part.at, why);
    if (err == OK)
        err = copy_to(data_folder, part.at, why);
    if (err == OK) {
        (void) !fd_sync_path(part.at);
        err = fd_rename_new(part.at, AT_FDCWD, path);
        if (err != OK)
            err = err == ERR_BUSY ? is_taken(path, why) : fail(why, "cannot write", path);
    }
    if (err == OK)
        (void) !fd_sync_path(folder);
    else
        unlink(part.at);
    return err;
}

/* --- checking --- */

static enum err read_facts(struct conn *conn, struct backup_facts *out)
{
    struct query query =
        query_on(conn, "SELECT (SELECT count(*) FROM user), (SELECT count(*) FROM title)");
    enum err err = query_step(&query);
    if (err == OK) {
        out->users = query_get_int(&query);
        out->titles = query_get_int(&query);
    }
    query_end(&query);
    return err;
}

enum err backup_check(const char *path, struct backup_facts *out, struct why *why)
{
    struct conn *conn = NULL;
    struct why said = {0};
    if (access(path, R_OK) != 0)
        return fail(why, "cannot read", path);
    enum err err = conn_open_plain(path, false, &conn, &said);
    if (err == OK)
        err = schema_judge(conn, &out->schema, &said);
    if (err == OK)
        err = judge(conn, &said);
    if (err == OK && read_facts(conn, out) != OK)
        err = why_set(&said, ERR_BAD_INPUT, NULL, "it has not the tables of matinee");
    conn_close(&conn);
    return err == OK ? OK : why_set(why, ERR_BAD_INPUT, NULL, "%s: %s", path, said.text);
}

/* --- restoring --- */

static enum err make_folder(const char *path, struct why *why)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? OK : fail(why, "cannot make", path);
}

static enum err copy_file(const char *from, const char *to, struct why *why)
{
    CLEANUP(fd_close) int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return fail(why, "cannot read", from);
    unlink(to);
    CLEANUP(fd_close) int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target < 0)
        return fail(why, "cannot write", to);
    enum err err = fd_copy(source, target, NULL);
    if (err == OK && fsync(target) != 0)
        err = err_from_errno(errno);
    return err == OK ? OK : why_set(why, err, NULL, "cannot write %s: %s", to, err_text(err));
}

/* Paths out of a backup are names that we could have given: ID/part. */
static bool split_path(char *path, const char **id, const char **part)
{
    char *slash = strchr(path, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    *id = path;
    *part = slash + 1;
    return is_id(*id) && is_part(*part);
}

static enum err put_file(const char *folder, char *path, const uint8_t *bytes, size_t size)
{
    const char *id = NULL, *part = NULL;
    CLEANUP(str_fini) struct str target = {0};
    if (!split_path(path, &id, &part))
        return OK; /* none of ours */
    str_printf(&target, "%s/%s", folder, id);
    if (make_folder(target.at, NULL) != OK)
        return ERR_IO;
    str_printf(&target, "/%s", part);
    CLEANUP(fd_close) int fd = open(target.at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0 ? fd_write_at(fd, bytes, size, 0) : err_from_errno(errno);
}

static enum err unpack_files(struct conn *conn, const char *folder)
{
    struct query query = query_on(conn, "SELECT path, bytes FROM kept_file");
    enum err err;
    while ((err = query_step(&query)) == OK) {
        size_t size = 0;
        CLEANUP(mem_free_at) char *path = query_get_text(&query);
        CLEANUP(mem_free_at) uint8_t *bytes = query_get_bytes(&query, &size);
        if (put_file(folder, path, bytes, size) != OK)
            break;
    }
    query_end(&query);
    return err == ERR_NOT_FOUND ? OK : ERR_IO;
}

static enum err unpack(const char *database, const char *folder, struct why *why)
{
    struct conn *conn = NULL;
    struct query query;
    bool has_files = false;
    enum err err = conn_open_plain(database, true, &conn, why);
    if (err != OK)
        return err;
    query = query_on(conn, "SELECT count(*) FROM sqlite_schema WHERE name = 'kept_file'");
    err = query_step(&query);
    if (err == OK)
        has_files = query_get_bool(&query);
    query_end(&query);
    if (err == OK && has_files)
        err = unpack_files(conn, folder);
    if (err == OK)
        err = conn_run(conn, "DROP TABLE IF EXISTS kept_file");
    if (err != OK)
        why_set(why, err, NULL, "%s cannot be unpacked: %s", database, conn_words(conn));
    conn_close(&conn);
    return err;
}

enum err backup_stage(const char *data_folder, const char *path, struct why *why)
{
    struct backup_facts facts;
    CLEANUP(mem_free_at) char *stage = path_of(data_folder, STAGE);
    CLEANUP(mem_free_at) char *files = path_of(stage, "torrents");
    CLEANUP(mem_free_at) char *part = path_of(stage, DATABASE ".part");
    CLEANUP(mem_free_at) char *ready = path_of(stage, DATABASE);
    enum err err = make_folder(stage, why);
    if (err == OK)
        err = make_folder(files, why);
    if (err == OK)
        err = copy_file(path, part, why);
    if (err == OK)
        err = backup_check(part, &facts, why);
    if (err == OK)
        err = unpack(part, files, why);
    if (err == OK) {
        (void) !fd_sync_path(part);
        if (rename(part, ready) != 0) /* from here on it is taken at the next start */
            err = fail(why, "cannot write", ready);
    }
    if (err == OK)
        (void) !fd_sync_path(stage);
    else
        unlink(part);
    return err;
}

/* Where the old database goes: a folder that is not there yet. */
static enum err make_before(const char *data_folder, char **out, struct why *why)
{
    char date[CLOCK_ISO_SIZE];
    clock_iso(clock_wall_ms(), date);
    for (unsigned n = 0; n < 100; n++) {
        CLEANUP(str_fini) struct str name = {0};
        str_printf(&name, "%s/before-restore-%.10s", data_folder, date);
        if (n > 0)
            str_printf(&name, "-%u", n);
        if (mkdir(name.at, 0700) == 0) {
            *out = str_take(&name);
            return OK;
        }
        if (errno != EEXIST)
            return fail(why, "cannot make", name.at);
    }
    return why_set(why, ERR_BUSY, NULL, "%s holds too many before-restore folders", data_folder);
}

/* The database with what SQLite has beside it: all three or, after an interruption, what is left. */
static enum err move_old(const char *data_folder, const char *before, struct why *why)
{
    static const char *const NAMES[] = {DATABASE, DATABASE "-wal", DATABASE "-shm"};
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(mem_free_at) char *from = path_of(data_folder, NAMES[i]);
        CLEANUP(mem_free_at) char *to = path_of(before, NAMES[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return fail(why, "cannot move", from);
    }
    (void) !fd_sync_path(before);
    return OK;
}

/* What is known of a download that is there is newer, and stays. */
static void move_downloads(const char *data_folder, const char *stage)
{
    CLEANUP(mem_free_at) char *from = path_of(stage, "torrents");
    CLEANUP(mem_free_at) char *to = path_of(data_folder, "torrents");
    DIR *directory = opendir(from);
    if (directory == NULL)
        return;
    mkdir(to, 0700);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        CLEANUP(mem_free_at) char *old = path_of(from, entry->d_name);
        CLEANUP(mem_free_at) char *new = path_of(to, entry->d_name);
        enum err err = is_id(entry->d_name) ? fd_rename_new(old, AT_FDCWD, new) : OK;
        if (err != OK && err != ERR_BUSY)
            log_warning("restore.download", log_str("id", entry->d_name));
    }
    closedir(directory);
}

/* What was laid ready and not needed. */
static void clear_stage(const char *stage)
{
    CLEANUP(mem_free_at) char *files = path_of(stage, "torrents");
    DIR *directory = opendir(files);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        for (size_t i = 0; is_id(entry->d_name) && i < PART_COUNT; i++) {
            CLEANUP(str_fini) struct str path = {0};
            str_printf(&path, "%s/%s/%s", files, entry->d_name, PARTS[i]);
            unlink(path.at);
        }
        CLEANUP(mem_free_at) char *folder = path_of(files, entry->d_name);
        if (is_id(entry->d_name))
            rmdir(folder);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(files);
    CLEANUP(mem_free_at) char *part = path_of(stage, DATABASE ".part");
    unlink(part);
    rmdir(stage);
}

enum err backup_settle(const char *data_folder, bool *was_restored, struct why *why)
{
    CLEANUP(mem_free_at) char *stage = path_of(data_folder, STAGE);
    CLEANUP(mem_free_at) char *ready = path_of(stage, DATABASE);
    CLEANUP(mem_free_at) char *database = path_of(data_folder, DATABASE);
    CLEANUP(mem_free_at) char *before = NULL;
    enum err err = OK;
    *was_restored = false;
    if (access(ready, F_OK) != 0) {
        clear_stage(stage);
        return OK;
    }
    if (access(database, F_OK) == 0) {
        err = make_before(data_folder, &before, why);
        if (err == OK)
            err = move_old(data_folder, before, why);
    }
    if (err != OK)
        return err;
    move_downloads(data_folder, stage);
    if (rename(ready, database) != 0)
        return fail(why, "cannot move", ready);
    (void) !fd_sync_path(data_folder);
    clear_stage(stage);
    *was_restored = true;
    log_info("restore.done", log_str("old", before != NULL ? before : "none"));
    return OK;
}
