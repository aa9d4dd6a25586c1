/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* A page is a few hundred kilobytes; these only stop a folder that was given by mistake. */
enum { FILES_MOST = 2000, DEPTH_MOST = 6 };
#define FILE_BYTES_MOST ((off_t) 8 << 20)
#define PAGE_BYTES_MOST ((size_t) 48 << 20)

struct page {
    _Atomic unsigned count;
    struct page_file *files; /* by path */
    size_t file_count, room;
    size_t bytes;
    const struct page_file *index;
};

static const struct {
    const char *extension, *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static const char *type_of(const char *path)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (ends_with(path, TYPES[i].extension))
            return TYPES[i].type;
    return "application/octet-stream";
}

/* --- walking the folder --- */

/* Called for each regular file; false ends the walk. `path` begins with "/". */
typedef bool visit_fn(void *ctx, int folder, const char *name, const char *path,
                      const struct stat *info);

static bool walk(int folder, const char *path, unsigned depth, visit_fn *visit, void *ctx);

static bool walk_entry(int folder, const char *path, const char *name, unsigned depth,
                       visit_fn *visit, void *ctx)
{
    struct stat info;
    char below[512];
    if (name[0] == '.' || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    if (snprintf(below, sizeof below, "%s/%s", path, name) >= (int) sizeof below)
        return true;
    if (S_ISREG(info.st_mode))
        return visit(ctx, folder, name, below, &info);
    if (!S_ISDIR(info.st_mode) || depth == 0)
        return true;
    int child = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return child < 0 || walk(child, below, depth - 1, visit, ctx);
}

/* Takes `folder`. */
static bool walk(int folder, const char *path, unsigned depth, visit_fn *visit, void *ctx)
{
    DIR *entries = fdopendir(folder);
    if (entries == NULL) {
        fd_close(&folder);
        return true;
    }
    bool goes_on = true;
    struct dirent *entry;
    while (goes_on && (entry = readdir(entries)) != NULL)
        goes_on = walk_entry(dirfd(entries), path, entry->d_name, depth, visit, ctx);
    closedir(entries);
    return goes_on;
}

static enum err walk_page(const char *folder, visit_fn *visit, void *ctx)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    return walk(fd, "", DEPTH_MOST, visit, ctx) ? OK : ERR_LIMIT;
}

static bool add_to_stamp(void *ctx, int folder UNUSED, const char *name UNUSED, const char *path,
                         const struct stat *info)
{
    uint64_t *stamp = ctx, one = 14695981039346656037u; /* FNV-1a */
    for (const char *at = path; *at != '\0'; at++)
        one = (one ^ (unsigned char) *at) * 1099511628211u;
    one ^= (uint64_t) info->st_mtim.tv_sec * 1000000007u + (uint64_t) info->st_mtim.tv_nsec;
    one = (one ^ (uint64_t) info->st_size) * 1099511628211u;
    *stamp += one; /* a sum, as folders are not listed in order */
    return true;
}

uint64_t page_stamp(const char *folder)
{
    uint64_t stamp = 0;
    if (walk_page(folder, add_to_stamp, &stamp) != OK)
        return 0;
    return stamp;
}

/* --- reading --- */

static struct page_file *file_at(struct page *page, const char *path)
{
    for (size_t i = 0; i < page->file_count; i++)
        if (strcmp(page->files[i].path, path) == 0)
            return &page->files[i];
    mem_grow(page->files, page->file_count, page->room);
    struct page_file *file = &page->files[page->file_count++];
    *file = (struct page_file){.path = mem_strdup(path), .type = type_of(path)};
    file->is_html = ends_with(path, ".html");
    file->is_hashed = strncmp(path, "/assets/", 8) == 0;
    return file;
}

static bool read_form(int folder, const char *name, const struct stat *info, struct page_form *form)
{
    CLEANUP(fd_close) int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t got;
    if (fd < 0 || form->bytes != NULL)
        return false;
    size_t size = (size_t) info->st_size;
    void *bytes = mem_zalloc(size + 1);
    if (fd_read_at(fd, bytes, size, 0, &got) != OK || got != size) {
        mem_free(bytes);
        return false;
    }
    form->bytes = bytes;
    form->size = size;
    return true;
}

static bool add_file(void *ctx, int folder, const char *name, const char *path,
                     const struct stat *info)
{
    struct page *page = ctx;
    if (info->st_size > FILE_BYTES_MOST || page->file_count >= FILES_MOST)
        return info->st_size > FILE_BYTES_MOST;
    page->bytes += (size_t) info->st_size;
    if (page->bytes > PAGE_BYTES_MOST)
        return false;
    CLEANUP(mem_free_at) char *plain = mem_strdup(path);
    enum page_coding coding = CODING_PLAIN;
    if (ends_with(path, ".gz"))
        coding = CODING_GZIP;
    else if (ends_with(path, ".br"))
        coding = CODING_BROTLI;
    if (coding != CODING_PLAIN)
        plain[strlen(plain) - 3] = '\0';
    (void) read_form(folder, name, info, &file_at(page, plain)->forms[coding]);
    return true;
}

/* Writes `base_path` into ="/..., the links of a built index.html; its packed forms would differ
 * and are dropped. (A <base> element is refused by our own Content-Security-Policy.) */
static void rebase(struct page_file *file, const char *base_path)
{
    struct page_form *plain = &file->forms[CODING_PLAIN];
    struct str out;
    str_init(&out);
    const char *text = plain->bytes, *from = text, *link;
    while ((link = strstr(from, "=\"/")) != NULL) {
        str_append(&out, from, (size_t) (link - from) + 2);
        if (link[3] != '/')
            str_puts(&out, base_path);
        from = link + 2;
    }
    str_puts(&out, from);
    plain->size = out.length;
    mem_free(plain->bytes);
    plain->bytes = str_take(&out);
    for (int i = CODING_GZIP; i < CODING_COUNT; i++) {
        mem_free(file->forms[i].bytes);
        file->forms[i].bytes = NULL;
    }
}

static int compare_files(const void *left, const void *right)
{
    const struct page_file *a = left, *b = right;
    return strcmp(a->path, b->path);
}

static void finish(struct page *page, const char *base_path)
{
    static const char *const SUFFIXES[CODING_COUNT] = {"", "-gz", "-br"};
    qsort(page->files, page->file_count, sizeof page->files[0], compare_files);
    for (size_t i = 0; i < page->file_count; i++) {
        struct page_file *file = &page->files[i];
        if (file->is_html && base_path[0] != '\0' && file->forms[CODING_PLAIN].bytes != NULL)
            rebase(file, base_path);
        for (int j = 0; j < CODING_COUNT; j++)
            if (file->forms[j].bytes != NULL)
                etag_make(file->forms[j].bytes, file->forms[j].size, SUFFIXES[j],
                          file->forms[j].etag);
    }
    page->index = page_find(page, SLICE("/index.html"));
}

enum err page_read(const char *folder, const char *base_path, struct page **out, struct why *why)
{
    struct page *page = mem_new(struct page);
    page->count = 1;
    enum err err = walk_page(folder, add_file, page);
    if (err == OK && page->file_count > 0)
        finish(page, base_path);
    if (err == OK && page->index == NULL)
        err = ERR_NOT_FOUND;
    if (err == OK) {
        *out = page;
        return OK;
    }
    page_unref(&page);
    if (err == ERR_LIMIT)
        return why_set(why, err, "http.page", "%s is too large for a page", folder);
    return why_set(why, err, "http.page", "there is no index.html in %s: was the page built?",
                   folder);
}

struct page *page_ref(struct page *page)
{
    if (page != NULL)
        atomic_fetch_add_explicit(&page->count, 1, memory_order_relaxed);
    return page;
}

void page_unref(struct page **page)
{
    struct page *gone = *page;
    *page = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->count, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < gone->file_count; i++) {
        mem_free(gone->files[i].path);
        for (int j = 0; j < CODING_COUNT; j++)
            mem_free(gone->files[i].forms[j].bytes);
    }
    mem_free(gone->files);
    mem_free(gone);
}

const struct page_file *page_find(const struct page *page, struct slice path)
{
    size_t low = 0, high = page->file_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct page_file *file = &page->files[middle];
        size_t length = strlen(file->path);
        size_t common = length < path.length ? length : path.length;
        int order = memcmp(path.at, file->path, common);
        if (order == 0)
            order = path.length < length ? -1 : path.length > length;
        if (order == 0)
            return file->forms[CODING_PLAIN].bytes != NULL ? file : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct page_file *page_index(const struct page *page)
{
    return page->index;
}
