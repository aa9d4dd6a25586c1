/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "library/names.h"

enum { DEPTH_MAX = 32, FILES_MAX = 1000 * 1000, PATH_MAX_BYTES = 4096 };

static bool is_housekeeping(const char *name)
{
    static const char *const NAMES[] = {"@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found",
                                        "System Volume Information"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(name, NAMES[i]) == 0)
            return true;
    return name[0] == '.';
}

static void note_failed(struct walk *walk, const char *path, int number)
{
    mem_grow(walk->failed, walk->failed_count, walk->_failed_room);
    walk->failed[walk->failed_count++] = mem_strdup(path);
    CLEANUP(str_fini) struct str shown = {0};
    str_append_utf8(&shown, path, strlen(path));
    log_warning("library.folder", log_str("folder", str_text(&shown)),
                log_str("why", strerrordesc_np(number)));
}

static void note_file(struct walk *walk, size_t folder, const char *path, const struct stat *info,
                      uint64_t dev)
{
    mem_grow(walk->files, walk->file_count, walk->_room);
    walk->files[walk->file_count++] = (struct found_file){
        .path = mem_strdup(path),
        .folder = folder,
        .size = (uint64_t) info->st_size,
        .mtime_ns = (int64_t) info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec,
        .dev = dev};
    walk->states[folder].files++;
}

struct level {
    struct walk *walk;
    size_t folder;
    int depth;
    struct str path; /* of the folder that is read */
};

static enum err read_folder(struct level *level, int *fd);

static enum err enter(struct level *level, int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        return read_folder(level, &fd);
    if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        note_failed(level->walk, level->path.at, errno);
    return OK;
}

static enum err visit(struct level *level, int parent, const char *name, uint64_t dev)
{
    struct stat info;
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return OK; /* it went meanwhile */
    if (S_ISDIR(info.st_mode) && level->depth < DEPTH_MAX)
        return enter(level, parent, name);
    if (S_ISLNK(info.st_mode) && fstatat(parent, name, &info, 0) != 0)
        return OK;
    if (S_ISREG(info.st_mode) && names_is_media(name))
        note_file(level->walk, level->folder, level->path.at, &info, dev);
    return level->walk->file_count < FILES_MAX ? OK : ERR_LIMIT;
}

static enum err read_entries(struct level *level, DIR *dir, uint64_t dev)
{
    size_t length = level->path.length;
    enum err err = OK;
    struct dirent *entry;
    for (errno = 0; err == OK && (entry = readdir(dir)) != NULL; errno = 0) {
        if (atomic_load(level->walk->is_cancelled))
            return ERR_CANCELLED;
        if (is_housekeeping(entry->d_name) || length + 1 + strlen(entry->d_name) >= PATH_MAX_BYTES)
            continue;
        if (level->path.at[length - 1] != '/')
            str_putc(&level->path, '/');
        str_puts(&level->path, entry->d_name);
        level->depth++;
        err = visit(level, dirfd(dir), entry->d_name, dev);
        level->depth--;
        level->path.at[length] = '\0';
        level->path.length = length;
    }
    if (err == OK && errno != 0)
        note_failed(level->walk, level->path.at, errno);
    return err;
}

static enum err read_folder(struct level *level, int *fd)
{
    struct stat info;
    /* Before it is read: what changes afterwards is told. */
    (void) watch_folder(level->walk->watch, *fd);
    DIR *dir = fstat(*fd, &info) == 0 ? fdopendir(*fd) : NULL;
    if (dir == NULL) {
        note_failed(level->walk, level->path.at, errno);
        fd_close(fd);
        return OK;
    }
    (void) fd_take(fd);
    enum err err = read_entries(level, dir, (uint64_t) info.st_dev);
    closedir(dir);
    return err;
}

static void say_failed(struct library_folder *state, int number)
{
    bool refused = number == EACCES || number == EPERM;
    state->state = refused ? FOLDER_UNREADABLE : FOLDER_OFFLINE;
    snprintf(state->reason, sizeof state->reason, "%s",
             refused ? "the folder may not be read" : strerrordesc_np(number));
}

static enum err walk_root(struct walk *walk, size_t folder)
{
    struct level level = {.walk = walk, .folder = folder};
    const char *path = walk->folders[folder];
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        say_failed(&walk->states[folder], errno);
        note_failed(walk, path, errno);
        return OK;
    }
    str_puts(&level.path, path);
    enum err err = read_folder(&level, &fd);
    str_fini(&level.path);
    return err;
}

enum err walk_run(struct walk *walk)
{
    enum err err = OK;
    walk->states = mem_new_array(struct library_folder, walk->folder_count + 1);
    for (size_t i = 0; i < walk->folder_count && err == OK; i++)
        err = walk_root(walk, i);
    return err;
}

void walk_fini(struct walk *walk)
{
    for (size_t i = 0; i < walk->file_count; i++)
        mem_free(walk->files[i].path);
    for (size_t i = 0; i < walk->failed_count; i++)
        mem_free(walk->failed[i]);
    mem_free(walk->files);
    mem_free(walk->failed);
    mem_free(walk->states);
    *walk = (struct walk){0};
}

bool walk_failed_at(const struct walk *walk, const char *path)
{
    for (size_t i = 0; i < walk->failed_count; i++) {
        size_t length = strlen(walk->failed[i]);
        if (strncmp(path, walk->failed[i], length) == 0 &&
            (path[length] == '/' || path[length - 1] == '/'))
            return true;
    }
    return false;
}
