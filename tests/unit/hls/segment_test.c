/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments that grow while others read them: order, ends, listeners on other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "hls/segment.h"

enum { PARTS = 200, READERS = 3, PART_BYTES = 100 };

static struct segment *new_growing(int *file)
{
    int fd = -1;
    assert_int_equal(fd_memory("test", &fd), OK);
    *file = dup(fd);
    return segment_new(&fd);
}

static void grows_and_ends(void **state)
{
    (void) state;
    int file = -1;
    struct segment *segment = new_growing(&file);
    struct segment_view view;
    segment_look(segment, &view);
    assert_int_equal(view.state, SEGMENT_MAKING);
    assert_false(view.has_part);
    assert_int_equal(fd_write_at(file, "headmore", 8, 0), OK);
    const struct media_piece pieces[] = {{false, 0, 4}, {true, 1000, 50}, {false, 4, 4}};
    segment_append(segment, pieces, 2, false);
    segment_look(segment, &view);
    assert_int_equal(view.bytes, 54);
    assert_false(view.has_part);
    segment_append(segment, pieces + 2, 1, true);
    segment_look(segment, &view);
    assert_true(view.has_part);
    assert_int_equal(view.pieces, 3);
    segment_finish(segment, "\"tag\"");
    segment_look(segment, &view);
    assert_int_equal(view.state, SEGMENT_DONE);
    assert_string_equal(view.tag, "\"tag\"");
    struct media_piece seen[4];
    assert_int_equal(segment_pieces(segment, 1, seen, 4), 2);
    assert_true(seen[0].is_source);
    assert_int_equal(seen[0].offset, 1000);
    assert_int_equal(segment_pieces(segment, 3, seen, 4), 0);
    char bytes[16];
    size_t got = 0;
    assert_int_equal(segment_read_now(segment, bytes, 4, 4, &got), OK);
    assert_memory_equal(bytes, "more", 4);
    assert_int_equal(segment_read(segment, bytes, 4, 100, &got), ERR_IO);
    close(file);
    segment_unref(&segment);
    segment_unref(&segment);
}

static void recipe_outlives_its_file(void **state)
{
    (void) state;
    int file = -1;
    struct segment *made = new_growing(&file);
    assert_int_equal(fd_write_at(file, "header", 6, 0), OK);
    close(file);
    const struct media_piece pieces[] = {{false, 0, 6}, {true, 7, 9}};
    segment_append(made, pieces, 2, true);
    segment_finish(made, "\"x\"");
    uint8_t *bytes = mem_dup("header", 6);
    struct segment *recipe = segment_new_recipe(made, &bytes, 6);
    assert_null(bytes);
    segment_unref(&made);
    struct segment_view view;
    segment_look(recipe, &view);
    assert_int_equal(view.state, SEGMENT_DONE);
    assert_int_equal(view.bytes, 15);
    assert_int_equal(segment_fd(recipe), -1);
    char text[8] = {0};
    size_t got = 0;
    assert_int_equal(segment_read_now(recipe, text, 8, 2, &got), OK);
    assert_int_equal(got, 4);
    assert_string_equal(text, "ader");
    assert_int_equal(segment_read_now(recipe, text, 8, 6, &got), ERR_IO);
    segment_unref(&recipe);
}

/* While it is made nobody may hold pages of the file: it could not be sealed (memfd_create(2)). */
static void its_file_is_lent_when_it_is_done(void **state)
{
    (void) state;
    int file = -1;
    struct segment *segment = new_growing(&file);
    const struct media_piece piece = {false, 0, 4};
    const void *bytes = "";
    int fd = -1;
    uint64_t from = 1;
    assert_int_equal(fd_write_at(file, "text", 4, 0), OK);
    segment_append(segment, &piece, 1, true);
    assert_false(segment_lend(segment, 0, 4, &bytes, &fd, &from));
    segment_finish(segment, "\"x\"");
    assert_true(segment_lend(segment, 0, 4, &bytes, &fd, &from));
    assert_null(bytes);
    assert_int_equal(fd, segment_fd(segment));
    assert_int_equal(from, 0);
    uint8_t *copy = mem_dup("text", 4);
    struct segment *recipe = segment_new_recipe(segment, &copy, 4);
    assert_true(segment_lend(recipe, 1, 3, &bytes, &fd, &from));
    assert_memory_equal(bytes, "ext", 3);
    assert_false(segment_lend(recipe, 1, 4, &bytes, &fd, &from));
    close(file);
    segment_unref(&recipe);
    segment_unref(&segment);
}

static void failure_says_why(void **state)
{
    (void) state;
    int file = -1;
    struct segment *segment = new_growing(&file);
    close(file);
    struct why why = {.text = "it broke"};
    segment_fail(segment, ERR_GONE, &why);
    struct segment_view view;
    segment_look(segment, &view);
    assert_int_equal(view.state, SEGMENT_FAILED);
    assert_int_equal(view.kind, ERR_GONE);
    struct why said;
    segment_why(segment, &said);
    assert_string_equal(said.text, "it broke");
    segment_unref(&segment);
}

/* A reader on a loop of its own: follows the segment to its end and checks every byte. */
struct reader {
    struct loop *loop;
    struct segment *segment;
    struct segment_listener *listener;
    size_t seen;
    sem_t done;
};

static void follow(void *ctx)
{
    struct reader *reader = ctx;
    struct segment_view view;
    struct media_piece piece;
    if (reader->listener == NULL)
        return;
    segment_look(reader->segment, &view);
    while (segment_pieces(reader->segment, reader->seen, &piece, 1) == 1) {
        uint8_t bytes[PART_BYTES];
        size_t got = 0;
        MUST(segment_read_now(reader->segment, bytes, piece.length, piece.offset, &got) == OK);
        MUST(got == PART_BYTES);
        for (size_t i = 0; i < got; i++)
            MUST(bytes[i] == (uint8_t) reader->seen);
        reader->seen++;
    }
    if (view.state == SEGMENT_DONE && reader->seen == view.pieces) {
        segment_unlisten(reader->segment, &reader->listener);
        sem_post(&reader->done);
    }
}

static void begin(void *ctx)
{
    struct reader *reader = ctx;
    reader->listener = segment_listen(reader->segment, loop_mailbox(reader->loop), follow, reader);
    follow(reader);
}

static void readers_on_other_threads_see_all(void **state)
{
    (void) state;
    int file = -1;
    struct segment *segment = new_growing(&file);
    struct reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.segment = segment};
        sem_init(&readers[i].done, 0, 0);
        assert_int_equal(loop_start("reader", &readers[i].loop), OK);
        mailbox_post(loop_mailbox(readers[i].loop), begin, &readers[i]);
    }
    for (uint64_t n = 0; n < PARTS; n++) {
        uint8_t bytes[PART_BYTES];
        memset(bytes, (int) n, sizeof bytes);
        assert_int_equal(fd_write_at(file, bytes, sizeof bytes, n * PART_BYTES), OK);
        segment_append(segment, &(struct media_piece){false, n * PART_BYTES, PART_BYTES}, 1, true);
    }
    segment_finish(segment, "\"t\"");
    for (int i = 0; i < READERS; i++) {
        while (sem_wait(&readers[i].done) != 0)
            ;
        assert_int_equal(readers[i].seen, PARTS);
        loop_stop(&readers[i].loop);
        sem_destroy(&readers[i].done);
    }
    close(file);
    segment_unref(&segment);
}

struct quitter {
    struct loop *loop;
    struct segment *segment;
    struct segment_listener *listener;
    bool has_left;
};

static void must_not_be_called(void *ctx)
{
    MUST(!((struct quitter *) ctx)->has_left);
}

static void listen_now(void *ctx)
{
    struct quitter *quitter = ctx;
    quitter->listener =
        segment_listen(quitter->segment, loop_mailbox(quitter->loop), must_not_be_called, quitter);
}

static void leave_now(void *ctx)
{
    struct quitter *quitter = ctx;
    segment_unlisten(quitter->segment, &quitter->listener);
    quitter->has_left = true;
}

static void who_left_is_not_called(void **state)
{
    (void) state;
    struct quitter quitter = {0};
    assert_int_equal(loop_start("quitter", &quitter.loop), OK);
    for (int round = 0; round < 50; round++) {
        int file = -1;
        quitter.segment = new_growing(&file);
        quitter.has_left = false;
        loop_call(quitter.loop, listen_now, &quitter);
        mailbox_post(loop_mailbox(quitter.loop), leave_now, &quitter);
        for (int i = 0; i < 20; i++)
            segment_append(quitter.segment, &(struct media_piece){false, 0, 1}, 1, false);
        loop_call(quitter.loop, must_not_be_called, &(struct quitter){0});
        close(file);
        segment_unref(&quitter.segment);
    }
    loop_stop(&quitter.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_ends),
        cmocka_unit_test(recipe_outlives_its_file),
        cmocka_unit_test(its_file_is_lent_when_it_is_done),
        cmocka_unit_test(failure_says_why),
        cmocka_unit_test(readers_on_other_threads_see_all),
        cmocka_unit_test(who_left_is_not_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
