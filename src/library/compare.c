/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"

struct known_file {
    struct store_file row;
    bool is_seen;      /* its path is there */
    bool is_displaced; /* but with other bytes: its own may have moved */
    bool is_taken;     /* it is settled where it is now */
};

struct fresh_file {
    const struct found_file *file;
    struct known_file *here; /* the row that had this path, or NULL */
    struct source_identity identity;
    bool has_identity, is_placed;
};

struct name_box {
    struct parsed_name parsed;
    struct str shown, reason;
};

/* --- what is known --- */

static void copy_row(struct store_file *to, const struct store_file *from)
{
    *to = *from;
    to->folder = mem_strdup(from->folder);
    to->path = mem_strdup(from->path);
    to->name = NULL;
    to->reason = mem_strdup_or_null(from->reason);
}

static void note_known(void *ctx, const struct store_file *file, enum store_plan_state plan)
{
    struct compare *compare = ctx;
    (void) plan;
    mem_grow(compare->_known, compare->_known_count, compare->_known_room);
    struct known_file *known = &compare->_known[compare->_known_count++];
    *known = (struct known_file){0};
    copy_row(&known->row, file);
}

static int by_path(const void *a, const void *b)
{
    const struct known_file *const *left = a, *const *right = b;
    return strcmp((*left)->row.path, (*right)->row.path);
}

static int by_hash(const void *a, const void *b)
{
    const struct known_file *const *left = a, *const *right = b;
    return memcmp((*left)->row.hash, (*right)->row.hash, 32);
}

static int found_by_path(const void *a, const void *b)
{
    const struct found_file *left = a, *right = b;
    return strcmp(left->path, right->path);
}

static enum err load(struct compare *compare)
{
    enum err err = store_files_each(compare->store, 0, "", note_known, compare);
    if (err != OK)
        return err;
    compare->_by_path = mem_new_array(struct known_file *, compare->_known_count + 1);
    compare->_lost = mem_new_array(struct known_file *, compare->_known_count + 1);
    compare->_fresh = mem_new_array(struct fresh_file, compare->walk->file_count + 1);
    for (size_t i = 0; i < compare->_known_count; i++)
        if (!compare->_known[i].row.is_missing)
            compare->_by_path[compare->_by_path_count++] = &compare->_known[i];
    qsort(compare->_by_path, compare->_by_path_count, sizeof(struct known_file *), by_path);
    if (compare->walk->file_count > 0)
        qsort(compare->walk->files, compare->walk->file_count, sizeof(struct found_file),
              found_by_path);
    return OK;
}

/* --- changes --- */

static struct store_change *new_change(struct compare *compare, enum store_change_kind kind,
                                       const struct store_file *row)
{
    mem_grow(compare->changes, compare->change_count, compare->_change_room);
    struct store_change *change = &compare->changes[compare->change_count++];
    *change = (struct store_change){.kind = kind, .file = *row};
    change->file.missing_ms = compare->now_ms;
    return change;
}

static struct name_box *new_box(struct compare *compare)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(compare->_boxes, compare->_box_count, compare->_box_room);
    return compare->_boxes[compare->_box_count++] = mem_new(struct name_box);
}

static int this_year(int64_t now_ms)
{
    time_t seconds = (time_t) (now_ms / 1000);
    struct tm date;
    return gmtime_r(&seconds, &date) != NULL ? date.tm_year + 1900 : 2100;
}

/* The folder that the file lies in has a say in its name, unless it is the library itself. */
static char *folder_name(const struct found_file *file, const char *root)
{
    const char *end = strrchr(file->path, '/');
    const char *begin = end;
    while (begin > file->path && begin[-1] != '/')
        begin--;
    size_t root_length = strlen(root);
    if ((size_t) (begin - file->path) < root_length)
        return NULL;
    return mem_strndup(begin, (size_t) (end - begin));
}

static struct store_name store_name_of(const struct film_name *parsed)
{
    return (struct store_name){.kind = parsed->year != 0 ? "film" : "other",
                               .title = parsed->title,
                               .year = parsed->year,
                               .sort = parsed->sort,
                               .folded = parsed->folded,
                               .letter = parsed->letter,
                               .match = parsed->match};
}

/* The folder around that one. */
static char *folder_above(const struct found_file *file, const char *root)
{
    CLEANUP(mem_free_at) char *path = mem_strdup(file->path);
    *strrchr(path, '/') = '\0';
    const struct found_file inner = {.path = path};
    return strlen(path) > strlen(root) ? folder_name(&inner, root) : NULL;
}

static void name_episode(struct parsed_name *out)
{
    const struct show_name *episode = &out->episode;
    CLEANUP(str_fini) struct str sort = {0};
    str_printf(&sort, "%s %04d %04d", episode->show.sort, episode->season, episode->number);
    out->sort = str_take(&sort);
    out->show = store_name_of(&episode->show);
    out->show.kind = "show";
    out->name = (struct store_name){.kind = "episode",
                                    .title = episode->title,
                                    .sort = out->sort,
                                    .folded = "",
                                    .letter = episode->show.letter,
                                    .match = episode->match,
                                    .show = &out->show,
                                    .season = episode->season,
                                    .episode = episode->number,
                                    .last_episode = episode->last};
}

void parsed_name_read(const char *file_name, const char *folder, const char *above, int64_t now_ms,
                      struct parsed_name *out)
{
    int year = this_year(now_ms);
    *out = (struct parsed_name){.sort = NULL};
    if (names_show(file_name, folder, above, year, &out->episode)) {
        name_episode(out);
        return;
    }
    names_parse(file_name, folder, year, &out->film);
    out->name = store_name_of(&out->film);
}

const struct film_name *parsed_name_whole(const struct parsed_name *parsed)
{
    return parsed->sort != NULL ? &parsed->episode.show : &parsed->film;
}

void parsed_name_fini(struct parsed_name *parsed)
{
    film_name_fini(&parsed->film);
    show_name_fini(&parsed->episode);
    mem_free(parsed->sort);
    parsed->sort = NULL;
}

static void parse_name(const struct compare *compare, const struct found_file *file,
                       struct name_box *box)
{
    const char *name = strrchr(file->path, '/') + 1;
    const char *root = compare->walk->folders[file->folder];
    CLEANUP(mem_free_at) char *folder = folder_name(file, root);
    CLEANUP(mem_free_at) char *above = folder != NULL ? folder_above(file, root) : NULL;
    str_append_utf8(&box->shown, name, strlen(name));
    parsed_name_read(name, folder, above, compare->now_ms, &box->parsed);
}

static void put_place(const struct compare *compare, struct store_file *row,
                      const struct found_file *file, const struct name_box *box)
{
    row->folder = (char *) compare->walk->folders[file->folder];
    row->path = file->path;
    row->dev = file->dev;
    row->name = box->shown.at;
}

/* A file that is where it was: its title stays. */
static void stays(struct compare *compare, const struct found_file *file,
                  const struct known_file *known)
{
    struct name_box *box = new_box(compare);
    parse_name(compare, file, box);
    struct store_change *change = new_change(compare, STORE_PLACE, &known->row);
    put_place(compare, &change->file, file, box);
    if (known->row.names < STORE_NAMES_VERSION)
        change->name = &box->parsed.name;
}

static void put_identity(struct store_file *row, const struct source_identity *identity)
{
    row->size = identity->size;
    row->mtime_ns = identity->mtime_ns;
    memcpy(row->hash, identity->hash, sizeof row->hash);
    row->has_hash = true;
}

static void has_content(struct compare *compare, const struct store_file *row,
                        const struct source_identity *identity)
{
    struct store_change *change = new_change(compare, STORE_CONTENT, row);
    put_identity(&change->file, identity);
    change->file.changed_ms = compare->now_ms;
}

static void is_refused(struct compare *compare, const struct known_file *known,
                       const struct why *why)
{
    if (known->row.state == STORE_FILE_UNREADABLE && !known->row.has_hash &&
        known->row.reason != NULL && strcmp(known->row.reason, why->text) == 0)
        return;
    struct name_box *box = new_box(compare);
    str_puts(&box->reason, why->text);
    struct store_change *change = new_change(compare, STORE_REFUSE, &known->row);
    change->file.reason = box->reason.at;
}

char *compare_resolve(const char *path)
{
    struct stat info;
    char *real = NULL;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode))
        real = realpath(path, NULL);
    char *resolved = mem_strdup(real != NULL ? real : path);
    free(real);
    return resolved;
}

enum err compare_identify(const char *path, struct source_identity *out, char **resolved,
                          struct why *why)
{
    CLEANUP(mem_free_at) char *real = compare_resolve(path);
    struct source *source = NULL;
    enum err err = source_open_local(real, &source, why);
    if (err != OK)
        return err;
    *out = *source_identity(source);
    source_unref(&source);
    if (resolved != NULL) {
        *resolved = real;
        real = NULL;
    }
    return OK;
}

/* A file that is still there tells that its file system has another number now. */
static void note_renumbered(struct compare *compare, uint64_t from, uint64_t to)
{
    size_t i = 0;
    while (i < compare->_renumbered_count &&
           (compare->_renumbered[i].from != from || compare->_renumbered[i].to != to))
        i++;
    if (i < sizeof compare->_renumbered / sizeof compare->_renumbered[0] && from != to) {
        compare->_renumbered[i] = (struct renumbered){from, to};
        compare->_renumbered_count =
            i == compare->_renumbered_count ? i + 1 : compare->_renumbered_count;
    }
}

static void stays_if_changed(struct compare *compare, const struct found_file *file,
                             const struct known_file *known)
{
    if (known->row.names < STORE_NAMES_VERSION || known->row.is_offline ||
        known->row.dev != file->dev ||
        strcmp(known->row.folder, compare->walk->folders[file->folder]) != 0)
        stays(compare, file, known);
}

static void compare_one(struct compare *compare, const struct found_file *file,
                        struct known_file *known)
{
    const struct store_file *row = &known->row;
    bool same = row->has_hash && row->size == file->size && row->mtime_ns == file->mtime_ns;
    struct source_identity identity;
    struct why why = {0};
    known->is_seen = true;
    note_renumbered(compare, row->dev, file->dev);
    enum err err = same ? OK : compare_identify(file->path, &identity, NULL, &why);
    if (err == OK && !same && row->has_hash && memcmp(row->hash, identity.hash, 32) != 0) {
        known->is_displaced = true;
        compare->_fresh[compare->_fresh_count++] =
            (struct fresh_file){file, known, identity, true, false};
        return;
    }
    stays_if_changed(compare, file, known);
    if (err == OK && !same)
        has_content(compare, row, &identity);
    else if (err != OK && err != ERR_NOT_FOUND)
        is_refused(compare, known, &why);
}

/* Both lists are sorted by path. Folders may lie in one another: a path found twice counts once. */
static enum err merge(struct compare *compare)
{
    const struct walk *walk = compare->walk;
    size_t at = 0;
    for (size_t i = 0; i < walk->file_count; i++) {
        const struct found_file *file = &walk->files[i];
        if (atomic_load(compare->is_cancelled))
            return ERR_CANCELLED;
        if (i > 0 && strcmp(file->path, walk->files[i - 1].path) == 0)
            continue;
        while (at < compare->_by_path_count &&
               strcmp(compare->_by_path[at]->row.path, file->path) < 0)
            at++;
        if (at < compare->_by_path_count &&
            strcmp(compare->_by_path[at]->row.path, file->path) == 0)
            compare_one(compare, file, compare->_by_path[at]);
        else
            compare->_fresh[compare->_fresh_count++] = (struct fresh_file){.file = file};
    }
    return OK;
}

/* --- what is not where it was --- */

/* The device of the nearest folder above that is there. False: none could be looked at. */
static bool nearest_dev(const char *path, uint64_t *out)
{
    CLEANUP(mem_free_at) char *folder = mem_strdup(path);
    char *slash;
    while ((slash = strrchr(folder, '/')) != NULL) {
        struct stat info;
        *slash = '\0';
        if (stat(folder[0] != '\0' ? folder : "/", &info) == 0) {
            *out = (uint64_t) info.st_dev;
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR)
            return false;
    }
    return false;
}

static bool is_renumbered(const struct compare *compare, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < compare->_renumbered_count; i++)
        if (compare->_renumbered[i].from == from && compare->_renumbered[i].to == to)
            return true;
    return false;
}

static bool is_configured(const struct compare *compare, const char *folder)
{
    for (size_t i = 0; i < compare->walk->folder_count; i++)
        if (strcmp(compare->walk->folders[i], folder) == 0)
            return true;
    return false;
}

/* A mount that vanishes leaves an empty folder of another device behind (decision 30). */
static bool is_disk_away(const struct compare *compare, const struct store_file *row)
{
    uint64_t dev = 0;
    if (!is_configured(compare, row->folder))
        return false;
    if (walk_failed_at(compare->walk, row->path) || !nearest_dev(row->path, &dev))
        return true;
    return dev != row->dev && !is_renumbered(compare, row->dev, dev);
}

static void sort_out_unseen(struct compare *compare)
{
    for (size_t i = 0; i < compare->_known_count; i++) {
        struct known_file *known = &compare->_known[i];
        if (known->is_seen && !known->is_displaced)
            continue;
        if (!known->is_seen && !known->row.is_missing && is_disk_away(compare, &known->row)) {
            known->is_taken = true; /* no other path may be it */
            if (!known->row.is_offline)
                new_change(compare, STORE_OFFLINE, &known->row);
        } else if (known->row.has_hash) {
            compare->_lost[compare->_lost_count++] = known;
        }
    }
    qsort(compare->_lost, compare->_lost_count, sizeof(struct known_file *), by_hash);
}

/* The lost row with these bytes, one with the same time before others; or NULL. */
static struct known_file *find_lost(struct compare *compare, const struct source_identity *identity)
{
    struct known_file *found = NULL;
    size_t low = 0, high = compare->_lost_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(compare->_lost[middle]->row.hash, identity->hash, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < compare->_lost_count; low++) {
        struct known_file *lost = compare->_lost[low];
        if (memcmp(lost->row.hash, identity->hash, 32) != 0)
            break;
        if (lost->is_taken || lost->row.size != identity->size)
            continue;
        if (found == NULL || lost->row.mtime_ns == identity->mtime_ns)
            found = lost;
    }
    return found;
}

static void moved(struct compare *compare, const struct found_file *file, struct known_file *known,
                  const struct source_identity *identity)
{
    struct name_box *box = new_box(compare);
    parse_name(compare, file, box);
    known->is_taken = true;
    struct store_change *change = new_change(compare, STORE_PLACE, &known->row);
    put_place(compare, &change->file, file, box);
    change->name = &box->parsed.name;
    if (known->row.mtime_ns != identity->mtime_ns)
        has_content(compare, &known->row, identity);
}

static void appeared(struct compare *compare, const struct found_file *file,
                     const struct source_identity *identity, const struct why *refused)
{
    struct name_box *box = new_box(compare);
    struct store_file row = {.state = STORE_FILE_WAITING,
                             .size = file->size,
                             .mtime_ns = file->mtime_ns,
                             .duration_ms = -1,
                             .added_ms = compare->now_ms,
                             .changed_ms = compare->now_ms};
    parse_name(compare, file, box);
    store_new_id(row.id);
    put_place(compare, &row, file, box);
    if (identity != NULL) {
        put_identity(&row, identity);
    } else {
        row.state = STORE_FILE_UNREADABLE;
        str_puts(&box->reason, refused->text);
        row.reason = box->reason.at;
    }
    new_change(compare, STORE_ADD, &row)->name = &box->parsed.name;
}

/* Where the bytes stood elsewhere before, the file has moved, whatever stood at its new path. */
static enum err place_moved(struct compare *compare)
{
    for (size_t i = 0; i < compare->_fresh_count; i++) {
        struct fresh_file *fresh = &compare->_fresh[i];
        if (atomic_load(compare->is_cancelled))
            return ERR_CANCELLED;
        if (!fresh->has_identity)
            fresh->has_identity =
                compare_identify(fresh->file->path, &fresh->identity, NULL, NULL) == OK;
        struct known_file *lost = fresh->has_identity ? find_lost(compare, &fresh->identity) : NULL;
        if (lost == NULL)
            continue;
        moved(compare, fresh->file, lost, &fresh->identity);
        fresh->is_placed = true;
    }
    return OK;
}

static void place_unreadable(struct compare *compare, const struct fresh_file *fresh)
{
    struct source_identity identity;
    struct why why = {0};
    enum err err = compare_identify(fresh->file->path, &identity, NULL, &why);
    if (err != OK && err != ERR_NOT_FOUND)
        appeared(compare, fresh->file, NULL, &why);
}

/* All others: a row keeps its path with new bytes, or there is a new row. */
static void place_fresh(struct compare *compare)
{
    for (size_t i = 0; i < compare->_fresh_count; i++) {
        struct fresh_file *fresh = &compare->_fresh[i];
        if (fresh->is_placed)
            continue;
        if (!fresh->has_identity) {
            place_unreadable(compare, fresh);
        } else if (fresh->here != NULL && !fresh->here->is_taken) {
            fresh->here->is_taken = true;
            stays_if_changed(compare, fresh->file, fresh->here);
            has_content(compare, &fresh->here->row, &fresh->identity);
        } else {
            appeared(compare, fresh->file, &fresh->identity, NULL);
        }
    }
}

static void drop_lost(struct compare *compare)
{
    for (size_t i = 0; i < compare->_known_count; i++) {
        struct known_file *known = &compare->_known[i];
        bool is_gone = !known->is_seen || known->is_displaced;
        if (is_gone && !known->is_taken && !known->row.is_missing)
            new_change(compare, STORE_MISSING, &known->row);
    }
}

enum err compare_run(struct compare *compare)
{
    enum err err = load(compare);
    if (err == OK)
        err = merge(compare);
    if (err != OK)
        return err;
    sort_out_unseen(compare);
    err = place_moved(compare);
    if (err != OK)
        return err;
    place_fresh(compare);
    drop_lost(compare);
    return OK;
}

void compare_fini(struct compare *compare)
{
    for (size_t i = 0; i < compare->_known_count; i++)
        store_file_fini(&compare->_known[i].row);
    for (size_t i = 0; i < compare->_box_count; i++) {
        parsed_name_fini(&compare->_boxes[i]->parsed);
        str_fini(&compare->_boxes[i]->shown);
        str_fini(&compare->_boxes[i]->reason);
        mem_free(compare->_boxes[i]);
    }
    mem_free(compare->_boxes);
    mem_free(compare->_known);
    mem_free(compare->_by_path);
    mem_free(compare->_lost);
    mem_free(compare->_fresh);
    mem_free(compare->changes);
    *compare = (struct compare){0};
}
