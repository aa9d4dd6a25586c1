/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/files/{id}/raw: the original, byte for byte, in ranges. Its type is ours, from a list
 * (architecture, "Never": bytes we did not write are never of a type that a browser runs). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "hls/routes.h"
#include "hls/send.h"

struct raw {
    struct hls *hls;
    struct request *request; /* NULL once answered or gone */
    struct ask *ask;
};

static const struct {
    const char *suffix, *type;
} types[] = {
    {".mkv", "video/x-matroska"}, {".webm", "video/webm"},     {".mp4", "video/mp4"},
    {".m4v", "video/mp4"},        {".mov", "video/mp4"},       {".ts", "video/mp2t"},
    {".m2ts", "video/mp2t"},      {".avi", "video/x-msvideo"}, {".mpg", "video/mpeg"},
    {".mpeg", "video/mpeg"},      {".ogv", "video/ogg"},       {".mp3", "audio/mpeg"},
    {".m4a", "audio/mp4"},        {".flac", "audio/flac"},     {".ogg", "audio/ogg"},
    {".opus", "audio/ogg"},       {".wav", "audio/wav"},       {".mka", "audio/x-matroska"},
};

static const char *type_of(const char *name)
{
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix != NULL && i < sizeof types / sizeof *types; i++)
        if (slice_is_nocase(slice_of(suffix), types[i].suffix))
            return types[i].type;
    return NULL;
}

static void on_gone(void *ctx)
{
    struct raw *raw = ctx;
    raw->request = NULL;
    ask_close(&raw->ask);
}

static void put_tag(const struct source *source, char tag[SEGMENT_TAG_SIZE])
{
    const struct source_identity *identity = source_identity(source);
    uint64_t head = 0;
    memcpy(&head, identity->hash, sizeof head);
    snprintf(tag, SEGMENT_TAG_SIZE, "\"%016" PRIx64 "%016" PRIx64 "\"", head,
             (uint64_t) identity->mtime_ns);
}

static void send_file(struct raw *raw, struct source *source, const char *name)
{
    struct request *request = raw->request;
    struct why why;
    struct range range;
    char tag[SEGMENT_TAG_SIZE];
    char text[80];
    uint64_t size = source_size(source);
    const char *type = type_of(name);
    raw->request = NULL;
    put_tag(source, tag);
    if (request_range(request, size, tag, &range) != OK) {
        snprintf(text, sizeof text, "bytes */%" PRIu64, size);
        reply_header(request, "content-range", text);
        why_set(&why, ERR_BAD_INPUT, NULL, "the range lies outside of the file");
        reply_problem(request, 416, ERR_BAD_INPUT, &why);
        return;
    }
    reply_header(request, "etag", tag);
    reply_header(request, "cache-control", "private, no-cache");
    reply_header(request, "accept-ranges", "bytes");
    reply_header(request, "content-security-policy", "sandbox; default-src 'none'");
    if (type == NULL)
        reply_header(request, "content-disposition", "attachment");
    if (slice_is(request_header(request, "if-none-match"), tag)) {
        reply_empty(request, 304);
        return;
    }
    if (range.is_partial) {
        snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first,
                 range.first + range.length - 1, size);
        reply_header(request, "content-range", text);
    }
    const struct send_options options = {.hls = raw->hls};
    struct send *send = send_start(request, range.is_partial ? 206 : 200,
                                   type != NULL ? type : "application/octet-stream",
                                   (int64_t) range.length, 0, &options);
    if (send == NULL)
        return;
    struct segment *segment = segment_new_source(size, tag);
    send_give(send, segment, source, range.first);
    segment_unref(&segment);
}

static void on_answer(void *ctx, const struct ask_answer *answer)
{
    struct raw *raw = ctx;
    if (raw->request == NULL)
        return;
    if (answer->kind == OK) {
        send_file(raw, answer->source, answer->name);
        return;
    }
    struct request *request = raw->request;
    raw->request = NULL;
    routes_reply_failure(request, answer->kind, answer->why);
}

void hls_serve_raw(struct request *request, void *hls)
{
    struct raw *raw = request_alloc(request, sizeof *raw);
    raw->hls = hls;
    raw->request = request;
    request_on_gone(request, on_gone, raw);
    const struct ask_options options = {
        .kind = ASK_SOURCE, .file = request_param(request, 0), .playback = ""};
    raw->ask = ask_open(hls, &options, request_mailbox(request), on_answer, raw);
}
