/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files, titles and plans as kept. */
#include "store/films.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

struct bed {
    char folder[64], path[96];
    struct store *store;
};

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    struct why why = {0};
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-films-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->path, &bed->store, &why), OK);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    store_close(&bed->store);
    unlink(bed->path);
    rmdir(bed->folder);
    free(bed);
    return 0;
}

static const struct store_name ALIEN = {.kind = "film",
                                        .title = "Alien",
                                        .year = 1979,
                                        .sort = "alien",
                                        .folded = "alien",
                                        .letter = "A",
                                        .match = "alien 1979"};
static const struct store_name BRAZIL = {.kind = "film",
                                         .title = "Brazil",
                                         .year = 1985,
                                         .sort = "brazil",
                                         .folded = "brazil",
                                         .letter = "B",
                                         .match = "brazil 1985"};
static const struct store_name HOLIDAY = {.kind = "other",
                                          .title = "holiday",
                                          .year = 0,
                                          .sort = "holiday",
                                          .folded = "holiday",
                                          .letter = "H",
                                          .match = NULL};

static struct store_change change_of(enum store_change_kind kind, const char *id, const char *path,
                                     const struct store_name *name)
{
    struct store_change change = {.kind = kind, .name = name};
    snprintf(change.file.id, sizeof change.file.id, "%s", id);
    change.file.folder = (char *) "/films";
    change.file.path = (char *) path;
    change.file.name = (char *) "name.mkv";
    change.file.size = 1000;
    change.file.mtime_ns = 77;
    change.file.has_hash = true;
    memset(change.file.hash, id[0], sizeof change.file.hash);
    change.file.added_ms = change.file.changed_ms = 10;
    change.file.missing_ms = 500;
    return change;
}

static struct store_change apply(struct bed *bed, struct store_change change)
{
    assert_int_equal(store_files_change(bed->store, &change, 1), OK);
    return change;
}

static void add(struct bed *bed, const char *id, const char *path, const struct store_name *name)
{
    apply(bed, change_of(STORE_ADD, id, path, name));
}

static struct store_titles list(struct bed *bed, struct store_titles_query query)
{
    struct store_titles titles = {0};
    query.limit = query.limit == 0 ? 10 : query.limit;
    assert_int_equal(store_titles_list(bed->store, &query, &titles), OK);
    return titles;
}

static size_t count_titles(struct bed *bed)
{
    struct store_titles titles = list(bed, (struct store_titles_query){0});
    size_t count = titles.count;
    store_titles_fini(&titles);
    return count;
}

static void files_of_one_film_are_one_title(void **state)
{
    struct bed *bed = *state;
    add(bed, "a", "/films/Alien.1979.mkv", &ALIEN);
    add(bed, "b", "/films/alien (1979).mp4", &ALIEN);
    add(bed, "c", "/films/holiday.mp4", &HOLIDAY);
    add(bed, "d", "/films/2/holiday.mp4", &HOLIDAY);
    struct store_titles titles = list(bed, (struct store_titles_query){0});
    assert_int_equal(titles.count, 3);
    assert_string_equal(titles.items[0].title, "Alien");
    assert_int_equal(titles.items[0].year, 1979);
    assert_int_equal(titles.items[0].file_count, 2);
    assert_int_equal(titles.items[1].year, 0);
    assert_int_equal(titles.items[1].file_count, 1);
    assert_false(titles.has_more);
    store_titles_fini(&titles);
}

static void paths_are_bytes(void **state)
{
    struct bed *bed = *state;
    static const char PATH[] = "/films/a\nb'\"\xff\xfe; DROP TABLE file; --.mkv";
    struct store_file file = {0};
    add(bed, "a", PATH, &HOLIDAY);
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_string_equal(file.path, PATH);
    assert_int_equal(file.duration_ms, -1);
    assert_true(file.has_hash);
    store_file_fini(&file);
    assert_int_equal(store_file_find(bed->store, "' OR 1=1 --", &file), ERR_NOT_FOUND);
}

static void a_renamed_film_keeps_its_ids(void **state)
{
    struct bed *bed = *state;
    add(bed, "a", "/films/x.mkv", &HOLIDAY);
    struct store_titles before = list(bed, (struct store_titles_query){0});
    struct store_change moved =
        apply(bed, change_of(STORE_PLACE, "a", "/films/Alien.1979.mkv", &ALIEN));
    assert_string_equal(moved.file.title, before.items[0].id);
    assert_string_equal(moved.old_title, "");
    struct store_titles after = list(bed, (struct store_titles_query){0});
    assert_int_equal(after.count, 1);
    assert_string_equal(after.items[0].title, "Alien");
    assert_string_equal(after.items[0].id, before.items[0].id);
    store_titles_fini(&before);
    store_titles_fini(&after);
}

static void a_file_may_join_another_title(void **state)
{
    struct bed *bed = *state;
    add(bed, "a", "/films/Alien.1979.mkv", &ALIEN);
    add(bed, "b", "/films/x.mkv", &HOLIDAY);
    struct store_change moved =
        apply(bed, change_of(STORE_PLACE, "b", "/films/Alien.1979.mp4", &ALIEN));
    assert_true(moved.old_title[0] != '\0');
    assert_int_equal(count_titles(bed), 1);
    struct store_title gone = {0};
    assert_int_equal(store_title_find(bed->store, moved.old_title, NULL, &gone), ERR_NOT_FOUND);
    /* and leave it again: the title stays with the one that was there */
    moved = apply(bed, change_of(STORE_PLACE, "b", "/films/Brazil.1985.mp4", &BRAZIL));
    assert_int_equal(count_titles(bed), 2);
}

static void files_may_change_places(void **state)
{
    struct bed *bed = *state;
    struct store_file file = {0};
    add(bed, "a", "/films/1.mkv", &ALIEN);
    add(bed, "b", "/films/2.mkv", &BRAZIL);
    struct store_change swap[] = {change_of(STORE_PLACE, "a", "/films/2.mkv", NULL),
                                  change_of(STORE_PLACE, "b", "/films/1.mkv", NULL)};
    assert_int_equal(store_files_change(bed->store, swap, 2), OK);
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_string_equal(file.path, "/films/2.mkv");
    store_file_fini(&file);
}

static void a_list_is_done_whole_or_not_at_all(void **state)
{
    struct bed *bed = *state;
    struct store_change both[] = {change_of(STORE_ADD, "a", "/films/1.mkv", &ALIEN),
                                  change_of(STORE_ADD, "b", "/films/1.mkv", &BRAZIL)};
    assert_int_equal(store_files_change(bed->store, both, 2), ERR_BUSY);
    assert_int_equal(count_titles(bed), 0);
}

static void a_missing_file_disappears_and_comes_back(void **state)
{
    struct bed *bed = *state;
    struct store_file file = {0};
    add(bed, "a", "/films/1.mkv", &ALIEN);
    apply(bed, change_of(STORE_MISSING, "a", "/films/1.mkv", NULL));
    assert_int_equal(count_titles(bed), 0);
    assert_int_equal(store_file_find(bed->store, "a", &file), ERR_NOT_FOUND);
    add(bed, "b", "/films/1.mkv", &BRAZIL); /* its path is free */
    apply(bed, change_of(STORE_PLACE, "a", "/films/2.mkv", NULL));
    assert_int_equal(count_titles(bed), 2);
    apply(bed, change_of(STORE_MISSING, "a", "/films/2.mkv", NULL));
    assert_int_equal(store_files_purge(bed->store, 400), OK);
    apply(bed, change_of(STORE_PLACE, "a", "/films/2.mkv", NULL));
    assert_int_equal(count_titles(bed), 2);
    apply(bed, change_of(STORE_MISSING, "a", "/films/2.mkv", NULL));
    assert_int_equal(store_files_purge(bed->store, 501), OK);
    apply(bed, change_of(STORE_PLACE, "a", "/films/2.mkv", NULL));
    assert_int_equal(count_titles(bed), 1);
}

static struct store_look look_at(const char *id, const char *plan, int64_t made_ms)
{
    struct store_look look = {.file = id,
                              .identity = {.size = 1000, .mtime_ns = 77},
                              .state = STORE_FILE_READY,
                              .duration_ms = 90500,
                              .bytes = (const uint8_t *) plan,
                              .size = strlen(plan),
                              .version = 1,
                              .engine = "e1",
                              .made_ms = made_ms};
    memset(look.identity.hash, id[0], sizeof look.identity.hash);
    return look;
}

static enum err find_plan(struct bed *bed, const char *id, uint32_t version, const char *engine,
                          const char *expected)
{
    struct store_plans plans = {0};
    enum err err = store_plans_find(bed->store, id, version, engine, &plans);
    if (err == OK) {
        assert_int_equal(plans.size, strlen(expected));
        assert_memory_equal(plans.bytes, expected, plans.size);
    }
    store_plans_fini(&plans);
    return err;
}

/* What the plan of "a" replaced, and some may hold; NULL: nothing. */
static void expect_first(struct bed *bed, const char *expected)
{
    struct store_plans plans = {0};
    assert_int_equal(store_plans_find(bed->store, "a", 1, "e1", &plans), OK);
    assert_int_equal(plans.first != NULL, expected != NULL);
    if (expected != NULL) {
        assert_int_equal(plans.first_size, strlen(expected));
        assert_memory_equal(plans.first, expected, plans.first_size);
    }
    store_plans_fini(&plans);
}

static void a_plan_belongs_to_what_the_file_was(void **state)
{
    struct bed *bed = *state;
    struct store_file file = {0};
    add(bed, "a", "/films/1.mkv", &ALIEN);
    struct store_look look = look_at("a", "plan", 1);
    assert_int_equal(store_file_looked(bed->store, &look), OK);
    assert_true(look.title[0] != '\0');
    assert_int_equal(find_plan(bed, "a", 1, "e1", "plan"), OK);
    assert_int_equal(find_plan(bed, "a", 2, "e1", ""), ERR_NOT_FOUND);
    assert_int_equal(find_plan(bed, "a", 1, "e2", ""), ERR_NOT_FOUND);
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_int_equal(file.state, STORE_FILE_READY);
    assert_int_equal(file.duration_ms, 90500);
    store_file_fini(&file);
    struct store_change other = change_of(STORE_CONTENT, "a", "/films/1.mkv", NULL);
    other.file.size = 2000;
    apply(bed, other);
    assert_int_equal(find_plan(bed, "a", 1, "e1", ""), ERR_NOT_FOUND);
    /* a look that comes late, of the bytes that were there before */
    assert_int_equal(store_file_looked(bed->store, &look), ERR_NOT_FOUND);
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_int_equal(file.state, STORE_FILE_WAITING);
    store_file_fini(&file);
}

static void note_plan(void *ctx, const struct store_file *file, enum store_plan_state plan)
{
    enum store_plan_state *out = ctx;
    *out = plan;
    assert_string_equal(file->id, "a");
}

static enum store_plan_state plan_state(struct bed *bed, const char *engine)
{
    enum store_plan_state state = STORE_PLAN_NONE;
    assert_int_equal(store_files_each(bed->store, 1, engine, note_plan, &state), OK);
    return state;
}

static void stale_plans_are_told_from_current_ones(void **state)
{
    struct bed *bed = *state;
    add(bed, "a", "/films/1.mkv", &ALIEN);
    struct store_look look = look_at("a", "plan", 1);
    assert_int_equal(store_file_looked(bed->store, &look), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FINAL);
    assert_int_equal(plan_state(bed, "e2"), STORE_PLAN_NONE);
}

/* Decision 11: the first plan of a film without an index waits for the one of the scan. */
static void a_first_plan_takes_no_better_ones_place(void **state)
{
    struct bed *bed = *state;
    add(bed, "a", "/films/1.mkv", &ALIEN);
    struct store_look first = look_at("a", "first", 1), better = look_at("a", "better", 1);
    first.wants_scan = true;
    assert_int_equal(store_file_looked(bed->store, &first), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FIRST);
    assert_int_equal(find_plan(bed, "a", 1, "e1", "first"), OK);
    expect_first(bed, NULL);
    assert_int_equal(store_file_looked(bed->store, &better), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FINAL);
    expect_first(bed, "first");
    assert_int_equal(store_file_looked(bed->store, &first), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FINAL);
    assert_int_equal(find_plan(bed, "a", 1, "e1", "better"), OK);
}

/* A look may fail where a room has made a plan, before that or after it. */
static void a_plan_takes_the_place_of_a_verdict(void **state)
{
    struct bed *bed = *state;
    add(bed, "a", "/films/1.mkv", &ALIEN);
    struct store_look first = look_at("a", "first", 1), verdict = look_at("a", "", 1);
    first.wants_scan = true;
    verdict.state = STORE_FILE_UNREADABLE;
    verdict.reason = "two media processes died";
    assert_int_equal(store_file_looked(bed->store, &verdict), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FINAL);
    assert_int_equal(find_plan(bed, "a", 1, "e1", ""), ERR_NOT_FOUND);
    assert_int_equal(store_file_looked(bed->store, &first), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FIRST);
    assert_int_equal(find_plan(bed, "a", 1, "e1", "first"), OK);
    assert_int_equal(store_file_looked(bed->store, &verdict), OK);
    assert_int_equal(plan_state(bed, "e1"), STORE_PLAN_FINAL);
}

static void an_unreadable_file_says_why(void **state)
{
    struct bed *bed = *state;
    struct store_file file = {0};
    add(bed, "a", "/films/1.mkv", &ALIEN);
    struct store_look look = look_at("a", "", 1);
    look.bytes = NULL;
    look.state = STORE_FILE_UNREADABLE;
    look.reason = "no video in it";
    assert_int_equal(store_file_looked(bed->store, &look), OK);
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_string_equal(file.reason, "no video in it");
    store_file_fini(&file);
    struct store_change refuse = change_of(STORE_REFUSE, "a", "/films/1.mkv", NULL);
    refuse.file.reason = (char *) "may not be read";
    apply(bed, refuse);
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_string_equal(file.reason, "may not be read");
    assert_false(file.has_hash);
    store_file_fini(&file);
    apply(bed, change_of(STORE_OFFLINE, "a", "/films/1.mkv", NULL));
    assert_int_equal(store_file_find(bed->store, "a", &file), OK);
    assert_true(file.is_offline);
    store_file_fini(&file);
}

static void count_letter(void *ctx, const char *letter, int64_t count)
{
    char *out = ctx;
    size_t length = strlen(out);
    snprintf(out + length, 64 - length, "%s%d", letter, (int) count);
}

static void add_alphabet(struct bed *bed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16], path[32], title[32], letter[2] = {(char) ('A' + i % 3), 0};
        snprintf(id, sizeof id, "%c%u", letter[0] + 32, i);
        snprintf(path, sizeof path, "/films/%u", i);
        snprintf(title, sizeof title, "%c film %02u", letter[0] + 32, i);
        struct store_name name = {.kind = i % 2 == 0 ? "film" : "other",
                                  .title = title,
                                  .year = 0,
                                  .sort = title,
                                  .folded = title,
                                  .letter = letter,
                                  .match = NULL};
        struct store_change change = change_of(STORE_ADD, id, path, &name);
        change.file.added_ms = i / 2;
        apply(bed, change);
    }
}

static size_t page_through(struct bed *bed, bool by_added)
{
    struct store_titles_query query = {.limit = 4, .by_added = by_added};
    struct store_title last = {0};
    size_t seen = 0;
    for (bool has_more = true; has_more;) {
        struct store_titles titles = list(bed, query);
        for (size_t i = 0; i < titles.count; i++, seen++) {
            struct store_title *title = &titles.items[i];
            if (last.sort != NULL && by_added)
                assert_true(title->added_ms <= last.added_ms);
            else if (last.sort != NULL)
                assert_true(strcmp(title->sort, last.sort) > 0);
            store_title_fini(&last);
            last = *title;
            *title = (struct store_title){0};
        }
        has_more = titles.has_more;
        store_titles_fini(&titles);
        query.after_id = last.id;
        query.after_sort = last.sort;
        query.after_added_ms = last.added_ms;
    }
    store_title_fini(&last);
    return seen;
}

static void lists_page_and_count(void **state)
{
    struct bed *bed = *state;
    char letters[64] = "";
    add_alphabet(bed, 21);
    assert_int_equal(page_through(bed, false), 21);
    assert_int_equal(page_through(bed, true), 21);
    struct store_titles_query all = {0};
    assert_int_equal(store_titles_letters(bed->store, &all, count_letter, letters), OK);
    assert_string_equal(letters, "A7B7C7");
    struct store_titles some = list(bed, (struct store_titles_query){.search = "fil 1"});
    assert_int_equal(some.count, 10);
    store_titles_fini(&some);
    some = list(bed, (struct store_titles_query){.kind = "other", .limit = 50, .offset = 3});
    assert_int_equal(some.count, 7);
    store_titles_fini(&some);
    some = list(bed, (struct store_titles_query){.search = "%_"});
    assert_int_equal(some.count, 0);
    store_titles_fini(&some);
}

static void add_called(struct bed *bed, const char *id, const char *title)
{
    char path[80];
    const struct store_name name = {.kind = "other",
                                    .title = title,
                                    .year = 0,
                                    .sort = title,
                                    .folded = title,
                                    .letter = "X",
                                    .match = NULL};
    snprintf(path, sizeof path, "/films/%s.mkv", id);
    add(bed, id, path, &name);
}

/* Each page of `of` is where it stands in the whole list, wherever one begins. */
static void assert_pages(struct bed *bed, struct store_titles_query of, size_t expected)
{
    of.limit = expected + 10;
    struct store_titles all = list(bed, of);
    assert_int_equal(all.count, expected);
    of.limit = 2;
    for (of.offset = 0; of.offset < expected + 200; of.offset += 7) {
        struct store_titles page = list(bed, of);
        size_t left = of.offset < expected ? expected - of.offset : 0;
        assert_int_equal(page.count, left < 2 ? left : 2);
        assert_int_equal(page.has_more, left > 2);
        for (size_t i = 0; i < page.count; i++)
            assert_string_equal(page.items[i].id, all.items[of.offset + i].id);
        store_titles_fini(&page);
    }
    store_titles_fini(&all);
}

/* Far down the list is as near as its beginning: it is entered at places that are known, as long as they are
 * right. */
static void lists_are_entered_anywhere(void **state)
{
    enum { MANY = 400 };
    struct bed *bed = *state;
    const struct store_viewer child = {.user = "u",
                                       .ages = {.is_limited = true, .most = 12, .unrated = false}};
    add_alphabet(bed, MANY);
    for (int by_added = 0; by_added < 2; by_added++) {
        assert_pages(bed, (struct store_titles_query){.by_added = by_added}, MANY);
        assert_pages(bed, (struct store_titles_query){.by_added = by_added, .kind = "film"},
                     MANY / 2);
        assert_pages(bed, (struct store_titles_query){.by_added = by_added, .viewer = &child}, 0);
    }
    add_called(bed, "first", "a");
    assert_pages(bed, (struct store_titles_query){0}, MANY + 1);
    apply(bed, change_of(STORE_MISSING, "first", "/films/first.mkv", NULL));
    assert_pages(bed, (struct store_titles_query){0}, MANY);
    for (int i = 0; i < MANY; i += 2) {
        struct store_titles page =
            list(bed, (struct store_titles_query){.limit = 1, .offset = (size_t) i});
        assert_int_equal(store_title_rate(bed->store, page.items[0].id, 6), OK);
        store_titles_fini(&page);
    }
    assert_pages(bed, (struct store_titles_query){.viewer = &child}, MANY / 2);
}

/* The titles that a search finds, in order. */
static void assert_finds(struct bed *bed, const char *search, const char *expected)
{
    char found[400] = "";
    struct store_titles titles = list(bed, (struct store_titles_query){.search = search});
    for (size_t i = 0; i < titles.count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s%s", i > 0 ? ", " : "",
                 titles.items[i].title);
    }
    store_titles_fini(&titles);
    if (strcmp(found, expected) != 0)
        fail_msg("\"%s\" found %s, not %s", search, found, expected);
}

static void searches_find_words_in_any_order(void **state)
{
    struct bed *bed = *state;
    add_called(bed, "a", "alien");
    add_called(bed, "b", "aliens of the deep");
    add_called(bed, "c", "harry potter 2");
    add_called(bed, "d", "up");
    add_called(bed, "e", "\xe5\x8d\x83\xe3\x81\xa8\xe5\x8d\x83\xe5\xb0\x8b"); /* 千と千尋 */
    assert_finds(bed, "alien", "alien, aliens of the deep");
    assert_finds(bed, "lie", "alien, aliens of the deep");
    assert_finds(bed, "deep alien", "aliens of the deep");
    assert_finds(bed, "potter harry", "harry potter 2");
    assert_finds(bed, "potter h", "harry potter 2"); /* a word that is still being typed */
    assert_finds(bed, "potter 2", "harry potter 2");
    assert_finds(bed, "potter arry", "harry potter 2");
    assert_finds(bed, "potter rr", ""); /* short words begin words */
    assert_finds(bed, "up", "up");
    assert_finds(bed, "u", "up");
    assert_finds(bed, "\xe5\x8d\x83\xe5\xb0\x8b",
                 "\xe5\x8d\x83\xe3\x81\xa8\xe5\x8d\x83\xe5\xb0\x8b");
    assert_finds(bed, "\xe5\xb0\x8b", "\xe5\x8d\x83\xe3\x81\xa8\xe5\x8d\x83\xe5\xb0\x8b");
    assert_finds(bed, "alien potter", "");
    assert_finds(bed, "",
                 "alien, aliens of the deep, harry potter 2, up, "
                 "\xe5\x8d\x83\xe3\x81\xa8\xe5\x8d\x83\xe5\xb0\x8b");
    /* what is renamed or gone is found as it is now */
    struct store_name renamed = {.kind = "other",
                                 .title = "predator",
                                 .year = 0,
                                 .sort = "predator",
                                 .folded = "predator",
                                 .letter = "P",
                                 .match = NULL};
    struct store_change change = change_of(STORE_PLACE, "a", "/films/predator.mkv", &renamed);
    apply(bed, change);
    assert_finds(bed, "alien", "aliens of the deep");
    assert_finds(bed, "pred", "predator");
    apply(bed, change_of(STORE_MISSING, "a", "/films/predator.mkv", NULL));
    assert_finds(bed, "pred", "");
}

static size_t count_for(struct bed *bed, struct ages ages, const char *letters)
{
    char counted[64] = "";
    const struct store_viewer viewer = {.user = "u", .ages = ages};
    struct store_titles_query query = {.viewer = &viewer};
    struct store_titles titles = list(bed, query);
    size_t count = titles.count;
    store_titles_fini(&titles);
    assert_int_equal(store_titles_letters(bed->store, &query, count_letter, counted), OK);
    assert_string_equal(counted, letters);
    return count;
}

static void children_see_what_is_for_them(void **state)
{
    struct bed *bed = *state;
    struct store_title title;
    const struct ages six = {true, 6, false}, teen = {true, 16, false}, any = {true, 6, true};
    struct store_viewer child = {.user = "u", .ages = six};
    struct store_place place;
    add(bed, "a", "/films/Alien.1979.mkv", &ALIEN);
    add(bed, "b", "/films/Brazil.1985.mkv", &BRAZIL);
    add(bed, "c", "/films/holiday.mp4", &HOLIDAY);
    struct store_titles all = list(bed, (struct store_titles_query){0});
    assert_int_equal(all.items[0].age, AGE_UNRATED);
    assert_int_equal(count_for(bed, six, ""), 0);
    assert_int_equal(store_title_rate(bed->store, all.items[0].id, 16), OK);
    assert_int_equal(store_title_rate(bed->store, all.items[1].id, 6), OK);
    assert_int_equal(store_title_rate(bed->store, "nosuch", 6), ERR_NOT_FOUND);
    assert_int_equal(count_for(bed, six, "B1"), 1);
    assert_int_equal(count_for(bed, teen, "A1B1"), 2);
    assert_int_equal(count_for(bed, any, "B1H1"), 2);
    assert_int_equal(count_for(bed, (struct ages){0}, "A1B1H1"), 3);
    assert_int_equal(store_title_find(bed->store, all.items[0].id, &child, &title), ERR_NOT_FOUND);
    assert_int_equal(store_item_place(bed->store, "a", &child, &place), ERR_NOT_FOUND);
    assert_int_equal(store_item_place(bed->store, all.items[0].id, &child, &place), ERR_NOT_FOUND);
    assert_int_equal(store_item_place(bed->store, "b", &child, &place), OK);
    assert_string_equal(place.item, all.items[1].id);
    assert_string_equal(place.file, "b");
    assert_int_equal(store_item_place(bed->store, all.items[1].id, &child, &place), OK);
    assert_string_equal(place.file, "");
    assert_int_equal(store_title_find(bed->store, all.items[1].id, &child, &title), OK);
    assert_int_equal(title.age, 6);
    store_title_fini(&title);
    assert_int_equal(store_title_rate(bed->store, all.items[1].id, AGE_UNRATED), OK);
    assert_int_equal(count_for(bed, six, ""), 0);
    store_titles_fini(&all);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(files_of_one_film_are_one_title),
        IN_BED(paths_are_bytes),
        IN_BED(a_renamed_film_keeps_its_ids),
        IN_BED(a_file_may_join_another_title),
        IN_BED(files_may_change_places),
        IN_BED(a_list_is_done_whole_or_not_at_all),
        IN_BED(a_missing_file_disappears_and_comes_back),
        IN_BED(a_plan_belongs_to_what_the_file_was),
        IN_BED(stale_plans_are_told_from_current_ones),
        IN_BED(a_first_plan_takes_no_better_ones_place),
        IN_BED(a_plan_takes_the_place_of_a_verdict),
        IN_BED(an_unreadable_file_says_why),
        IN_BED(lists_page_and_count),
        IN_BED(lists_are_entered_anywhere),
        IN_BED(searches_find_words_in_any_order),
        IN_BED(children_see_what_is_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
