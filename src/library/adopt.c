/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file from elsewhere gets a place among the films. Its row is made first, as that of a file that is
 * missing: when a walk finds the file, by its size, time and hash, it is known, and keeps its id. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "library/compare.h"
#include "library/library_inside.h"
#include "library/names.h"

enum { NAME_BYTES = 200, NAMES_TRIED = 9 };

/* As one step of a path, on any file system: no slashes, nothing hidden, none of what FAT and NTFS do not take,
 * not too long. */
static char *step_of(const char *text)
{
    CLEANUP(str_fini) struct str clean = {0}, step = {0};
    str_append_utf8(&clean, text, strlen(text));
    for (const char *at = str_text(&clean); *at != '\0'; at++) {
        bool is_blank = *at == '/' || *at == '\\' || (unsigned char) *at < 0x20 || *at == 0x7f;
        if (strchr(":*?\"<>|", *at) == NULL)
            str_putc(&step, is_blank ? ' ' : *at);
    }
    size_t begin = strspn(str_text(&step), ". ");
    size_t length = step.length - begin < NAME_BYTES ? step.length - begin : NAME_BYTES;
    while (length > 0 && (str_text(&step)[begin + length] & 0xc0) == 0x80)
        length--; /* whole characters */
    while (length > 0 && str_text(&step)[begin + length - 1] == ' ')
        length--;
    return mem_strndup(str_text(&step) + begin, length);
}

static char *folder_of(const char *root, const struct film_name *name)
{
    CLEANUP(str_fini) struct str words = {0};
    str_puts(&words, name->title);
    if (name->year != 0)
        str_printf(&words, " (%d)", name->year);
    CLEANUP(mem_free_at) char *step = step_of(str_text(&words));
    struct str path = {0};
    str_printf(&path, "%s/%s", root, step[0] != '\0' ? step : "Film");
    return str_take(&path);
}

/* Whether the same bytes lie there: placed before, and no walk has seen it yet. */
static bool is_there(const char *from, const char *path)
{
    struct source_identity here, there;
    return compare_identify(from, &here, NULL, NULL) == OK &&
           compare_identify(path, &there, NULL, NULL) == OK && here.size == there.size &&
           memcmp(here.hash, there.hash, sizeof here.hash) == 0;
}

/* `folder/name`, or another one like it that is free, or has the film's bytes; NULL: all are taken. */
static char *find_path(const char *folder, const struct library_adoption *adoption, bool *is_done)
{
    const char *dot = strrchr(adoption->name, '.');
    size_t length = dot != NULL ? (size_t) (dot - adoption->name) : strlen(adoption->name);
    CLEANUP(mem_free_at) char *name = mem_strndup(adoption->name, length);
    CLEANUP(mem_free_at) char *stem = step_of(name);
    const char *begin = stem[0] != '\0' ? stem : adoption->id, *end = adoption->name + length;
    for (int i = 1; i <= NAMES_TRIED; i++) {
        struct str path = {0};
        if (i == 1)
            str_printf(&path, "%s/%s%s", folder, begin, end);
        else
            str_printf(&path, "%s/%s (%d)%s", folder, begin, i, end);
        bool is_free = access(path.at, F_OK) != 0;
        *is_done = !is_free && is_there(adoption->from, path.at);
        if (is_free || *is_done)
            return str_take(&path);
        str_fini(&path);
    }
    return NULL;
}

/* --- the row --- */

static enum err expect(struct library *library, const struct library_adoption *adoption,
                       const char *folder, const char *path, const struct parsed_name *parsed,
                       const struct source_identity *identity)
{
    int64_t now = clock_wall_ms();
    struct store_file row = {.folder = (char *) (uintptr_t) folder,
                             .path = (char *) (uintptr_t) path,
                             .name = strrchr(path, '/') + 1,
                             .size = identity->size,
                             .mtime_ns = identity->mtime_ns,
                             .has_hash = true,
                             .state = STORE_FILE_WAITING,
                             .duration_ms = -1,
                             .added_ms = now,
                             .changed_ms = now,
                             .missing_ms = now};
    memcpy(row.id, adoption->id, strlen(adoption->id) + 1);
    memcpy(row.hash, identity->hash, sizeof row.hash);
    struct store_change changes[] = {{.kind = STORE_ADD, .file = row, .name = &parsed->name},
                                     {.kind = STORE_MISSING, .file = row}};
    enum err kind = store_files_change(library->store, changes, 2);
    return kind == ERR_BUSY ? OK : kind; /* it is expected already */
}

/* --- the file --- */

/* Where it is to lie. */
struct place {
    const char *root;
    char *folder, *path;
    char *hidden; /* where no walk sees it, and no watch tells of it, until it is whole */
    bool is_done; /* it lies there */
};

static void place_fini(struct place *place)
{
    mem_free(place->folder);
    mem_free(place->path);
    mem_free(place->hidden);
}

static bool has_room(const char *folder, uint64_t size)
{
    struct statvfs disk;
    return statvfs(folder, &disk) != 0 || (uint64_t) disk.f_bavail * disk.f_frsize > size;
}

/* Nothing is seen of it but by who asks: no walk begins. */
static bool can_link(const char *from, const char *root, const char *id)
{
    CLEANUP(str_fini) struct str probe = {0};
    str_printf(&probe, "%s/.matinee-%s", root, id);
    unlink(probe.at);
    return link(from, probe.at) == 0 && unlink(probe.at) == 0;
}

/* Finds out whether it can lie below `root`, and leaves everything as it is. REFUSED, BUSY, LIMIT. */
static enum err find_place(const struct library_adoption *adoption,
                           const struct parsed_name *parsed, const char *root, struct place *out,
                           struct why *why)
{
    struct stat film;
    CLEANUP(str_fini) struct str hidden = {0};
    *out = (struct place){.root = root, .folder = folder_of(root, parsed_name_whole(parsed))};
    bool is_new = access(out->folder, F_OK) != 0;
    if (access(is_new ? root : out->folder, W_OK | X_OK) != 0)
        return why_set(why, ERR_REFUSED, NULL, "no folder of the library can be written in");
    str_printf(&hidden, "%s/.matinee-%s", out->folder, adoption->id);
    out->hidden = str_take(&hidden);
    unlink(out->hidden); /* left by a server that was killed */
    out->path = find_path(out->folder, adoption, &out->is_done);
    if (out->is_done)
        return OK;
    if (out->path == NULL)
        return why_set(why, ERR_BUSY, NULL, "files of its name are there already");
    if (stat(adoption->from, &film) != 0)
        return why_set(why, ERR_IO, NULL, "it cannot be read: %s", strerrordesc_np(errno));
    if (!can_link(adoption->from, root, adoption->id) && !has_room(root, (uint64_t) film.st_size))
        return why_set(why, ERR_LIMIT, NULL, "there is no room for its %" PRIu64 " MB",
                       (uint64_t) film.st_size / 1000000);
    return OK;
}

/* With its time, where that can be kept. IO: errno says why; CANCELLED. */
static enum err copy(const struct library *library, const char *from, const char *to)
{
    struct stat status;
    CLEANUP(fd_close) int source = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(fd_close)
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (source < 0 || target < 0 || fstat(source, &status) != 0)
        return ERR_IO;
    enum err kind = fd_copy(source, target, &library->is_over);
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    if (kind == OK) {
        (void) !futimens(target, times); /* a share may know of no owner who may */
        return OK;
    }
    int number = errno;
    (void) !ftruncate(target,
                      0); /* else a disk of the network writes it all the same, and we wait */
    errno = number;
    return kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_IO;
}

/* Its row is that of what lies there: not every file system keeps a time as it was. On the disk before anybody
 * hears of it: what is somewhere else may be deleted then. */
static enum err settle(struct library *library, const struct library_adoption *adoption,
                       const struct place *place, const struct parsed_name *parsed)
{
    struct source_identity identity;
    enum err kind = compare_identify(place->hidden, &identity, NULL, NULL);
    if (kind == OK)
        kind = expect(library, adoption, place->root, place->path, parsed, &identity);
    errno = 0;
    if (kind == OK)
        kind = fd_sync_path(place->hidden);
    if (kind == OK)
        kind = fd_rename_new(place->hidden, AT_FDCWD, place->path);
    if (kind == OK && (fd_sync_path(place->folder) != OK || fd_sync_path(place->root) != OK)) {
        unlink(place->path);
        kind = ERR_IO;
    }
    return kind == OK ? OK : ERR_IO;
}

/* IO, CANCELLED. */
static enum err fill_place(struct library *library, const struct library_adoption *adoption,
                           const struct place *place, const struct parsed_name *parsed,
                           struct why *why)
{
    bool is_ours = mkdir(place->folder, 0755) == 0;
    enum err kind = is_ours || errno == EEXIST ? OK : ERR_IO;
    if (kind == OK && link(adoption->from, place->hidden) != 0)
        kind = copy(library, adoption->from, place->hidden);
    if (kind == OK)
        kind = settle(library, adoption, place, parsed);
    if (kind == OK)
        return OK;
    why_set(why, kind, NULL, "it cannot be put there: %s",
            kind == ERR_CANCELLED || errno == 0 ? err_text(kind) : strerrordesc_np(errno));
    unlink(place->hidden);
    if (is_ours)
        (void) !rmdir(place->folder);
    return kind;
}

static enum err adopt(struct library *library, const struct library_adoption *adoption,
                      struct why *why)
{
    struct parsed_name parsed;
    enum err kind = why_set(why, ERR_REFUSED, NULL, "no folder of the library can be written in");
    parsed_name_read(adoption->name, NULL, NULL, clock_wall_ms(), &parsed);
    for (size_t i = 0; i < library->folder_count; i++) {
        struct place place;
        struct why said = {0};
        enum err found = find_place(adoption, &parsed, library->folders[i], &place, &said);
        bool is_found = found == OK;
        if (is_found && !place.is_done)
            found = fill_place(library, adoption, &place, &parsed, &said);
        if (found != ERR_REFUSED) { /* that says least */
            kind = found;
            *why = said;
        }
        if (kind == OK)
            log_info("library.adopted", log_str("file", adoption->id), log_str("path", place.path));
        place_fini(&place);
        if (is_found)
            break;
    }
    parsed_name_fini(&parsed);
    return kind;
}

enum err library_adopt(struct library *library, const struct library_adoption *adoption,
                       struct why *why)
{
    struct why said = {0};
    struct store_file row = {0};
    if (store_file_find(library->store, adoption->id, &row) == OK) {
        store_file_fini(&row);
        return OK;
    }
    enum err kind = adopt(library, adoption, &said);
    if (kind == OK)
        library_scan_start(library);
    else if (why != NULL)
        *why = said;
    return kind;
}
