/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The choice of cuts, the grids, and the record as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segments/plan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define V            90000

/* Cuts from times in ms; the result in ms. */
static uint32_t choose_copy(const int64_t *keys_ms, size_t count, int64_t end_ms, int64_t *cuts_ms)
{
    int64_t keys[64];
    uint32_t *indexes = NULL, n = 0;
    struct why why = {0};
    enum err err;

    for (size_t i = 0; i < count; i++)
        keys[i] = keys_ms[i] * V / 1000;
    err = plan_choose_copy_cuts(keys, count, end_ms * V / 1000, V, &indexes, &n, &why);
    assert_int_equal(err == OK, n > 0);
    if (err != OK)
        assert_true(why.text[0] != '\0');
    for (uint32_t i = 0; i < n; i++)
        cuts_ms[i] = keys_ms[indexes[i]];
    mem_free(indexes);
    return n;
}

static void assert_cuts(const int64_t *got, uint32_t got_count, const int64_t *want, size_t count)
{
    assert_int_equal(got_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(got[i], want[i]);
}

static void the_copy_is_cut_at_keys_four_seconds_apart(void **state)
{
    static const int64_t keys[] = {0, 1000, 2000, 3999, 4100, 8000, 8100, 13000, 17500};
    static const int64_t want[] = {0, 4100, 8100, 13000};
    int64_t cuts[64];

    (void) state;
    /* 17.5 s is the last key, 0.9 s before the end: it joins the piece before */
    assert_cuts(cuts, choose_copy(keys, COUNT(keys), 18400, cuts), want, COUNT(want));
}

static void a_tail_of_a_second_stays(void **state)
{
    static const int64_t keys[] = {0, 4000, 8000};
    int64_t cuts[64];

    (void) state;
    assert_cuts(cuts, choose_copy(keys, 3, 9000, cuts), keys, 3);
    assert_cuts(cuts, choose_copy(keys, 3, 8999, cuts), keys, 2);
}

static void no_copy_where_pieces_exceed_twelve_seconds(void **state)
{
    static const int64_t keys[] = {0, 12001};
    static const int64_t fits[] = {0, 12000};
    int64_t cuts[64];

    (void) state;
    assert_int_equal(choose_copy(keys, 2, 16000, cuts), 0);
    assert_int_equal(choose_copy(fits, 2, 16000, cuts), 2);
    assert_int_equal(choose_copy(fits, 2, 24001, cuts), 0);
}

static void no_copy_where_the_first_key_is_late(void **state)
{
    static const int64_t late[] = {101, 4200};
    static const int64_t near[] = {100, 4200};
    int64_t cuts[64];

    (void) state;
    assert_int_equal(choose_copy(late, 2, 8000, cuts), 0);
    assert_int_equal(choose_copy(near, 2, 8000, cuts), 2);
    assert_int_equal(choose_copy(near, 0, 8000, cuts), 0);
}

static uint32_t choose(const int64_t *copy_ms, uint32_t count, int64_t end_ms, int64_t *cuts_ms)
{
    int64_t copy[64] = {0}, *cuts = NULL;
    uint32_t n;

    for (uint32_t i = 0; i < count; i++)
        copy[i] = copy_ms[i] * V / 1000;
    plan_choose_cuts(copy, count, end_ms * V / 1000, V, &cuts, &n);
    assert_true(n <= 64);
    for (uint32_t i = 0; i < n; i++)
        cuts_ms[i] = cuts[i] * 1000 / V;
    mem_free(cuts);
    return n;
}

static void long_pieces_are_divided_and_the_start_is_short(void **state)
{
    static const int64_t copy[] = {0, 4000, 10000, 19000};
    static const int64_t want[] = {0, 1000, 2000, 4000, 10000, 13000, 16000, 19000};
    static const int64_t long_first[] = {0, 9000};
    static const int64_t want_first[] = {0, 1000, 2000, 3000, 6000, 9000};
    static const int64_t eight[] = {0, 8000};
    static const int64_t want_eight[] = {0, 1000, 2000, 4000, 8000};
    int64_t cuts[64];

    (void) state;
    assert_cuts(cuts, choose(copy, 4, 22000, cuts), want, COUNT(want));
    assert_cuts(cuts, choose(long_first, 2, 12000, cuts), want_first, COUNT(want_first));
    assert_cuts(cuts, choose(eight, 2, 12000, cuts), want_eight, COUNT(want_eight));
}

static void without_a_copy_the_grid_is_free(void **state)
{
    static const int64_t want[] = {0, 1000, 2000, 4000, 8000, 12000};
    int64_t cuts[64];

    (void) state;
    assert_cuts(cuts, choose(NULL, 0, 13500, cuts), want, 6);
    assert_cuts(cuts, choose(NULL, 0, 12900, cuts), want, 5);
    assert_cuts(cuts, choose(NULL, 0, 3000, cuts), want, 3);
    assert_cuts(cuts, choose(NULL, 0, 2999, cuts), want, 2);
    assert_cuts(cuts, choose(NULL, 0, 1999, cuts), want, 1);
    assert_cuts(cuts, choose(NULL, 0, 1, cuts), want, 1);
}

static void add_tracks(struct plan *plan, uint32_t rate)
{
    plan->tracks = mem_new_array(struct plan_track, 4);
    plan->track_count = 4;
    for (uint32_t i = 0; i < 4; i++) {
        struct plan_track *t = &plan->tracks[i];
        t->kind = i < 3 ? (enum plan_kind) i : PLAN_SUBTITLE;
        t->number = i < 3 ? 1 : 2;
        t->first_ns = i == 1 ? 11000000 : 1000000;
        snprintf(t->language, sizeof t->language, "und");
        t->sar_num = t->sar_den = 1;
        t->fps_num = plan->fps_num;
        t->fps_den = plan->fps_den;
        t->rate = i == 1 ? rate : 0;
        t->frame_size = i == 1 ? 1536 : 0;
        t->channels = i == 1 ? 6 : 0;
    }
    snprintf(plan->tracks[1].title, sizeof plan->tracks[1].title, "Kommentar \xc3\xbc");
    plan->tracks[0].extradata = mem_dup("abc", 3);
    plan->tracks[0].extradata_size = 3;
}

static void fill_rendition(struct plan_rendition *r, uint32_t timescale)
{
    r->timescale = timescale;
    bool is_picture = r->kind == PLAN_VIDEO || r->kind == PLAN_IFRAMES;
    r->width = is_picture ? 1280 : 0;
    r->height = is_picture ? 720 : 0;
    r->channels = r->kind == PLAN_AUDIO ? 2 : 0;
    r->bitrate = r->is_copy || plan_is_subtitle(r->kind) ? 0 : 128000;
    snprintf(r->video_range, sizeof r->video_range, "%s", is_picture ? "SDR" : "");
    if (!plan_is_subtitle(r->kind) && plan_burnt(r) == 0) {
        r->init = mem_dup("init", 4);
        r->init_size = 4;
    }
}

static void add_renditions(struct plan *plan, uint32_t rate)
{
    static const struct plan_rendition forms[] = {
        {.name = "video-copy",
         .kind = PLAN_VIDEO,
         .is_copy = true,
         .track = 0,
         .codecs = "avc1.640028"},
        {.name = "video-720p", .kind = PLAN_VIDEO, .track = 0, .codecs = "avc1.64001F"},
        {.name = "audio-1-copy",
         .kind = PLAN_AUDIO,
         .is_copy = true,
         .track = 1,
         .codecs = "mp4a.40.2"},
        {.name = "audio-1-aac", .kind = PLAN_AUDIO, .track = 1, .codecs = "mp4a.40.2"},
        {.name = "subtitle-1", .kind = PLAN_SUBTITLE, .track = 2},
        {.name = "iframes-video-copy",
         .kind = PLAN_IFRAMES,
         .is_copy = true,
         .track = 0,
         .codecs = "avc1.640028"},
        {.name = "iframes-video-720p", .kind = PLAN_IFRAMES, .track = 0, .codecs = "avc1.64001F"},
        {.name = "pictures-2", .kind = PLAN_PICTURES, .track = 3},
        {.name = "video-720p-burn-2", .kind = PLAN_VIDEO, .track = 0, .codecs = "avc1.64001F"}};
    plan->rendition_count = COUNT(forms);
    plan->renditions = mem_dup(forms, sizeof forms);
    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        struct plan_rendition *r = &plan->renditions[i];
        fill_rendition(r, r->kind == PLAN_AUDIO ? rate : plan->timescale);
    }
}

/* Keys every 5 s, and all cuts by the rules. */
static void add_cuts(struct plan *plan)
{
    int64_t keys[64];
    uint32_t *indexes = NULL, key_count = 0;

    for (int64_t at = 0; at < plan->end && key_count < 64; at += 5 * (int64_t) plan->timescale)
        keys[key_count++] = at;
    assert_int_equal(plan_choose_copy_cuts(keys, key_count, plan->end, plan->timescale, &indexes,
                                           &plan->copy_count, NULL),
                     OK);
    plan->copy_cuts = mem_new_array(int64_t, plan->copy_count);
    plan->copy_pos = mem_new_array(uint64_t, plan->copy_count);
    for (uint32_t i = 0; i < plan->copy_count; i++) {
        plan->copy_cuts[i] = keys[indexes[i]];
        plan->copy_pos[i] = indexes[i] * 1000u;
    }
    mem_free(indexes);
    plan->keys = mem_dup(keys, key_count * sizeof *keys);
    plan->key_pos = mem_new_array(uint64_t, key_count);
    plan->key_count = key_count;
    for (uint32_t i = 0; i < key_count; i++)
        plan->key_pos[i] = i * 1000u;
    plan_choose_cuts(plan->copy_cuts, plan->copy_count, plan->end, plan->timescale, &plan->cuts,
                     &plan->cut_count);
}

/* A film of `end_ms`: H.264 and AAC, each copied and transcoded, and subtitles. */
static struct plan *make_plan(int64_t end_ms, uint32_t fps_num, uint32_t fps_den, uint32_t rate)
{
    struct plan *plan = plan_new();

    plan->version = PLAN_VERSION;
    plan->container = CONTAINER_MKV;
    plan->timescale = fps_den == 1001 ? fps_num : V;
    plan->end = end_ms * plan->timescale / 1000;
    plan->fps_num = fps_num;
    plan->fps_den = fps_den;
    plan->t0_ns = 1000000;
    add_tracks(plan, rate);
    add_renditions(plan, rate);
    add_cuts(plan);
    plan->chapters = mem_new_array(struct plan_chapter, 1);
    plan->chapter_count = 1;
    plan->chapters[0].end_ms = 1000;
    return plan;
}

static void segments_meet_without_gap_on_every_grid(void **state)
{
    static const struct {
        uint32_t num, den, rate;
        int64_t end_ms;
    } films[] = {{24000, 1001, 48000, 33367}, {25, 1, 44100, 20040},     {60000, 1001, 48000, 7001},
                 {30, 1, 22050, 5000},        {30000, 1001, 44100, 40},  {24, 1, 48000, 1},
                 {60, 1, 48000, 17},          {24000, 1001, 8000, 61234}};

    (void) state;
    for (size_t f = 0; f < COUNT(films); f++) {
        struct plan *plan = make_plan(films[f].end_ms, films[f].num, films[f].den, films[f].rate);
        for (uint32_t r = 0; r < plan->rendition_count; r++) {
            uint32_t count = plan_segment_count(plan, r);
            int64_t end = plan_segment_start(plan, r, count);
            double scale = plan->renditions[r].timescale;
            assert_true(count >= 1);
            if (films[f].end_ms < 100 && plan->renditions[r].is_copy)
                continue;
            for (uint32_t n = 0; n < count; n++)
                assert_true(plan_segment_start(plan, r, n) < plan_segment_start(plan, r, n + 1));
            /* the end is E, up to a frame */
            assert_true((double) end / scale - (double) films[f].end_ms / 1000 < 0.2);
            assert_true((double) end / scale - (double) films[f].end_ms / 1000 > -0.03);
        }
        plan_free(&plan);
    }
}

/* Decision 6: variants meet at each cut of C within half a frame; audio starts up to one later. */
static void the_grids_keep_to_the_cuts(void **state)
{
    struct plan *plan = make_plan(33367, 24000, 1001, 48000);
    int aac = plan_find(plan, "audio-1-aac"), copy = plan_find(plan, "audio-1-copy");
    int video = plan_find(plan, "video-720p");

    (void) state;
    assert_true(aac >= 0 && copy >= 0 && video >= 0);
    assert_int_equal(plan_find(plan, "audio-2-aac"), -1);
    for (uint32_t n = 0; n < plan->cut_count; n++) {
        int64_t v = plan_segment_start(plan, (uint32_t) video, n);
        int64_t a = plan_segment_start(plan, (uint32_t) aac, n);
        int64_t c = plan_segment_start(plan, (uint32_t) copy, n);
        assert_int_equal(v % 1001, 0);
        assert_true(v - plan->cuts[n] <= 501 && plan->cuts[n] - v <= 501);
        assert_int_equal(a % 1024, 0);
        assert_true(a * 24000 >= plan->cuts[n] * 48000);
        assert_true((a - 1024) * 24000 < plan->cuts[n] * 48000);
        /* the copy's track begins 10 ms after T0: its grid stands on 480 */
        assert_int_equal((c - 480) % 1536, 0);
        assert_true(c * 24000 >= plan->cuts[n] * 48000);
        assert_true((c - 1536) * 24000 < plan->cuts[n] * 48000);
    }
    plan_free(&plan);
}

static void an_audio_copy_ends_with_its_track(void **state)
{
    struct plan *plan = make_plan(20000, 25, 1, 48000);
    uint32_t copy = (uint32_t) plan_find(plan, "audio-1-copy");
    uint32_t count = plan_segment_count(plan, copy);

    (void) state;
    /* 600 frames of 32 ms, 0.4 ms of rounding on top */
    plan->tracks[1].end_ns = plan->tracks[1].first_ns + INT64_C(600) * 32000000 + 400000;
    assert_int_equal(plan_segment_start(plan, copy, count), 480 + 600 * 1536);
    plan->tracks[1].end_ns = plan->tracks[1].first_ns + INT64_C(100) * 1000000000;
    /* the first frame at or after 20 s */
    assert_int_equal(plan_segment_start(plan, copy, count), 480 + 625 * 1536);
    plan_free(&plan);
}

static void a_position_finds_its_segment(void **state)
{
    struct plan *plan = make_plan(33367, 24000, 1001, 48000);

    (void) state;
    for (uint32_t r = 0; r < plan->rendition_count; r++) {
        uint32_t count = plan_segment_count(plan, r);
        for (uint32_t n = 0; n < count; n++) {
            int64_t start = plan_segment_start(plan, r, n);
            int64_t ms = start * 1000 / plan->renditions[r].timescale + 1;
            assert_int_equal(plan_segment_at(plan, r, ms), n);
        }
        assert_int_equal(plan_segment_at(plan, r, INT64_C(1) << 50), count - 1);
        assert_int_equal(plan_segment_at(plan, r, 0), 0);
    }
    plan_free(&plan);
}

/* HLS 4.4.3.1: no EXTINF rounds to more. */
static void the_target_duration_is_the_longest_segment(void **state)
{
    struct plan *plan = make_plan(33367, 24000, 1001, 48000);
    struct plan *tiny = make_plan(40, 25, 1, 48000);

    (void) state;
    /* copies are cut every 5 s; the last piece, 25 s to 33.4 s, holds the key at 30 s as well */
    assert_int_equal(plan_target_duration(plan), 5);
    assert_int_equal(plan_target_duration(tiny), 1);
    plan_free(&plan);
    plan_free(&tiny);
}

static void check_starts(const struct plan *plan)
{
    for (uint32_t r = 0; r < plan->rendition_count; r++) {
        int64_t *starts = NULL;
        uint32_t count = 0;
        plan_segment_starts(plan, r, &starts, &count);
        assert_int_equal(count, plan_segment_count(plan, r));
        for (uint32_t n = 0; n <= count; n++)
            assert_int_equal(starts[n], plan_segment_start(plan, r, n));
        mem_free(starts);
    }
}

static void subtitles_follow_the_copy_or_skip_the_short_start(void **state)
{
    struct plan *plan = make_plan(22000, 25, 1, 48000);
    uint32_t r = (uint32_t) plan_find(plan, "subtitle-1");

    (void) state;
    assert_int_equal(plan_segment_count(plan, r), plan->copy_count);
    assert_int_equal(plan_segment_start(plan, r, 1), 5 * V);
    check_starts(plan);
    plan->copy_count = 0;
    mem_free(plan->cuts);
    plan_choose_cuts(NULL, 0, plan->end, V, &plan->cuts, &plan->cut_count);
    assert_int_equal(plan_segment_count(plan, r), 6); /* 0 4 8 12 16 20 */
    assert_int_equal(plan_segment_start(plan, r, 1), 4 * V);
    assert_int_equal(plan_segment_start(plan, r, 6), plan->end);
    check_starts(plan);
    plan_free(&plan);
}

/* RFC 8216 4.3.3.6: up to the next picture, or the end; rule 12: a target of their own. */
static void pictures_to_scrub_by_follow_the_keys(void **state)
{
    struct plan *plan = make_plan(33367, 24000, 1001, 48000);
    uint32_t copy = (uint32_t) plan_find(plan, "iframes-video-copy");
    uint32_t made = (uint32_t) plan_find(plan, "iframes-video-720p");
    uint32_t video = (uint32_t) plan_find(plan, "video-720p");

    (void) state;
    assert_int_equal(plan_segment_count(plan, copy), 7);
    assert_int_equal(plan_segment_count(plan, made), 7);
    for (uint32_t n = 0; n < 7; n++)
        assert_int_equal(plan_segment_start(plan, copy, n), plan_segment_start(plan, made, n));
    assert_int_equal(plan_segment_start(plan, copy, 6), INT64_C(30) * 24000);
    assert_int_equal(plan_segment_start(plan, copy, 7), plan->end);
    plan->keys[5] = plan->keys[6] - 1; /* 9.99 s after the one before */
    assert_int_equal(plan_target_duration_of(plan, copy), 10);
    assert_int_equal(plan_target_duration(plan), 5);
    plan->key_count = 0;
    assert_int_equal(plan_segment_count(plan, made), plan->cut_count);
    assert_int_equal(plan_segment_start(plan, made, 2), plan_segment_start(plan, video, 2));
    plan_free(&plan);
}

static void what_is_drawn_into_a_rung_is_in_its_name(void **state)
{
    struct plan *plan = make_plan(33367, 24000, 1001, 48000);
    int burnt = plan_find(plan, "video-720p-burn-2"), rung = plan_find(plan, "video-720p");

    (void) state;
    assert_true(burnt > 0 && rung > 0);
    assert_int_equal(plan_burnt(&plan->renditions[burnt]), 2);
    assert_int_equal(plan_unburnt(plan, (uint32_t) burnt), rung);
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        if ((int) i != burnt) {
            assert_int_equal(plan_burnt(&plan->renditions[i]), 0);
            assert_int_equal(plan_unburnt(plan, i), i);
        }
    assert_int_equal(plan_segment_count(plan, (uint32_t) burnt),
                     plan_segment_count(plan, (uint32_t) rung));
    assert_int_equal(plan_segment_count(plan, (uint32_t) plan_find(plan, "pictures-2")),
                     plan_segment_count(plan, (uint32_t) plan_find(plan, "subtitle-1")));
    plan_free(&plan);
}

static void a_plan_comes_back_from_its_bytes(void **state)
{
    struct plan *plan = make_plan(33367, 24000, 1001, 48000), *back = NULL;
    uint8_t *bytes, *again;
    size_t size, again_size;
    struct why why = {0};

    (void) state;
    plan_write(plan, &bytes, &size);
    assert_int_equal(plan_read(bytes, size, &back, &why), OK);
    plan_write(back, &again, &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(bytes, again, size);
    assert_string_equal(back->tracks[1].title, plan->tracks[1].title);
    assert_int_equal(back->tracks[1].first_ns, 11000000);
    assert_memory_equal(back->tracks[0].extradata, "abc", 3);
    assert_int_equal(back->copy_pos[1], plan->copy_pos[1]);
    assert_int_equal(back->key_count, plan->key_count);
    assert_int_equal(back->key_pos[3], plan->key_pos[3]);
    mem_free(bytes);
    mem_free(again);
    plan_free(&plan);
    plan_free(&back);
}

static void no_shorter_and_no_longer_bytes_are_a_plan(void **state)
{
    struct plan *plan = make_plan(9000, 25, 1, 48000), *back = NULL;
    uint8_t *bytes;
    size_t size;

    (void) state;
    plan_write(plan, &bytes, &size);
    for (size_t i = 0; i < size; i++) {
        uint8_t *part = mem_dup(bytes, i == 0 ? 1 : i);
        struct why why = {0};
        assert_int_equal(plan_read(part, i, &back, &why), ERR_BAD_INPUT);
        assert_null(back);
        assert_true(why.text[0] != '\0');
        mem_free(part);
    }
    bytes = mem_realloc_array(bytes, size + 1, 1);
    bytes[size] = 0;
    assert_int_equal(plan_read(bytes, size + 1, &back, NULL), ERR_BAD_INPUT);
    mem_free(bytes);
    plan_free(&plan);
}

typedef void spoil_fn(struct plan *plan);

static void spoil_version(struct plan *p)
{
    p->version++;
}
static void spoil_timescale(struct plan *p)
{
    p->timescale = 0;
}
static void spoil_end(struct plan *p)
{
    p->end = (int64_t) 49 * 3600 * p->timescale;
}
static void spoil_rising(struct plan *p)
{
    p->cuts[2] = p->cuts[1];
}
static void spoil_first_cut(struct plan *p)
{
    p->cuts[0] = 1;
}
static void spoil_shared_cut(struct plan *p)
{
    p->copy_cuts[1]++;
}
static void spoil_last_cut(struct plan *p)
{
    p->end = p->cuts[p->cut_count - 1];
}
static void spoil_rising_keys(struct plan *p)
{
    p->keys[2] = p->keys[1];
}
static void spoil_late_keys(struct plan *p)
{
    p->keys[0] = 1;
}
static void spoil_no_keys(struct plan *p)
{
    p->key_count = 0; /* but a copy of them */
}
static void spoil_iframes_name(struct plan *p)
{
    snprintf(p->renditions[5].name, sizeof p->renditions[5].name, "video-copy-iframes");
}
static void spoil_iframes_track(struct plan *p)
{
    p->renditions[6].track = 1;
}
static void spoil_fps(struct plan *p)
{
    p->fps_den = 0;
}
static void spoil_track(struct plan *p)
{
    p->renditions[0].track = 3;
}
static void spoil_kind(struct plan *p)
{
    p->renditions[0].track = 1;
}
static void spoil_name(struct plan *p)
{
    p->renditions[1].name[0] = '/';
}
static void spoil_twin(struct plan *p)
{
    p->renditions[3] = (struct plan_rendition){.init = p->renditions[3].init};
}
static void spoil_codecs(struct plan *p)
{
    p->renditions[0].codecs[0] = '"';
}
static void spoil_frame_size(struct plan *p)
{
    p->tracks[1].frame_size = 0;
}
static void spoil_long_frames(struct plan *p)
{
    p->tracks[1].frame_size = 96000; /* two seconds: a segment of one would be empty */
}
static void spoil_early_anchor(struct plan *p)
{
    p->tracks[1].end_ns = p->tracks[1].first_ns + 3000000000; /* ends before the last cuts */
}
static void spoil_title(struct plan *p)
{
    p->tracks[0].title[0] = '\n';
}
static void spoil_utf8(struct plan *p)
{
    p->tracks[0].title[0] = (char) 0xff;
}
static void spoil_language(struct plan *p)
{
    p->tracks[0].language[1] = '"';
}
static void spoil_rotation(struct plan *p)
{
    p->tracks[0].rotation = 45;
}
static void spoil_rate(struct plan *p)
{
    p->renditions[3].timescale = 0;
}
static void spoil_bitrate(struct plan *p)
{
    p->renditions[1].bitrate = 0;
}

static void spoil_copy_bitrate(struct plan *p)
{
    p->renditions[0].bitrate = 1000;
}

static void spoil_low_alone(struct plan *p)
{
    snprintf(p->renditions[3].name, sizeof p->renditions[3].name, "audio-1-aac-low");
}

static void spoil_range(struct plan *p)
{
    memset(p->renditions[0].video_range, 0, 4);
}
static void spoil_chapter(struct plan *p)
{
    p->chapters[0].end_ms = -1;
}
static struct plan_rendition *named(const struct plan *p, const char *name)
{
    int index = plan_find(p, name);
    assert_true(index >= 0);
    return &p->renditions[index];
}

static void spoil_pictures_name(struct plan *p)
{
    snprintf(named(p, "pictures-2")->name, 24, "pictures-1");
}

static void spoil_pictures_track(struct plan *p)
{
    named(p, "pictures-2")->track = 1;
}

static void spoil_burnt_text(struct plan *p)
{
    snprintf(named(p, "video-720p-burn-2")->name, 24, "video-720p-burn-1");
}

static void spoil_burnt_rung(struct plan *p)
{
    named(p, "video-720p-burn-2")->height = 480;
}

static void spoil_burnt_copy(struct plan *p)
{
    snprintf(named(p, "video-720p-burn-2")->name, 24, "video-copy-burn-2");
}

static void spoil_burnt_name(struct plan *p)
{
    snprintf(named(p, "video-720p-burn-2")->name, 24, "video-720p-burn-02");
}

static void spoil_burnt_init(struct plan *p)
{
    struct plan_rendition *r = named(p, "video-720p-burn-2");
    r->init = mem_dup("init", 4);
    r->init_size = 4;
}

static void spoil_anchor_time(struct plan *p)
{
    p->tracks[1].first_ns = INT64_MIN;
}

static void a_plan_that_lies_is_not_believed(void **state)
{
    static spoil_fn *const spoils[] = {
        spoil_version,       spoil_timescale,      spoil_end,           spoil_rising,
        spoil_first_cut,     spoil_shared_cut,     spoil_rising_keys,   spoil_late_keys,
        spoil_no_keys,       spoil_iframes_name,   spoil_iframes_track, spoil_last_cut,
        spoil_fps,           spoil_track,          spoil_kind,          spoil_name,
        spoil_twin,          spoil_codecs,         spoil_frame_size,    spoil_long_frames,
        spoil_early_anchor,  spoil_title,          spoil_utf8,          spoil_language,
        spoil_rotation,      spoil_bitrate,        spoil_copy_bitrate,  spoil_low_alone,
        spoil_rate,          spoil_range,          spoil_chapter,       spoil_anchor_time,
        spoil_pictures_name, spoil_pictures_track, spoil_burnt_text,    spoil_burnt_rung,
        spoil_burnt_copy,    spoil_burnt_name,     spoil_burnt_init};

    (void) state;
    for (size_t i = 0; i < COUNT(spoils); i++) {
        struct plan *plan = make_plan(33367, 24000, 1001, 48000), *back = NULL;
        struct why why = {0};
        uint8_t *bytes;
        size_t size;
        spoils[i](plan);
        plan_write(plan, &bytes, &size);
        if (plan_read(bytes, size, &back, &why) != ERR_BAD_INPUT)
            fail_msg("spoil %zu was believed", i);
        assert_true(why.text[0] != '\0');
        mem_free(bytes);
        plan_free(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_copy_is_cut_at_keys_four_seconds_apart),
        cmocka_unit_test(a_tail_of_a_second_stays),
        cmocka_unit_test(no_copy_where_pieces_exceed_twelve_seconds),
        cmocka_unit_test(no_copy_where_the_first_key_is_late),
        cmocka_unit_test(long_pieces_are_divided_and_the_start_is_short),
        cmocka_unit_test(without_a_copy_the_grid_is_free),
        cmocka_unit_test(segments_meet_without_gap_on_every_grid),
        cmocka_unit_test(the_grids_keep_to_the_cuts),
        cmocka_unit_test(an_audio_copy_ends_with_its_track),
        cmocka_unit_test(a_position_finds_its_segment),
        cmocka_unit_test(the_target_duration_is_the_longest_segment),
        cmocka_unit_test(subtitles_follow_the_copy_or_skip_the_short_start),
        cmocka_unit_test(pictures_to_scrub_by_follow_the_keys),
        cmocka_unit_test(what_is_drawn_into_a_rung_is_in_its_name),
        cmocka_unit_test(a_plan_comes_back_from_its_bytes),
        cmocka_unit_test(no_shorter_and_no_longer_bytes_are_a_plan),
        cmocka_unit_test(a_plan_that_lies_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
