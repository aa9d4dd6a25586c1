/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media_fake.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

void fake_write_film(struct stage *stage, const char *deed)
{
    fd_close(&stage->film);
    assert_int_equal(fd_memory("film", &stage->film), OK);
    struct str film = {0};
    str_printf(&film, "fake %s\n", deed);
    while (film.length < FAKE_FILM_BYTES)
        str_printf(&film, "%zu ", film.length);
    assert_int_equal(fd_write_at(stage->film, film.at, FAKE_FILM_BYTES, 0), OK);
    str_fini(&film);
}

enum err fake_open_with(struct stage *stage, bool with_plan, bool fresh)
{
    stage->is_dead = false;
    CLEANUP(plan_free) struct plan *plan = fake_plan(FAKE_FILM_BYTES);
    CLEANUP(mem_free_at) uint8_t *bytes = NULL;
    size_t size;
    plan_write(plan, &bytes, &size);
    enum err kind = media_open(stage->host, stage->film, stage->map, FAKE_FILM_BYTES,
                               with_plan ? bytes : NULL, with_plan ? size : 0, "film \xff name",
                               fresh, &stage_media_events, stage, &stage->media);
    if (kind == OK)
        media_on_want(stage->media, &stage_want_events, stage);
    return kind;
}

void fake_open_film(struct stage *stage, const char *deed)
{
    fake_write_film(stage, deed);
    assert_int_equal(fake_open_with(stage, true, false), OK);
}

void fake_set_up_with(void **state, const struct media_options *options)
{
    struct stage *stage = mem_new(struct stage);
    stage_init(stage, FAKE_PROGRAM, options);
    *state = stage;
}

int fake_set_up(void **state)
{
    fake_set_up_with(state, &(struct media_options){0});
    return 0;
}

int fake_set_up_impatient(void **state)
{
    fake_set_up_with(state, &(struct media_options){.hang_ms = 600});
    return 0;
}

int fake_tear_down(void **state)
{
    struct stage *stage = *state;
    stage_fini(stage);
    mem_free(stage);
    return 0;
}

void fake_assert_segment(const struct heard *heard, uint32_t rendition, uint32_t n)
{
    if (!heard->is_done)
        fail_msg("failed: %s %s", err_name(heard->kind), heard->why.text);
    char head[64];
    int length = snprintf(head, sizeof head, "rendition %u segment %u of ", rendition, n);
    assert_int_equal(strncmp(str_text(&heard->text), head, (size_t) length), 0);
    const char *source = strchr(str_text(&heard->text), '\n') + 1;
    char expected[1000];
    size_t got;
    assert_int_equal(fd_read_at(heard->stage->film, expected, 1000, (uint64_t) n * 1000, &got), OK);
    assert_memory_equal(source, expected, 1000);
    assert_string_equal(source + 1000, "end\n");
    assert_int_equal(heard->part_ends, 2);
}

void fake_until_born(struct stage *stage)
{
    int64_t deadline = clock_mono_ms() + STAGE_GIVEN_UP_MS;
    while (media_pid(stage->media) == 0 && clock_mono_ms() < deadline)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_not_equal(media_pid(stage->media), 0);
}

void fake_make_one(struct stage *stage)
{
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, 2);
    run_until_end(stage, &heard);
    fake_assert_segment(&heard, FAKE_SOUND, 2);
    heard_fini(&heard);
    fake_until_born(stage);
}
