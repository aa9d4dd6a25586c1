/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A library on a real folder and a real store, with a prober of our own: a file that begins with
 * "bad" is unreadable, one that begins with "long" has to be read through for its plan, for which
 * "longbusy" has no process; all others last as many seconds as they have bytes. */
#include "library/library.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

struct bed {
    char folder[64], films[96], database[96];
    const char *folders[4];
    struct store *store;
    struct library *library;
    struct why why;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned news, probes, at_once, most_at_once, scans, scans_at_once, replans, ready;
    char lost[STORE_ID_SIZE];
    bool are_scans_held; /* they do not end */
    struct probe *held;
};

/* --- the prober --- */

struct probe {
    struct bed *bed;
    struct library_probe asked;
    char *path;
    bool is_stopped;
};

static void answer(void *arg)
{
    struct probe *probe = arg;
    struct why why = {.text = "no film in it"};
    struct source *source = NULL;
    char text[16] = "";
    enum err err = source_open_local(probe->path, &source, &why);
    pthread_mutex_lock(&probe->bed->lock);
    probe->bed->at_once--;
    probe->bed->scans_at_once -= probe->asked.scan;
    pthread_mutex_unlock(&probe->bed->lock);
    struct library_found found = {.duration_ms = -1};
    if (err == OK) {
        assert_true(pread(source_fd(source), text, sizeof text - 1, 0) >= 0);
        bool is_busy = probe->asked.scan && strncmp(text, "longbusy", 8) == 0;
        err = strncmp(text, "bad", 3) == 0 ? ERR_BAD_MEDIA : is_busy ? ERR_BUSY : OK;
        found.identity = source_identity(source);
        found.wants_scan = strncmp(text, "long", 4) == 0 && !probe->asked.scan;
    }
    if (err == OK) {
        found.duration_ms = 1000 * (int64_t) source_size(source);
        found.bytes = (const uint8_t *) (probe->asked.scan ? "scanned" : text);
        found.size = strlen((const char *) found.bytes);
    }
    if (probe->asked.progress != NULL)
        probe->asked.progress(probe->asked.ctx, 1);
    err = probe->is_stopped ? ERR_CANCELLED : err;
    probe->asked.done(probe->asked.ctx, err, err != OK ? &why : NULL, &found);
    source_unref(&source);
    mem_free(probe->path);
    mem_free(probe);
}

static void probe(void *ctx, const struct library_probe *asked)
{
    struct bed *bed = ctx;
    struct probe *probe = mem_new(struct probe);
    *probe = (struct probe){.bed = bed, .asked = *asked, .path = mem_strdup(asked->path)};
    pthread_mutex_lock(&bed->lock);
    bed->probes++;
    bed->scans += asked->scan;
    if (++bed->at_once > bed->most_at_once)
        bed->most_at_once = bed->at_once;
    bed->scans_at_once += asked->scan;
    assert_true(bed->scans_at_once <= 1);
    bool is_held = asked->scan && bed->are_scans_held;
    if (is_held)
        bed->held = probe;
    pthread_mutex_unlock(&bed->lock);
    if (is_held)
        asked->progress(asked->ctx, 0.5);
    else
        mailbox_post(asked->mailbox, answer, probe);
}

static void stop_scans(void *ctx)
{
    struct bed *bed = ctx;
    pthread_mutex_lock(&bed->lock);
    struct probe *held = bed->held;
    bed->held = NULL;
    pthread_mutex_unlock(&bed->lock);
    if (held == NULL)
        return;
    held->is_stopped = true;
    mailbox_post(held->asked.mailbox, answer, held);
}

static void let_scans_end(struct bed *bed)
{
    pthread_mutex_lock(&bed->lock);
    struct probe *held = bed->held;
    bed->are_scans_held = false;
    bed->held = NULL;
    pthread_mutex_unlock(&bed->lock);
    if (held != NULL)
        mailbox_post(held->asked.mailbox, answer, held);
}

/* --- news --- */

static void tell(struct bed *bed)
{
    pthread_mutex_lock(&bed->lock);
    bed->news++;
    pthread_cond_broadcast(&bed->told);
    pthread_mutex_unlock(&bed->lock);
}

static void on_title(void *ctx, const char *title)
{
    assert_int_equal(strlen(title), 20);
    tell(ctx);
}

static void on_file(void *ctx, const char *file)
{
    struct bed *bed = ctx;
    pthread_mutex_lock(&bed->lock);
    memcpy(bed->lost, file, STORE_ID_SIZE);
    pthread_mutex_unlock(&bed->lock);
    tell(ctx);
}

static void on_plan(void *ctx, const char *file)
{
    struct bed *bed = ctx;
    assert_int_equal(strlen(file), 20);
    pthread_mutex_lock(&bed->lock);
    bed->replans++;
    pthread_mutex_unlock(&bed->lock);
    tell(ctx);
}

static void on_ready(void *ctx, const char *file)
{
    struct bed *bed = ctx;
    assert_int_equal(strlen(file), 20);
    pthread_mutex_lock(&bed->lock);
    bed->ready++;
    pthread_mutex_unlock(&bed->lock);
}

static void on_scan(void *ctx)
{
    tell(ctx);
}

typedef bool state_fn(struct bed *bed, const void *arg);

/* Looks again at each piece of news. */
static void wait_until(struct bed *bed, state_fn *reached, const void *arg)
{
    int64_t deadline_ms = clock_mono_ms() + 20000;
    for (;;) {
        pthread_mutex_lock(&bed->lock);
        unsigned news = bed->news;
        pthread_mutex_unlock(&bed->lock);
        if (reached(bed, arg))
            return;
        assert_true(clock_mono_ms() < deadline_ms);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        pthread_mutex_lock(&bed->lock);
        if (news == bed->news)
            pthread_cond_timedwait(&bed->told, &bed->lock, &until);
        pthread_mutex_unlock(&bed->lock);
    }
}

/* --- the bed --- */

static void start(struct bed *bed, int64_t settle_ms)
{
    struct library_options options = {
        .folders = bed->folders, .settle_ms = settle_ms, .plan_version = 1, .engine = "test"};
    const struct library_prober prober = {bed, probe, stop_scans};
    const struct library_listener listener = {bed, on_title, on_file, on_plan, on_scan, on_ready};
    assert_int_equal(store_open(bed->database, &bed->store, &bed->why), OK);
    assert_int_equal(library_new(&options, bed->store, &bed->library, &bed->why), OK);
    library_start(bed->library, &prober, &listener);
}

static void stop(struct bed *bed)
{
    library_stop(bed->library);
    library_free(&bed->library);
    store_close(&bed->store);
}

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-library-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->films, sizeof bed->films, "%s/films", bed->folder);
    snprintf(bed->database, sizeof bed->database, "%s/matinee.db", bed->folder);
    mkdir(bed->films, 0755);
    bed->folders[0] = bed->films;
    pthread_mutex_init(&bed->lock, NULL);
    pthread_cond_init(&bed->told, NULL);
    *state = bed;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *at)
{
    (void) info;
    (void) flag;
    (void) at;
    return remove(path);
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    stop(bed);
    nftw(bed->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    pthread_cond_destroy(&bed->told);
    pthread_mutex_destroy(&bed->lock);
    free(bed);
    return 0;
}

static char *path_of(struct bed *bed, const char *name)
{
    static _Thread_local char paths[4][512];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", bed->films, name);
    return path;
}

static void put(struct bed *bed, const char *name, const char *text)
{
    int fd = open(path_of(bed, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
}

/* --- what to wait for --- */

static void list(struct bed *bed, struct store_titles *out)
{
    struct store_titles_query query = {.limit = 100};
    assert_int_equal(store_titles_list(bed->store, &query, out), OK);
}

/* "Alien=ready Brazil=waiting ...", sorted by title. */
static bool shows(struct bed *bed, const void *arg)
{
    static const char *const STATES[] = {"waiting", "ready", "unreadable"};
    const char *expected = arg;
    struct store_titles titles;
    struct str text = {0};
    list(bed, &titles);
    for (size_t i = 0; i < titles.count; i++)
        for (size_t k = 0; k < titles.items[i].file_count; k++) {
            const struct store_file *file = &titles.items[i].files[k];
            str_printf(&text, "%s%s=%s", text.length > 0 ? " " : "", titles.items[i].title,
                       file->is_offline ? "offline" : STATES[file->state]);
        }
    bool equal = strcmp(str_text(&text), expected) == 0;
    str_fini(&text);
    store_titles_fini(&titles);
    return equal;
}

static void expect(struct bed *bed, const char *expected)
{
    wait_until(bed, shows, expected);
}

static void id_of(struct bed *bed, size_t title, char out[STORE_ID_SIZE])
{
    struct store_titles titles;
    list(bed, &titles);
    assert_true(titles.count > title);
    memcpy(out, titles.items[title].files[0].id, STORE_ID_SIZE);
    store_titles_fini(&titles);
}

static bool is_idle(struct bed *bed, const void *arg)
{
    struct library_scan scan;
    (void) arg;
    library_scan_state(bed->library, &scan);
    bool idle = !scan.is_running && scan.finished_ms != 0;
    library_scan_fini(&scan);
    return idle;
}

static bool has_lost(struct bed *bed, const void *arg)
{
    pthread_mutex_lock(&bed->lock);
    bool is_lost = strcmp(bed->lost, arg) == 0;
    pthread_mutex_unlock(&bed->lock);
    return is_lost;
}

/* --- stories --- */

static void films_are_found_and_looked_into(void **state)
{
    struct bed *bed = *state;
    struct library_file file = {0};
    struct why why = {0};
    char id[STORE_ID_SIZE];
    mkdir(path_of(bed, "deep"), 0755);
    mkdir(path_of(bed, ".hidden"), 0755);
    put(bed, "Alien (1979).mkv", "12345");
    put(bed, "deep/Brazil.1985.mp4", "bad");
    put(bed, ".hidden/no.mkv", "x");
    put(bed, ".no.mkv", "x");
    put(bed, "readme.txt", "x");
    start(bed, 0);
    expect(bed, "Alien=ready Brazil=unreadable");
    wait_until(bed, is_idle, NULL);
    struct library_scan scan;
    library_scan_state(bed->library, &scan);
    assert_int_equal(scan.done, 2);
    assert_int_equal(scan.total, 2);
    assert_int_equal(scan.folder_count, 1);
    assert_int_equal(scan.folders[0].files, 2);
    assert_int_equal(scan.folders[0].state, FOLDER_READY);
    library_scan_fini(&scan);
    pthread_mutex_lock(&bed->lock);
    assert_int_equal(bed->ready, 1);
    pthread_mutex_unlock(&bed->lock);
    id_of(bed, 0, id);
    assert_int_equal(library_find(bed->library, id, &file, &why), OK);
    assert_string_equal(file.path, path_of(bed, "Alien (1979).mkv"));
    assert_int_equal(file.plans.size, 5);
    assert_int_equal(file.row.duration_ms, 5000);
    library_file_fini(&file);
    id_of(bed, 1, id);
    assert_int_equal(library_find(bed->library, id, &file, &why), ERR_BAD_MEDIA);
    assert_string_equal(why.text, "no film in it");
    library_file_fini(&file);
    assert_int_equal(library_find(bed->library, "nonsense", &file, &why), ERR_NOT_FOUND);
}

static void changes_are_noticed_while_running(void **state)
{
    struct bed *bed = *state;
    char before[STORE_ID_SIZE], after[STORE_ID_SIZE];
    start(bed, 0);
    wait_until(bed, is_idle, NULL);
    put(bed, "Alien (1979).mkv", "1234");
    expect(bed, "Alien=ready");
    id_of(bed, 0, before);
    assert_int_equal(rename(path_of(bed, "Alien (1979).mkv"), path_of(bed, "Brazil (1985).mkv")),
                     0);
    expect(bed, "Brazil=ready");
    id_of(bed, 0, after);
    assert_string_equal(before, after);
    mkdir(path_of(bed, "new"), 0755);
    assert_int_equal(rename(path_of(bed, "Brazil (1985).mkv"), path_of(bed, "new/Cube (1997).mkv")),
                     0);
    expect(bed, "Cube=ready");
    id_of(bed, 0, after);
    assert_string_equal(before, after);
    put(bed, "new/Cube (1997).mkv", "bad now");
    expect(bed, "Cube=unreadable");
    id_of(bed, 0, after);
    assert_string_equal(before, after);
    assert_int_equal(unlink(path_of(bed, "new/Cube (1997).mkv")), 0);
    expect(bed, "");
    wait_until(bed, has_lost, before);
}

static void a_film_moved_while_we_were_away_keeps_its_id(void **state)
{
    struct bed *bed = *state;
    char before[STORE_ID_SIZE], after[STORE_ID_SIZE];
    put(bed, "Alien (1979).mkv", "1234");
    put(bed, "Brazil (1985).mkv", "567");
    start(bed, 0);
    expect(bed, "Alien=ready Brazil=ready");
    id_of(bed, 0, before);
    stop(bed);
    unsigned probes = bed->probes;
    mkdir(path_of(bed, "deep"), 0755);
    rename(path_of(bed, "Alien (1979).mkv"), path_of(bed, "deep/Cube (1997).mkv"));
    rename(path_of(bed, "Brazil (1985).mkv"), path_of(bed, "Alien (1979).mkv"));
    start(bed, 0);
    expect(bed, "Alien=ready Cube=ready");
    id_of(bed, 1, after);
    assert_string_equal(before, after);
    wait_until(bed, is_idle, NULL);
    assert_int_equal(bed->probes, probes); /* the plans came along */
}

static void two_films_may_change_names(void **state)
{
    struct bed *bed = *state;
    char alien[STORE_ID_SIZE], brazil[STORE_ID_SIZE], after[STORE_ID_SIZE];
    put(bed, "Alien (1979).mkv", "1234");
    put(bed, "Brazil (1985).mkv", "567");
    start(bed, 0);
    expect(bed, "Alien=ready Brazil=ready");
    id_of(bed, 0, alien);
    id_of(bed, 1, brazil);
    stop(bed);
    rename(path_of(bed, "Alien (1979).mkv"), path_of(bed, "x"));
    rename(path_of(bed, "Brazil (1985).mkv"), path_of(bed, "Alien (1979).mkv"));
    rename(path_of(bed, "x"), path_of(bed, "Brazil (1985).mkv"));
    start(bed, 0);
    wait_until(bed, is_idle, NULL);
    expect(bed, "Alien=ready Brazil=ready");
    id_of(bed, 0, after);
    assert_string_equal(after, brazil);
    id_of(bed, 1, after);
    assert_string_equal(after, alien);
}

static void what_is_known_is_not_looked_into_again(void **state)
{
    struct bed *bed = *state;
    put(bed, "Alien (1979).mkv", "1234");
    put(bed, "Brazil (1985).mkv", "bad");
    start(bed, 0);
    expect(bed, "Alien=ready Brazil=unreadable");
    stop(bed);
    unsigned probes = bed->probes;
    start(bed, 0);
    wait_until(bed, is_idle, NULL);
    expect(bed, "Alien=ready Brazil=unreadable");
    assert_int_equal(bed->probes, probes);
}

static void two_looks_at_once_at_most(void **state)
{
    struct bed *bed = *state;
    struct str expected = {0};
    for (int i = 10; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "film %d (1990).mkv", i);
        put(bed, name, name);
        str_printf(&expected, "%sfilm %d=ready", i > 10 ? " " : "", i);
    }
    start(bed, 0);
    expect(bed, str_text(&expected));
    assert_int_equal(bed->probes, 40);
    assert_int_equal(bed->most_at_once, 2);
    str_fini(&expected);
}

static void a_growing_file_waits_until_it_settles(void **state)
{
    struct bed *bed = *state;
    struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    put(bed, "Old (1979).mkv", "old");
    assert_int_equal(utimensat(AT_FDCWD, path_of(bed, "Old (1979).mkv"), old, 0), 0);
    put(bed, "Young (1980).mkv", "young");
    start(bed, 700);
    expect(bed, "Old=ready Young=waiting");
    expect(bed, "Old=ready Young=ready");
}

static void a_folder_that_is_not_there_is_offline(void **state)
{
    struct bed *bed = *state;
    char aside[128], before[STORE_ID_SIZE], after[STORE_ID_SIZE];
    struct library_file file = {0};
    snprintf(aside, sizeof aside, "%s/aside", bed->folder);
    put(bed, "Alien (1979).mkv", "1234");
    start(bed, 0);
    expect(bed, "Alien=ready");
    id_of(bed, 0, before);
    assert_int_equal(rename(bed->films, aside), 0);
    expect(bed, "Alien=offline");
    assert_int_equal(library_find(bed->library, before, &file, NULL), ERR_BUSY);
    library_file_fini(&file);
    wait_until(bed, is_idle, NULL);
    struct library_scan scan;
    library_scan_state(bed->library, &scan);
    assert_int_equal(scan.folders[0].state, FOLDER_OFFLINE);
    assert_string_equal(scan.folders[0].reason, "No such file or directory");
    library_scan_fini(&scan);
    assert_int_equal(rename(aside, bed->films), 0);
    library_scan_start(bed->library);
    expect(bed, "Alien=ready");
    id_of(bed, 0, after);
    assert_string_equal(before, after);
}

static void a_walk_that_was_asked_for_runs_until_it_ends(void **state)
{
    char name[] = "A (1979).mkv";
    start(*state, 0);
    for (; name[0] < 'Z'; name[0]++) {
        struct store_titles titles = {0};
        wait_until(*state, is_idle, NULL);
        list(*state, &titles);
        assert_int_equal(titles.count, name[0] - 'A');
        store_titles_fini(&titles);
        put(*state, name, "film");
        library_scan_start(((struct bed *) *state)->library);
    }
}

static void links_lead_to_files_only(void **state)
{
    struct bed *bed = *state;
    char outside[128];
    struct library_file file = {0};
    char id[STORE_ID_SIZE];
    snprintf(outside, sizeof outside, "%s/real", bed->folder);
    int fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "1234", 4), 4);
    close(fd);
    mkdir(path_of(bed, "sub"), 0755);
    assert_int_equal(symlink(outside, path_of(bed, "Alien (1979).mkv")), 0);
    assert_int_equal(symlink("..", path_of(bed, "sub/loop")), 0);
    assert_int_equal(symlink("/nowhere", path_of(bed, "Gone (1980).mkv")), 0);
    assert_int_equal(symlink("/dev/zero", path_of(bed, "Zero (1980).mkv")), 0);
    assert_int_equal(mkfifo(path_of(bed, "Pipe (1980).mkv"), 0644), 0);
    start(bed, 0);
    expect(bed, "Alien=ready");
    wait_until(bed, is_idle, NULL);
    expect(bed, "Alien=ready");
    id_of(bed, 0, id);
    assert_int_equal(library_find(bed->library, id, &file, NULL), OK);
    assert_string_equal(file.path, outside);
    assert_int_equal(file.plans.size, 4);
    library_file_fini(&file);
}

static void names_are_bytes(void **state)
{
    struct bed *bed = *state;
    char id[STORE_ID_SIZE];
    struct library_file file = {0};
    put(bed, "a\nb'\"\xff (1990).mkv", "1234");
    start(bed, 0);
    expect(bed, "a b'\"\xef\xbf\xbd=ready");
    id_of(bed, 0, id);
    assert_int_equal(library_find(bed->library, id, &file, NULL), OK);
    assert_string_equal(file.path, path_of(bed, "a\nb'\"\xff (1990).mkv"));
    assert_string_equal(file.row.name, "a\nb'\"\xef\xbf\xbd (1990).mkv");
    library_file_fini(&file);
}

static void a_plan_of_the_file_before_is_not_lent(void **state)
{
    struct bed *bed = *state;
    struct library_file file = {0};
    char id[STORE_ID_SIZE];
    put(bed, "Alien (1979).mkv", "1234");
    start(bed, 0);
    expect(bed, "Alien=ready");
    id_of(bed, 0, id);
    library_stop(bed->library); /* it does not look any more */
    put(bed, "Alien (1979).mkv", "56789");
    assert_int_equal(library_find(bed->library, id, &file, NULL), OK);
    assert_null(file.plans.bytes);
    assert_int_equal(file.identity.size, 5);
    const struct library_found found = {
        .identity = &file.identity, .bytes = (const uint8_t *) "p", .size = 1};
    assert_int_equal(library_keep_plan(bed->library, id, &found), ERR_NOT_FOUND);
    library_file_fini(&file);
}

static bool reads_one(struct bed *bed, const void *id)
{
    struct library_scan scan;
    library_scan_state(bed->library, &scan);
    bool is_so = strcmp(scan.reading, id) == 0 && scan.read > 0.4 && scan.read < 0.6;
    library_scan_fini(&scan);
    return is_so;
}

static bool is_scanned(struct bed *bed, const void *count)
{
    struct library_scan scan;
    library_scan_state(bed->library, &scan);
    bool is_so = !scan.is_running && scan.reading[0] == '\0';
    library_scan_fini(&scan);
    pthread_mutex_lock(&bed->lock);
    is_so = is_so && bed->scans == *(const unsigned *) count && bed->at_once == 0;
    pthread_mutex_unlock(&bed->lock);
    return is_so;
}

static void expect_plan(struct bed *bed, const char *id, const char *plan)
{
    struct library_file file = {0};
    assert_int_equal(library_find(bed->library, id, &file, NULL), OK);
    assert_int_equal(file.plans.size, strlen(plan));
    assert_memory_equal(file.plans.bytes, plan, file.plans.size);
    library_file_fini(&file);
}

static void expect_no_more_scans(struct bed *bed, unsigned count)
{
    library_scan_start(bed->library);
    usleep(400 * 1000); /* a walk later */
    wait_until(bed, is_scanned, &count);
}

/* Starts a library of one film that is being read through, until let_scans_end. */
static void hold_a_scan(struct bed *bed, char id[STORE_ID_SIZE])
{
    bed->are_scans_held = true;
    put(bed, "Brazil (1985).mkv", "long");
    start(bed, 0);
    expect(bed, "Brazil=ready");
    id_of(bed, 0, id);
    wait_until(bed, reads_one, id);
}

/* Decision 11: it can be played at once, and is read through when nothing new waits; films that come
 * meanwhile wait no longer for that. */
static void a_film_without_an_index_is_ready_and_read_through_later(void **state)
{
    struct bed *bed = *state;
    const unsigned one = 1;
    char id[STORE_ID_SIZE];
    hold_a_scan(bed, id);
    expect_plan(bed, id, "long");
    put(bed, "Cube (1997).mkv", "cube");
    expect(bed, "Brazil=ready Cube=ready");
    assert_true(reads_one(bed, id));
    let_scans_end(bed);
    wait_until(bed, is_scanned, &one);
    expect_plan(bed, id, "scanned");
    assert_int_equal(bed->replans, 1);
    expect_no_more_scans(bed, 1);
}

static void what_was_stopped_in_the_middle_is_read_after_the_next_start(void **state)
{
    struct bed *bed = *state;
    const unsigned two = 2;
    char id[STORE_ID_SIZE];
    hold_a_scan(bed, id);
    library_stop(bed->library);
    let_scans_end(bed);
    stop(bed);
    start(bed, 0);
    wait_until(bed, is_scanned, &two);
    expect_plan(bed, id, "scanned");
}

/* What is wanting now may be there another time: it stays to be done. */
static void what_cannot_be_read_through_now_plays_on(void **state)
{
    struct bed *bed = *state;
    const unsigned one = 1;
    char id[STORE_ID_SIZE];
    put(bed, "Brazil (1985).mkv", "longbusy");
    start(bed, 0);
    wait_until(bed, is_scanned, &one);
    expect(bed, "Brazil=ready");
    id_of(bed, 0, id);
    expect_plan(bed, id, "longbusy");
    assert_int_equal(bed->replans, 0);
    put(bed, "Brazil (1985).mkv", "long, and free");
    expect(bed, "Brazil=ready");
    const unsigned two = 2;
    wait_until(bed, is_scanned, &two);
    expect_plan(bed, id, "scanned");
}

/* Until somebody asks for a walk, or it is time for one. */
static void a_scan_that_is_stopped_stays_so(void **state)
{
    struct bed *bed = *state;
    const unsigned one = 1, two = 2;
    char id[STORE_ID_SIZE];
    hold_a_scan(bed, id);
    library_scan_stop(bed->library);
    wait_until(bed, is_scanned, &one);
    expect_plan(bed, id, "long");
    let_scans_end(bed);
    library_scan_start(bed->library);
    wait_until(bed, is_scanned, &two);
    expect_plan(bed, id, "scanned");
}

static void a_folder_taken_out_of_the_settings_is_forgotten(void **state)
{
    struct bed *bed = *state;
    char more[128], film[192];
    snprintf(more, sizeof more, "%s/more/", bed->folder);
    mkdir(more, 0755);
    snprintf(film, sizeof film, "%sCube (1997).mkv", more);
    int fd = open(film, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "cube", 4), 4);
    close(fd);
    put(bed, "Alien (1979).mkv", "1234");
    bed->folders[1] = more;
    start(bed, 0);
    expect(bed, "Alien=ready Cube=ready");
    stop(bed);
    bed->folders[1] = NULL;
    start(bed, 0);
    expect(bed, "Alien=ready");
    stop(bed);
    bed->folders[1] = more;
    start(bed, 0);
    expect(bed, "Alien=ready Cube=ready");
}

static void a_folder_named_twice_counts_once(void **state)
{
    struct bed *bed = *state;
    char deep[160];
    mkdir(path_of(bed, "deep"), 0755);
    snprintf(deep, sizeof deep, "%s/deep", bed->films);
    put(bed, "deep/Alien (1979).mkv", "1234");
    bed->folders[1] = deep;
    bed->folders[2] = bed->films;
    start(bed, 0);
    expect(bed, "Alien=ready");
    wait_until(bed, is_idle, NULL);
    expect(bed, "Alien=ready");
}

static void stopping_in_the_middle_loses_nothing(void **state)
{
    struct bed *bed = *state;
    struct str expected = {0};
    for (int i = 10; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "film %d (1990).mkv", i);
        put(bed, name, name);
        str_printf(&expected, "%sfilm %d=ready", i > 10 ? " " : "", i);
    }
    for (int i = 0; i < 5; i++) {
        start(bed, 0);
        stop(bed);
    }
    start(bed, 0);
    library_scan_stop(bed->library);
    library_scan_start(bed->library);
    expect(bed, str_text(&expected));
    str_fini(&expected);
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(films_are_found_and_looked_into),
        IN_BED(changes_are_noticed_while_running),
        IN_BED(a_film_moved_while_we_were_away_keeps_its_id),
        IN_BED(two_films_may_change_names),
        IN_BED(what_is_known_is_not_looked_into_again),
        IN_BED(two_looks_at_once_at_most),
        IN_BED(a_growing_file_waits_until_it_settles),
        IN_BED(a_folder_that_is_not_there_is_offline),
        IN_BED(a_walk_that_was_asked_for_runs_until_it_ends),
        IN_BED(links_lead_to_files_only),
        IN_BED(names_are_bytes),
        IN_BED(a_plan_of_the_file_before_is_not_lent),
        IN_BED(a_film_without_an_index_is_ready_and_read_through_later),
        IN_BED(what_was_stopped_in_the_middle_is_read_after_the_next_start),
        IN_BED(what_cannot_be_read_through_now_plays_on),
        IN_BED(a_scan_that_is_stopped_stays_so),
        IN_BED(a_folder_taken_out_of_the_settings_is_forgotten),
        IN_BED(a_folder_named_twice_counts_once),
        IN_BED(stopping_in_the_middle_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
