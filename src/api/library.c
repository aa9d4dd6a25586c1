/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/library, and the scan. A cursor is what the next page begins after: the sort text (in
 * hexadecimal) or the time, and the id. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/mem.h"
#include "library/fold.h"

enum { LIMIT = 100, LIMIT_MAX = 500, QUERY_MAX = 200, CURSOR_MAX = 2000, OFFSET_MAX = 10000000 };

struct wish {
    char folded[QUERY_MAX * 3 + 1], kind[8];
    char after_sort[CURSOR_MAX], after_id[STORE_ID_SIZE];
    int64_t after_added_ms;
    bool has_cursor, by_added;
    int64_t limit, offset;
};

/* --- cursors --- */

static int digit_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static enum err read_hex(struct slice text, char *out, size_t size)
{
    if (text.length % 2 != 0 || text.length / 2 >= size)
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < text.length; i += 2) {
        int high = digit_of(text.at[i]), low = digit_of(text.at[i + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return ERR_BAD_INPUT;
        out[i / 2] = (char) (high * 16 + low);
    }
    return OK;
}

/* ID.HEX or ID-MILLISECONDS */
static enum err read_cursor(struct slice cursor, struct wish *wish)
{
    size_t length = 0;
    while (length < cursor.length && cursor.at[length] != '.' && cursor.at[length] != '-')
        length++;
    if (length == 0 || length >= STORE_ID_SIZE || length == cursor.length)
        return ERR_BAD_INPUT;
    struct slice rest = {cursor.at + length + 1, cursor.length - length - 1};
    bool by_added = cursor.at[length] == '-';
    uint64_t added_ms = 0;
    enum err err = by_added ? slice_number(rest, INT64_MAX, &added_ms)
                            : read_hex(rest, wish->after_sort, sizeof wish->after_sort);
    if (err != OK || by_added != wish->by_added)
        return ERR_BAD_INPUT;
    copy_slice((struct slice){cursor.at, length}, wish->after_id, sizeof wish->after_id);
    wish->after_added_ms = (int64_t) added_ms;
    wish->has_cursor = true;
    return OK;
}

static json_t *write_cursor(const struct store_title *last, bool by_added)
{
    CLEANUP(str_fini) struct str cursor = {0};
    str_printf(&cursor, "%s%c", last->id, by_added ? '-' : '.');
    if (by_added)
        str_printf(&cursor, "%" PRId64, last->added_ms);
    for (const char *at = last->sort; !by_added && *at != '\0'; at++)
        str_printf(&cursor, "%02x", (unsigned char) *at);
    return json_string(cursor.at);
}

/* --- the query --- */

static enum err read_sort(struct request *request, struct wish *wish, struct why *why)
{
    struct slice sort = request_query(request, "sort");
    wish->by_added = slice_is(sort, "added");
    if (sort.at != NULL && !wish->by_added && !slice_is(sort, "title"))
        return why_set(why, ERR_BAD_INPUT, "sort", "sort is title or added");
    return OK;
}

static enum err read_filters(struct request *request, struct wish *wish, struct why *why)
{
    CLEANUP(str_fini) struct str folded = {0};
    struct slice kind = request_query(request, "kind"), q = request_query(request, "q");
    if (kind.at != NULL && !slice_is(kind, "film") && !slice_is(kind, "show") &&
        !slice_is(kind, "other"))
        return why_set(why, ERR_BAD_INPUT, "kind", "kind is film, show or other");
    if (q.length > QUERY_MAX)
        return why_set(why, ERR_BAD_INPUT, "q", "q has at most %d bytes", (int) QUERY_MAX);
    copy_slice(kind, wish->kind, sizeof wish->kind);
    fold(&folded, q);
    copy_slice(slice_of(str_text(&folded)), wish->folded, sizeof wish->folded);
    return OK;
}

static enum err read_wish(struct request *request, struct wish *wish, struct why *why)
{
    struct slice cursor = request_query(request, "cursor");
    *wish = (struct wish){.limit = LIMIT};
    enum err err = query_number(request, "limit", 1, LIMIT_MAX, &wish->limit, why);
    if (err == OK)
        err = query_number(request, "offset", 0, OFFSET_MAX, &wish->offset, why);
    if (err == OK)
        err = read_sort(request, wish, why);
    if (err == OK)
        err = read_filters(request, wish, why);
    if (err == OK && cursor.at != NULL && read_cursor(cursor, wish) != OK)
        err = why_set(why, ERR_BAD_INPUT, "cursor", "cursor is not the next of a page");
    return err;
}

/* --- the answer --- */

struct letters {
    json_t *list;
    int64_t total;
};

static void add_letter(void *ctx, const char *letter, int64_t count)
{
    struct letters *letters = ctx;
    json_array_append_new(letters->list, json_pack("{s:o, s:I}", "letter", json_text(letter),
                                                   "offset", (json_int_t) letters->total));
    letters->total += count;
}

static enum err add_totals(struct answer *answer, const struct wish *wish,
                           const struct store_titles_query *query)
{
    struct letters letters = {.list = json_array()};
    enum err err = store_titles_letters(answer->api->store, query, add_letter, &letters);
    json_object_set_new(answer->body, "total", json_integer(letters.total));
    if (!wish->by_added)
        json_object_set(answer->body, "letters", letters.list);
    json_decref(letters.list);
    return err;
}

static void put_page(struct answer *answer, const struct store_titles *titles, bool by_added)
{
    json_t *items = json_array();
    for (size_t i = 0; i < titles->count; i++)
        if (titles->items[i].file_count > 0)
            json_array_append_new(items, title_json(&titles->items[i]));
    bool more = titles->has_more && titles->count > 0;
    answer->body =
        json_pack("{s:o, s:o}", "items", items, "next",
                  more ? write_cursor(&titles->items[titles->count - 1], by_added) : json_null());
}

static void list(struct answer *answer)
{
    const struct wish *wish = answer->input;
    struct store_titles titles = {0};
    const struct store_viewer viewer = answer_viewer(answer);
    struct store_titles_query query = {.viewer = &viewer,
                                       .search = wish->folded[0] != '\0' ? wish->folded : NULL,
                                       .kind = wish->kind[0] != '\0' ? wish->kind : NULL,
                                       .by_added = wish->by_added,
                                       .limit = (size_t) wish->limit,
                                       .offset = (size_t) wish->offset};
    if (wish->has_cursor) {
        query.after_id = wish->after_id;
        query.after_sort = wish->after_sort;
        query.after_added_ms = wish->after_added_ms;
        query.offset = 0;
    }
    enum err err = store_titles_list(answer->api->store, &query, &titles);
    for (size_t i = 0; i < titles.count; i++)
        title_refresh(answer->api, viewer.user, &titles.items[i]);
    if (err == OK)
        put_page(answer, &titles, wish->by_added);
    if (err == OK && !wish->has_cursor)
        err = add_totals(answer, wish, &query);
    if (err != OK)
        answer_fail(answer, err, 0);
    store_titles_fini(&titles);
}

void library_get(struct request *request, void *ctx)
{
    struct wish wish;
    struct why why = {0};
    enum err err = read_wish(request, &wish, &why);
    if (err != OK)
        reply_problem(request, 0, err, &why);
    else
        answer_later(ctx, request,
                     &(struct answer_plan){.work = list, .input = &wish, .size = sizeof wish});
}

/* --- the scan --- */

static json_t *folder_json(const struct library_folder *folder)
{
    static const char *const STATES[] = {
        [FOLDER_READY] = "ready", [FOLDER_OFFLINE] = "offline", [FOLDER_UNREADABLE] = "unreadable"};
    const char *slash = strrchr(folder->path, '/');
    json_t *object =
        json_pack("{s:o, s:s, s:I}", "name",
                  json_text(slash != NULL && slash[1] != '\0' ? slash + 1 : folder->path), "state",
                  STATES[folder->state], "files", (json_int_t) folder->files);
    if (folder->reason[0] != '\0')
        json_object_set_new(object, "reason", json_text(folder->reason));
    return object;
}

json_t *scan_json(struct library *library)
{
    struct library_scan scan;
    library_scan_state(library, &scan);
    json_t *folders = json_array();
    for (size_t i = 0; i < scan.folder_count; i++)
        json_array_append_new(folders, folder_json(&scan.folders[i]));
    json_t *object = json_pack(
        "{s:b, s:I, s:I, s:o, s:o, s:o}", "running", scan.is_running, "done",
        (json_int_t) scan.done, "total", (json_int_t) scan.total, "started",
        scan.started_ms != 0 ? json_date(scan.started_ms) : json_null(), "finished",
        scan.finished_ms != 0 ? json_date(scan.finished_ms) : json_null(), "folders", folders);
    if (scan.reading[0] != '\0')
        json_object_set_new(object, "reading",
                            json_pack("{s:s, s:f}", "file", scan.reading, "progress", scan.read));
    library_scan_fini(&scan);
    return object;
}

void scan_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    reply_json(request, 200, scan_json(api->library));
}

void scan_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    library_scan_start(api->library);
    reply_json(request, 202, scan_json(api->library));
}

void scan_delete(struct request *request, void *ctx)
{
    struct api *api = ctx;
    library_scan_stop(api->library);
    reply_empty(request, 204);
}
