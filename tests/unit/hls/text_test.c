/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole subtitles: made once however many ask, tried again after a death, kept, and given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hls/text.h"
#include "room_stage.h"

/* An ask from the loop of those who ask. */
struct asked_text {
    struct stage *stage;
    struct text_options options;
    struct text_ask *ask;
    /* under stage->lock */
    unsigned answers;
    enum err kind;
    struct why why;
    size_t size;
};

static void on_text(void *ctx, const struct text_answer *answer)
{
    struct asked_text *asked = ctx;
    pthread_mutex_lock(&asked->stage->lock);
    asked->answers++;
    asked->kind = answer->kind;
    asked->why = *answer->why;
    asked->size = answer->size;
    pthread_mutex_unlock(&asked->stage->lock);
}

static void open_text(void *ctx)
{
    struct asked_text *asked = ctx;
    asked->ask = text_ask(asked->stage->hls, &asked->options, loop_mailbox(asked->stage->loop),
                          on_text, asked);
}

static void close_text(void *ctx)
{
    text_ask_close(&((struct asked_text *) ctx)->ask);
}

static void ask(struct stage *stage, struct asked_text *asked, struct film *film, uint32_t track)
{
    *asked = (struct asked_text){
        .stage = stage,
        .options = {.film = film, .what = {.track = track, .scale = CONVERT_SCALE_ONE}}};
    loop_call(stage->loop, open_text, asked);
}

static void close_it(struct asked_text *asked)
{
    loop_call(asked->stage->loop, close_text, asked);
}

static enum err answer(struct asked_text *asked)
{
    unsigned answers = 0;
    for (int i = 0; i < 5000 && answers == 0; i++) {
        pthread_mutex_lock(&asked->stage->lock);
        answers = asked->answers;
        pthread_mutex_unlock(&asked->stage->lock);
        if (answers == 0)
            usleep(1000);
    }
    assert_int_equal(answers, 1);
    return asked->kind;
}

/* Film "a", open; asked.film is held until stage_close. */
static struct film *open_film(struct stage *stage, struct asked *asked)
{
    stage_ask(stage, asked, ASK_FILM, "a", NULL, 0, "");
    assert_int_equal(stage_answer(asked, 1), OK);
    return asked->film;
}

/* Its process is asked for by a timer of the hub. */
static void until_job(struct stage *stage, uint32_t track)
{
    for (int i = 0; i < 5000 && !stage_has_job(stage, FAKE_CONVERSION, track); i++)
        usleep(1000);
    assert_true(stage_has_job(stage, FAKE_CONVERSION, track));
}

static void one_is_made_for_all_and_kept(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked_text first, second, third, other;
    struct film *a = open_film(stage, &film);
    ask(stage, &first, a, 1);
    ask(stage, &second, a, 1);
    until_job(stage, 1);
    assert_int_equal(stage_running(stage), 1);
    stage_act(stage, ACT_DONE, FAKE_CONVERSION, 1);
    assert_int_equal(answer(&first), OK);
    assert_int_equal(answer(&second), OK);
    assert_int_equal(first.size, 10);
    ask(stage, &third, a, 1);
    assert_int_equal(answer(&third), OK); /* without a process */
    ask(stage, &other, a, 2);
    until_job(stage, 2);
    close_it(&other); /* it goes on, for who asks again */
    stage_act(stage, ACT_DONE, FAKE_CONVERSION, 2);
    stage_settle(stage);
    ask(stage, &other, a, 2);
    assert_int_equal(answer(&other), OK);
    assert_int_equal(stage_running(stage), 0);
    close_it(&first);
    close_it(&second);
    close_it(&third);
    close_it(&other);
    stage_close(&film);
}

static void a_death_is_forgiven_once(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked_text text;
    struct film *a = open_film(stage, &film);
    ask(stage, &text, a, 1);
    stage_act(stage, ACT_DIE, FAKE_CONVERSION, 1);
    stage_act(stage, ACT_DONE, FAKE_CONVERSION, 1);
    assert_int_equal(answer(&text), OK);
    close_it(&text);
    ask(stage, &text, a, 2);
    stage_act(stage, ACT_DIE, FAKE_CONVERSION, 2);
    stage_act(stage, ACT_DIE, FAKE_CONVERSION, 2);
    assert_int_equal(answer(&text), ERR_BAD_MEDIA);
    assert_non_null(strstr(text.why.text, "two media processes died"));
    close_it(&text);
    /* a failure is not kept */
    ask(stage, &text, a, 2);
    stage_act(stage, ACT_BAD, FAKE_CONVERSION, 2);
    assert_int_equal(answer(&text), ERR_BAD_MEDIA);
    close_it(&text);
    ask(stage, &text, a, 2);
    stage_act(stage, ACT_GONE, FAKE_CONVERSION, 2);
    assert_int_equal(answer(&text), ERR_GONE);
    close_it(&text);
    stage_close(&film);
}

static void a_file_beside_must_be_the_one_that_was_found(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked_text text;
    struct stat status;
    char path[100];
    struct film *a = open_film(stage, &film);
    snprintf(path, sizeof path, "%s/a.srt", stage->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("words", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(stat(path, &status), 0);
    const struct beside_file found = {.path = path,
                                      .size = 5,
                                      .mtime_ns = (int64_t) status.st_mtim.tv_sec * 1000000000 +
                                                  status.st_mtim.tv_nsec};
    struct beside_file other = found;
    other.size = 6;
    text =
        (struct asked_text){.stage = stage, .options = {.film = a, .file = &found, .is_raw = true}};
    loop_call(stage->loop, open_text, &text);
    assert_int_equal(answer(&text), OK);
    assert_int_equal(text.size, 5);
    close_it(&text);
    text = (struct asked_text){.stage = stage, .options = {.film = a, .file = &other}};
    loop_call(stage->loop, open_text, &text);
    assert_int_equal(answer(&text), ERR_GONE);
    close_it(&text);
    text = (struct asked_text){.stage = stage, .options = {.film = a, .file = &found}};
    loop_call(stage->loop, open_text, &text);
    stage_act(stage, ACT_DONE, FAKE_CONVERSION, 0);
    assert_int_equal(answer(&text), OK);
    close_it(&text);
    unlink(path);
    stage_close(&film);
}

static void the_end_of_all_ends_them(void **state)
{
    struct stage *stage = *state;
    struct asked film;
    struct asked_text text;
    ask(stage, &text, open_film(stage, &film), 1);
    until_job(stage, 1);
    close_it(&text);
    stage_close(&film); /* the conversion is under way when the stage is taken down */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_made_for_all_and_kept, stage_set_up,
                                        stage_tear_down),
        cmocka_unit_test_setup_teardown(a_death_is_forgiven_once, stage_set_up, stage_tear_down),
        cmocka_unit_test_setup_teardown(a_file_beside_must_be_the_one_that_was_found, stage_set_up,
                                        stage_tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_all_ends_them, stage_set_up, stage_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
