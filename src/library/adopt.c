/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file from elsewhere gets a place among the films. Its row is made first, as that of a file that is
 * missing: when a walk finds the file, by its size, time and hash, it is known, and keeps its id. */
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
#include "library/compare.h"
#include "library/library_inside.h"
#include "library/names.h"

enum { NAME_BYTES = 200, NAMES_TRIED = 9 };

/* As one step of a path: no slashes, nothing hidden, not too long. */
static char *step_of(const char *text)
{
    struct str step = {0};
    str_append_utf8(&step, text, strlen(text));
    for (size_t i = 0; i < step.length; i++)
        if (step.at[i] == '/' || (unsigned char) step.at[i] < 0x20 || step.at[i] == 0x7f)
            step.at[i] = ' ';
    size_t begin = strspn(str_text(&step), ". ");
    size_t length = step.length - begin < NAME_BYTES ? step.length - begin : NAME_BYTES;
    while (length > 0 && (step.at[begin + length] & 0xc0) == 0x80)
        length--; /* whole characters */
    while (length > 0 && step.at[begin + length - 1] == ' ')
        length--;
    char *out = mem_strndup(str_text(&step) + begin, length);
    str_fini(&step);
    return out;
}

/* The first folder that can be written in. */
static const char *find_folder(const struct library *library)
{
    for (size_t i = 0; i < library->folder_count; i++)
        if (access(library->folders[i], W_OK | X_OK) == 0)
            return library->folders[i];
    return NULL;
}

static char *make_folder(const char *root, const struct film_name *name)
{
    struct str words = {0};
    str_puts(&words, name->title);
    if (name->year != 0)
        str_printf(&words, " (%d)", name->year);
    CLEANUP(mem_free_at) char *step = step_of(words.at);
    str_fini(&words);
    struct str path = {0};
    str_printf(&path, "%s/%s", root, step[0] != '\0' ? step : "Film");
    if (mkdir(path.at, 0755) != 0 && errno != EEXIST)
        str_clear(&path);
    return str_take(&path);
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

static enum err copy_bytes(int from, int to)
{
    for (;;) {
        ssize_t step = copy_file_range(from, NULL, to, NULL, 64 * 1024 * 1024, 0);
        if (step == 0)
            return OK;
        if (step < 0 && errno != EINTR)
            return errno == ENOSPC ? ERR_LIMIT : ERR_IO;
    }
}

/* With its time, by which it is known again. */
static enum err copy(const char *from, const char *to)
{
    struct stat status;
    CLEANUP(fd_close) int source = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(fd_close)
    int target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (source < 0 || target < 0 || fstat(source, &status) != 0)
        return errno == ENOSPC ? ERR_LIMIT : ERR_IO;
    enum err kind = copy_bytes(source, target);
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    if (kind == OK && (futimens(target, times) != 0 || fsync(target) != 0))
        kind = errno == ENOSPC ? ERR_LIMIT : ERR_IO;
    return kind;
}

/* Under a hidden name first, which no walk sees. */
static enum err place(const char *from, const char *hidden, const char *path)
{
    unlink(hidden);
    enum err kind = link(from, hidden) == 0 ? OK : copy(from, hidden);
    if (kind == OK && renameat2(AT_FDCWD, hidden, AT_FDCWD, path, RENAME_NOREPLACE) != 0)
        kind = errno == EEXIST ? ERR_BUSY : ERR_IO;
    if (kind != OK)
        unlink(hidden);
    return kind;
}

/* `folder/name`, or another one like it that is free. */
static char *free_path(const char *folder, const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t stem = dot != NULL ? (size_t) (dot - name) : strlen(name);
    for (int i = 1; i <= NAMES_TRIED; i++) {
        struct str path = {0};
        if (i == 1)
            str_printf(&path, "%s/%s", folder, name);
        else
            str_printf(&path, "%s/%.*s (%d)%s", folder, (int) stem, name, i, name + stem);
        if (access(path.at, F_OK) != 0)
            return str_take(&path);
        str_fini(&path);
    }
    return NULL;
}

static enum err adopt(struct library *library, const struct library_adoption *adoption,
                      const char *root, const struct parsed_name *parsed, struct why *why)
{
    struct source_identity identity;
    CLEANUP(mem_free_at) char *folder = make_folder(root, parsed_name_whole(parsed));
    CLEANUP(mem_free_at) char *name = step_of(adoption->name);
    if (folder[0] == '\0')
        return why_set(why, ERR_IO, NULL, "no folder can be made in %s", root);
    CLEANUP(mem_free_at) char *path = free_path(folder, name[0] != '\0' ? name : adoption->id);
    if (path == NULL)
        return why_set(why, ERR_BUSY, NULL, "files of its name are in %s already", folder);
    enum err kind = compare_identify(adoption->from, &identity, NULL, why);
    if (kind == OK)
        kind = expect(library, adoption, root, path, parsed, &identity);
    struct str hidden = {0};
    str_printf(&hidden, "%s/.matinee-%s", folder, adoption->id);
    if (kind == OK)
        kind = place(adoption->from, hidden.at, path);
    str_fini(&hidden);
    if (kind == OK)
        log_info("library.adopted", log_str("file", adoption->id), log_str("path", path));
    else if (why->text[0] == '\0')
        why_set(why, kind, NULL, "%s cannot be written: %s", path, err_text(kind));
    return kind;
}

enum err library_adopt(struct library *library, const struct library_adoption *adoption,
                       struct why *why)
{
    struct why unheard = {0};
    struct store_file row = {0};
    struct parsed_name parsed;
    const char *root = find_folder(library);
    if (store_file_find(library->store, adoption->id, &row) == OK) {
        store_file_fini(&row);
        return OK;
    }
    if (root == NULL)
        return why_set(why, ERR_REFUSED, NULL, "no folder of the library can be written in");
    parsed_name_read(adoption->name, NULL, NULL, clock_wall_ms(), &parsed);
    enum err kind = adopt(library, adoption, root, &parsed, why != NULL ? why : &unheard);
    parsed_name_fini(&parsed);
    if (kind == OK)
        library_scan_start(library);
    return kind;
}
