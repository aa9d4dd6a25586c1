/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/backups.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define HOUR_MS (60LL * 60 * 1000)
#define WEEK_MS (7LL * 24 * HOUR_MS)
enum {
    NIGHTS = 7,
    WEEKS = 4,
    UPGRADES = 3,
    MANUALS = 20,
    DUE_HOURS = 20,  /* since the last one, once its hour has come */
    LATE_HOURS = 36, /* the machine was off at that hour */
    LOOK_MS = 10 * 60 * 1000,
    STAMP_LENGTH = 16 /* 20261130T053000Z */
};

static const char *const NAMES[] = {
    [BACKUP_NIGHTLY] = "nightly", [BACKUP_MANUAL] = "manual", [BACKUP_UPGRADE] = "upgrade"};

const char *backup_kind_name(enum backup_kind kind)
{
    return NAMES[kind];
}

static char *folder_of(const char *data_folder)
{
    struct str path = {0};
    str_printf(&path, "%s/backups", data_folder);
    return str_take(&path);
}

/* --- names: DATE-KIND.db --- */

static bool parse_stamp(const char *text, int64_t *made_ms)
{
    char iso[32];
    if (strlen(text) < STAMP_LENGTH || text[8] != 'T' || text[15] != 'Z')
        return false;
    snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", text, text + 4, text + 6, text + 9,
             text + 11, text + 13);
    return clock_parse_iso(iso, made_ms) == OK;
}

static bool parse_id(const char *id, struct backup *out)
{
    if (strlen(id) >= BACKUP_ID_SIZE || !parse_stamp(id, &out->made_ms) || id[STAMP_LENGTH] != '-')
        return false;
    for (int kind = 0; kind < BACKUP_KINDS; kind++) {
        if (strcmp(id + STAMP_LENGTH + 1, NAMES[kind]) != 0)
            continue;
        out->kind = (enum backup_kind) kind;
        snprintf(out->id, sizeof out->id, "%s", id);
        return true;
    }
    return false;
}

static void write_id(int64_t now_ms, enum backup_kind kind, char out[BACKUP_ID_SIZE])
{
    char iso[CLOCK_ISO_SIZE];
    clock_iso(now_ms, iso);
    snprintf(out, BACKUP_ID_SIZE, "%.4s%.2s%.2sT%.2s%.2s%.2sZ-%s", iso, iso + 5, iso + 8, iso + 11,
             iso + 14, iso + 17, NAMES[kind]);
}

static char *path_of(const char *data_folder, const char *id)
{
    struct str path = {0};
    str_printf(&path, "%s/backups/%s.db", data_folder, id);
    return str_take(&path);
}

enum err backups_path(const char *data_folder, const char *id, char **out)
{
    struct backup backup;
    struct stat info;
    if (!parse_id(id, &backup))
        return ERR_NOT_FOUND;
    char *path = path_of(data_folder, id);
    if (lstat(path, &info) == 0 && S_ISREG(info.st_mode)) {
        *out = path;
        return OK;
    }
    mem_free(path);
    return ERR_NOT_FOUND;
}

/* --- the list --- */

static bool read_entry(const char *folder, const char *name, struct backup *out)
{
    struct stat info;
    size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 3, ".db") != 0)
        return false;
    CLEANUP(mem_free_at) char *id = mem_strndup(name, length - 3);
    CLEANUP(str_fini) struct str path = {0};
    str_printf(&path, "%s/%s", folder, name);
    if (!parse_id(id, out) || lstat(path.at, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    out->size = (uint64_t) info.st_size;
    return true;
}

static int latest_first(const void *a, const void *b)
{
    const struct backup *left = a, *right = b;
    return strcmp(right->id, left->id);
}

enum err backups_list(const char *data_folder, struct backup **out, size_t *count)
{
    CLEANUP(mem_free_at) char *folder = folder_of(data_folder);
    DIR *directory = opendir(folder);
    size_t room = 0;
    *out = NULL;
    *count = 0;
    if (directory == NULL)
        return errno == ENOENT ? OK : err_from_errno(errno);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct backup backup = {0};
        if (!read_entry(folder, entry->d_name, &backup))
            continue;
        mem_grow(*out, *count, room);
        (*out)[(*count)++] = backup;
    }
    closedir(directory);
    if (*count > 0)
        qsort(*out, *count, sizeof **out, latest_first);
    return OK;
}

char *backups_last_good(const char *data_folder)
{
    struct backup *backups = NULL;
    size_t count = 0;
    char *found = NULL;
    if (backups_list(data_folder, &backups, &count) != OK)
        return NULL;
    for (size_t i = 0; i < count && found == NULL; i++) {
        struct backup_facts facts;
        char *path = path_of(data_folder, backups[i].id);
        if (backup_check(path, &facts, NULL) == OK)
            found = path;
        else
            mem_free(path);
    }
    mem_free(backups);
    return found;
}

/* --- which are kept --- */

/* Of nights: the first NIGHTS, then the first of each week, WEEKS of them. */
static bool keep_night(const struct backup *backup, size_t *nights, size_t *weeks, int64_t *week)
{
    int64_t own = backup->made_ms / WEEK_MS;
    if (*nights < NIGHTS) {
        *nights += 1;
        *week = own;
        return true;
    }
    if (own == *week || *weeks == WEEKS)
        return false;
    *weeks += 1;
    *week = own;
    return true;
}

void backups_choose(const struct backup *backups, size_t count, bool *drop)
{
    size_t nights = 0, weeks = 0, upgrades = 0, manuals = 0;
    int64_t week = -1;
    for (size_t i = 0; i < count; i++) {
        switch (backups[i].kind) {
        case BACKUP_NIGHTLY:
            drop[i] = !keep_night(&backups[i], &nights, &weeks, &week);
            break;
        case BACKUP_UPGRADE:
            drop[i] = ++upgrades > UPGRADES;
            break;
        case BACKUP_MANUAL:
        case BACKUP_KINDS:
            drop[i] = ++manuals > MANUALS;
            break;
        }
    }
}

static void let_go(const char *data_folder)
{
    struct backup *backups = NULL;
    size_t count = 0;
    if (backups_list(data_folder, &backups, &count) != OK || count == 0)
        return;
    bool *drop = mem_new_array(bool, count);
    backups_choose(backups, count, drop);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(mem_free_at) char *path = path_of(data_folder, backups[i].id);
        if (drop[i] && unlink(path) != 0)
            log_warning("backup.kept", log_str("id", backups[i].id));
    }
    mem_free(drop);
    mem_free(backups);
}

enum err backups_make(const char *data_folder, enum backup_kind kind, int64_t now_ms,
                      struct backup *out, struct why *why)
{
    struct stat info;
    CLEANUP(mem_free_at) char *folder = folder_of(data_folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return why_set(why, err_from_errno(errno), NULL, "cannot make %s: %s", folder,
                       strerrordesc_np(errno));
    *out = (struct backup){.kind = kind, .made_ms = now_ms / 1000 * 1000}; /* as its name tells */
    write_id(now_ms, kind, out->id);
    CLEANUP(mem_free_at) char *path = path_of(data_folder, out->id);
    enum err err = backup_make(data_folder, path, why);
    if (err != OK)
        return err;
    out->size = stat(path, &info) == 0 ? (uint64_t) info.st_size : 0;
    log_info("backup.made", log_str("id", out->id), log_int("bytes", (int64_t) out->size));
    let_go(data_folder);
    return OK;
}

/* --- every night --- */

bool backups_is_due(int64_t last_ms, int64_t now_ms, int hour_now, int hour)
{
    int64_t age_ms = now_ms - last_ms;
    if (last_ms == 0 || age_ms < 0 || age_ms >= LATE_HOURS * HOUR_MS)
        return true;
    return hour_now == hour && age_ms >= DUE_HOURS * HOUR_MS;
}

struct backups {
    char *data_folder; /* fixed after start */
    int hour;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool is_stopping; /* under lock */
};

static int64_t last_night(const char *data_folder)
{
    struct backup *backups = NULL;
    size_t count = 0;
    int64_t made_ms = 0;
    if (backups_list(data_folder, &backups, &count) != OK)
        return 0;
    for (size_t i = 0; i < count && made_ms == 0; i++)
        if (backups[i].kind == BACKUP_NIGHTLY)
            made_ms = backups[i].made_ms;
    mem_free(backups);
    return made_ms;
}

static void look(const struct backups *backups)
{
    struct backup made;
    struct why why = {0};
    struct tm local;
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t) (now_ms / 1000);
    localtime_r(&seconds, &local);
    if (!backups_is_due(last_night(backups->data_folder), now_ms, local.tm_hour, backups->hour))
        return;
    if (backups_make(backups->data_folder, BACKUP_NIGHTLY, now_ms, &made, &why) != OK)
        log_error("backup.failed", log_str("why", why.text));
}

static void *watch(void *arg)
{
    struct backups *backups = arg;
    pthread_mutex_lock(&backups->lock);
    while (!backups->is_stopping) {
        if (cond_wait(&backups->stop, &backups->lock, clock_mono_ms() + LOOK_MS))
            continue;
        pthread_mutex_unlock(&backups->lock);
        look(backups);
        pthread_mutex_lock(&backups->lock);
    }
    pthread_mutex_unlock(&backups->lock);
    return NULL;
}

enum err backups_start(const char *data_folder, int hour, struct backups **out)
{
    struct backups *backups = mem_new(struct backups);
    backups->data_folder = mem_strdup(data_folder);
    backups->hour = hour;
    pthread_mutex_init(&backups->lock, NULL);
    cond_init(&backups->stop);
    *out = backups;
    if (hour < 0)
        return OK;
    if (pthread_create(&backups->thread, NULL, watch, backups) != 0) {
        backups_stop(out);
        return ERR_BUSY;
    }
    pthread_setname_np(backups->thread, "backups");
    backups->has_thread = true;
    return OK;
}

void backups_stop(struct backups **backups)
{
    struct backups *gone = *backups;
    *backups = NULL;
    if (gone == NULL)
        return;
    pthread_mutex_lock(&gone->lock);
    gone->is_stopping = true;
    pthread_cond_signal(&gone->stop);
    pthread_mutex_unlock(&gone->lock);
    if (gone->has_thread)
        pthread_join(gone->thread, NULL);
    pthread_cond_destroy(&gone->stop);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone->data_folder);
    mem_free(gone);
}
