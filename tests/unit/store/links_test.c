/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links: a URL is one file, each user's list his own, and what nobody has is dropped. */
#include "store/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

enum { MOST = 100 };

struct bed {
    char folder[64], path[96];
    struct store *store;
};

static int setup(void **state)
{
    struct bed *bed = mem_new(struct bed);
    struct why why = {0};
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-links-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->path, &bed->store, &why), OK);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    struct bed *bed = *state;
    char path[128];
    store_close(&bed->store);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        snprintf(path, sizeof path, "%s%s", bed->path, ENDS[i]);
        unlink(path);
    }
    rmdir(bed->folder);
    mem_free(bed);
    return 0;
}

/* The link's id, which the caller frees with the rest (store_link_fini). */
static struct store_link put(struct bed *bed, const char *user, const char *url, int64_t added_ms,
                             size_t *dropped)
{
    struct store_link link = {.added_ms = added_ms,
                              .remote = {.url = mem_strdup(url),
                                         .type = mem_strdup("video/mp4"),
                                         .etag = mem_strdup("\"one\""),
                                         .modified = mem_strdup(""),
                                         .size = 1000,
                                         .is_ranged = true}};
    struct store_dropped gone;
    bool is_new = false;
    snprintf(link.user, sizeof link.user, "%s", user);
    assert_int_equal(store_link_put(bed->store, &link, &is_new, &gone), OK);
    if (dropped != NULL)
        *dropped = gone.count;
    mem_free(gone.files);
    return link;
}

struct seen {
    size_t count;
    char first[64];
};

static void see(void *ctx, const struct store_link *link)
{
    struct seen *seen = ctx;
    if (seen->count++ == 0)
        snprintf(seen->first, sizeof seen->first, "%s", link->remote.url);
}

static struct seen list(struct bed *bed, const char *user)
{
    struct seen seen = {0};
    assert_int_equal(store_links_each(bed->store, user, see, &seen), OK);
    return seen;
}

static void a_url_is_one_file_in_each_list(void **state)
{
    struct bed *bed = *state;
    struct store_dropped gone;
    struct store_remote remote;
    struct store_link a = put(bed, "anna", "http://a/1", 1, NULL);
    struct store_link b = put(bed, "bert", "http://a/1", 2, NULL);
    assert_string_equal(a.remote.file, b.remote.file);
    assert_string_not_equal(a.id, b.id);
    assert_int_equal(store_link_remove(bed->store, a.id, "bert", &gone), ERR_NOT_FOUND);
    assert_int_equal(store_link_remove(bed->store, a.id, "anna", &gone), OK);
    assert_int_equal(gone.count, 0);
    mem_free(gone.files);
    assert_int_equal(store_remote_find(bed->store, b.remote.file, &remote), OK);
    assert_string_equal(remote.url, "http://a/1");
    store_remote_fini(&remote);
    assert_int_equal(store_link_remove(bed->store, b.id, "bert", &gone), OK);
    assert_int_equal(gone.count, 1);
    assert_string_equal(gone.files[0], b.remote.file);
    mem_free(gone.files);
    assert_int_equal(store_remote_find(bed->store, b.remote.file, &remote), ERR_NOT_FOUND);
    store_link_fini(&a);
    store_link_fini(&b);
}

static void the_latest_stands_first_and_the_oldest_goes(void **state)
{
    struct bed *bed = *state;
    char url[32];
    size_t dropped = 0;
    for (int i = 0; i <= MOST; i++) {
        snprintf(url, sizeof url, "http://a/%d", i);
        struct store_link link = put(bed, "anna", url, i, &dropped);
        assert_int_equal(dropped, i == MOST ? 1 : 0);
        store_link_fini(&link);
    }
    assert_int_equal(list(bed, "anna").count, MOST);
    assert_string_equal(list(bed, "anna").first, "http://a/100");
    struct store_link again = put(bed, "anna", "http://a/7", 1000, &dropped);
    assert_int_equal(dropped, 0);
    store_link_fini(&again);
    assert_string_equal(list(bed, "anna").first, "http://a/7");
    assert_int_equal(list(bed, "bert").count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_url_is_one_file_in_each_list, setup, teardown),
        cmocka_unit_test_setup_teardown(the_latest_stands_first_and_the_oldest_goes, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
