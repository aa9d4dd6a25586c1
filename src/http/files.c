/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/files.h"

#include <string.h>

#include "http/guard.h"
#include "http/reply.h"

static void say_not_found(struct request *request, const char *text)
{
    struct why why;
    reply_problem(request, 404, why_set(&why, ERR_NOT_FOUND, NULL, "%s", text), &why);
}

static bool has_extension(const struct path *path)
{
    struct slice last = path->segments[path->count - 1];
    return last.length > 0 && memchr(last.at, '.', last.length) != NULL;
}

/* The file at `path`; index.html for what has no extension; NULL: nothing. */
static const struct page_file *choose_file(const struct page *page, const struct path *path)
{
    const struct page_file *file = page_find(page, path->all);
    if (file != NULL)
        return file;
    bool is_asset = slice_is(path->segments[0], "assets");
    return is_asset || has_extension(path) ? NULL : page_index(page);
}

/* The smallest form that the client takes. A range is of the plain bytes, as players of media and
 * resumed downloads expect. */
static enum page_coding choose_coding(const struct request *request, const struct page_file *file)
{
    struct slice accepted = request_header(request, "accept-encoding");
    if (request_header(request, "range").at != NULL)
        return CODING_PLAIN;
    if (file->forms[CODING_BROTLI].bytes != NULL && encoding_is_accepted(accepted, "br"))
        return CODING_BROTLI;
    if (file->forms[CODING_GZIP].bytes != NULL && encoding_is_accepted(accepted, "gzip"))
        return CODING_GZIP;
    return CODING_PLAIN;
}

static void send_file(struct request *request, const struct page_file *file)
{
    static const char *const NAMES[CODING_COUNT] = {NULL, "gzip", "br"};
    enum page_coding coding = choose_coding(request, file);
    const struct page_form *form = &file->forms[coding];
    reply_header(request, "cache-control",
                 file->is_hashed ? "public, max-age=31536000, immutable" : "no-cache");
    reply_header(request, "vary", "accept-encoding");
    if (reply_not_modified(request, form->etag))
        return;
    if (NAMES[coding] != NULL)
        reply_header(request, "content-encoding", NAMES[coding]);
    reply_ranged(request, file->type, form->etag, (struct slice){form->bytes, form->size});
}

void files_serve(struct request *request, const struct path *path)
{
    if (guard_key(request))
        return;
    if (request->worker->page == NULL) {
        say_not_found(request, "this server was started without its page; the API is at /api/v1");
        return;
    }
    request->page = page_ref(request->worker->page);
    const struct page_file *file = choose_file(request->page, path);
    if (file == NULL)
        say_not_found(request, "there is nothing at this address");
    else
        send_file(request, file);
}
