/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Playlists from hand-made plans, line by line against the rules (hls-engines.md part 4, named by
 * their numbers) and the decisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>

#include "hls/playlist.h"
#include "plan_fixture.h"

static const struct playlist_client mse = {.caps = CAP_H264 | CAP_AAC, .playback = ""};
static const struct playlist_client native = {
    .is_native = true, .caps = CAP_H264 | CAP_AAC, .playback = ""};

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        found++;
    return found;
}

static void has(const char *text, const char *what)
{
    if (strstr(text, what) == NULL)
        fail_msg("\"%s\" is missing in:\n%s", what, text);
}

static void lacks(const char *text, const char *what)
{
    if (strstr(text, what) != NULL)
        fail_msg("\"%s\" must not be in:\n%s", what, text);
}

static void master_of(struct film *film, const struct playlist_client *client, struct str *out)
{
    str_clear(out);
    assert_true(playlist_master(film, client, out));
}

static void media_of(struct film *film, const char *name, const struct playlist_client *client,
                     struct str *out)
{
    int rendition = plan_find(film->plan, name);
    assert_true(rendition >= 0);
    str_clear(out);
    playlist_media(film, (uint32_t) rendition, client, out);
}

static void media_playlist_is_complete_and_exact(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    media_of(film, "video-copy", &mse, &text);
    struct str expected = {0};
    const char *v = film->versions[0];
    str_printf(&expected,
               "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
               "#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
               "#EXT-X-MAP:URI=\"init.mp4?v=%s&client=mse\"\n",
               v);
    for (int n = 0; n < 4; n++)
        str_printf(&expected, "#EXTINF:5.000000,\n%d.m4s?v=%s&client=mse\n", n, v);
    str_puts(&expected, "#EXT-X-ENDLIST\n");
    assert_string_equal(str_text(&text), str_text(&expected));
    str_fini(&text);
    str_fini(&expected);
    film_unref(&film);
}

/* Rule 12, decision 6: one for all video and audio; at least 10 for native players. */
static void one_target_duration(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    struct film *film = fixture_film(&plan, "x264-1");
    static const char *const names[] = {"video-copy", "video-720p", "audio-1-copy", "audio-1-aac"};
    struct str text = {0};
    for (size_t i = 0; i < 4; i++) {
        media_of(film, names[i], &mse, &text);
        has(str_text(&text), "#EXT-X-TARGETDURATION:5\n");
        media_of(film, names[i], &native, &text);
        has(str_text(&text), "#EXT-X-TARGETDURATION:10\n");
    }
    str_fini(&text);
    film_unref(&film);
}

/* Decision 7: EXTINF is the difference of neighbouring cuts of that rendition, on its own grid;
 * rule 4: none rounds above the target; rule 13: all cover the same time. */
static void extinf_follows_the_cuts(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    for (uint32_t r = 0; r < film->plan->rendition_count; r++) {
        media_of(film, film->plan->renditions[r].name, &mse, &text);
        uint32_t n = 0;
        uint64_t sum_us = 0;
        for (const char *at = str_text(&text); (at = strstr(at, "#EXTINF:")) != NULL; n++) {
            at += 8;
            unsigned long seconds = strtoul(at, NULL, 10);
            const char *dot = strchr(at, '.');
            assert_int_equal(strspn(dot + 1, "0123456789"), 6);
            uint64_t us = (uint64_t) seconds * 1000000 + strtoul(dot + 1, NULL, 10);
            uint64_t scale = film->plan->renditions[r].timescale;
            uint64_t ticks = (uint64_t) (plan_segment_start(film->plan, r, n + 1) -
                                         plan_segment_start(film->plan, r, n));
            assert_int_equal(us, (ticks * 1000000 + scale / 2) / scale);
            assert_true((us + 500000) / 1000000 <= 5);
            sum_us += us;
        }
        assert_int_equal(n, plan_segment_count(film->plan, r));
        assert_true(sum_us >= 20000000 && sum_us < 20040000);
    }
    str_fini(&text);
    film_unref(&film);
}

/* Decision 13. */
static void independence_is_said_where_true(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    plan->renditions[0].is_independent = false;
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    media_of(film, "video-copy", &mse, &text);
    lacks(str_text(&text), "INDEPENDENT");
    media_of(film, "video-720p", &mse, &text);
    has(str_text(&text), "#EXT-X-INDEPENDENT-SEGMENTS\n");
    media_of(film, "audio-1-aac", &mse, &text);
    has(str_text(&text), "#EXT-X-INDEPENDENT-SEGMENTS\n");
    master_of(film, &mse, &text);
    lacks(str_text(&text), "INDEPENDENT");
    str_fini(&text);
    film_unref(&film);
}

/* Rules 19, 23, 24, 27, 32; the copy first. */
static void variants_say_everything(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    plan->fps_num = 24000;
    plan->fps_den = 1001;
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    master_of(film, &mse, &text);
    struct str expected = {0};
    str_printf(&expected,
               "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
               "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"Audio 1\",LANGUAGE=\"und\","
               "DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\","
               "URI=\"audio-1-copy/index.m3u8?v=%s&client=mse\"\n"
               "#EXT-X-STREAM-INF:BANDWIDTH=6130000,AVERAGE-BANDWIDTH=3065000,"
               "CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=23.976,"
               "VIDEO-RANGE=SDR,AUDIO=\"aac\",CLOSED-CAPTIONS=NONE\n"
               "video-copy/index.m3u8?v=%s&client=mse\n"
               "#EXT-X-STREAM-INF:BANDWIDTH=4130000,AVERAGE-BANDWIDTH=2065000,"
               "CODECS=\"avc1.640020,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=23.976,"
               "VIDEO-RANGE=SDR,AUDIO=\"aac\",CLOSED-CAPTIONS=NONE\n"
               "video-720p/index.m3u8?v=%s&client=mse\n",
               film->versions[2], film->versions[0], film->versions[1]);
    assert_string_equal(str_text(&text), str_text(&expected));
    str_fini(&text);
    str_fini(&expected);
    film_unref(&film);
}

static void client_and_playback_are_carried(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    struct film *film = fixture_film(&plan, "x264-1");
    const struct playlist_client client = {
        .is_native = true, .caps = CAP_H264 | CAP_AAC, .playback = "a-Z_9"};
    struct str text = {0};
    master_of(film, &client, &text);
    assert_int_equal(count(str_text(&text), ".m3u8?"),
                     count(str_text(&text), "&client=native&p=a-Z_9"));
    media_of(film, "audio-1-aac", &client, &text);
    assert_int_equal(count(str_text(&text), "&client=native&p=a-Z_9"),
                     plan_segment_count(film->plan, 3) + 1);
    lacks(str_text(&text), "http");
    lacks(str_text(&text), "/");
    str_fini(&text);
    film_unref(&film);
}

/* player.md 5: a native player that drops its only variant stops. */
static void native_players_get_two_variants(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001e", 1000000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    master_of(film, &native, &text);
    has(str_text(&text), "\nvideo-720p/index.m3u8?");
    has(str_text(&text), "\nvideo-720p-b/index.m3u8?");
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 2);
    lacks(str_text(&text), "AUDIO=");
    master_of(film, &mse, &text);
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 1);
    assert_int_equal(film_find(film, SLICE("video-720p-b")), 0);
    assert_int_equal(film_find(film, SLICE("video-720p-c")), -1);
    assert_int_equal(film_find(film, SLICE("-b")), -1);
    str_fini(&text);
    film_unref(&film);
}

/* Rules 27, 29, 30, 31: groups with the same members; AAC for every track; CODECS of all. */
static void audio_stands_in_groups_by_codec(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    uint32_t first = fixture_track(plan, PLAN_AUDIO, CODEC_AC3, "ac3", 1);
    uint32_t second = fixture_track(plan, PLAN_AUDIO, CODEC_AAC, "aac", 2);
    plan->tracks[first].channels = 6;
    plan->tracks[first].frame_size = 1536;
    snprintf(plan->tracks[first].language, 16, "en");
    snprintf(plan->tracks[second].language, 16, "en");
    snprintf(plan->tracks[second].title, 16, "The \"maker\"");
    plan->tracks[second].is_commentary = true;
    fixture_rendition(plan, "video-copy", video, true, "avc1.64001f", 6000000);
    fixture_rendition(plan, "audio-1-copy", first, true, "ac-3", 450000)->channels = 6;
    fixture_rendition(plan, "audio-1-aac", first, false, "mp4a.40.2", 160000);
    fixture_rendition(plan, "audio-2-copy", second, true, "mp4a.40.2", 130000);
    fixture_rendition(plan, "audio-2-aac", second, false, "mp4a.40.2", 160000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    const struct playlist_client surround = {.caps = CAP_H264 | CAP_AAC | CAP_AC3, .playback = ""};
    master_of(film, &surround, &text);
    assert_int_equal(count(str_text(&text), "GROUP-ID=\"ac3\""), 2);
    assert_int_equal(count(str_text(&text), "GROUP-ID=\"aac\""), 2);
    assert_int_equal(count(str_text(&text), "NAME=\"en\""), 2);
    assert_int_equal(count(str_text(&text), "NAME=\"The 'maker'\""), 2);
    assert_int_equal(count(str_text(&text), "DEFAULT=YES"), 2);
    has(str_text(&text), "CHANNELS=\"6\",URI=\"audio-1-copy/");
    has(str_text(&text), "CHANNELS=\"2\",URI=\"audio-1-aac/");
    has(str_text(&text), "DEFAULT=NO,AUTOSELECT=NO,CHANNELS=\"2\",URI=\"audio-2-copy/");
    has(str_text(&text), "BANDWIDTH=6450000,AVERAGE-BANDWIDTH=3225000,"
                         "CODECS=\"avc1.64001f,ac-3,mp4a.40.2\"");
    has(str_text(&text), "BANDWIDTH=6160000,AVERAGE-BANDWIDTH=3080000,"
                         "CODECS=\"avc1.64001f,mp4a.40.2\"");
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 2);
    master_of(film, &mse, &text);
    lacks(str_text(&text), "ac-3");
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 1);
    str_fini(&text);
    film_unref(&film);
}

/* Rule 28. */
static void names_are_unique(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 6000000);
    for (uint32_t i = 1; i <= 3; i++) {
        char name[24];
        uint32_t audio = fixture_track(plan, PLAN_AUDIO, CODEC_AAC, "aac", i);
        snprintf(plan->tracks[audio].language, 16, "de");
        snprintf(name, sizeof name, "audio-%u-aac", i);
        fixture_rendition(plan, name, audio, false, "mp4a.40.2", 160000);
    }
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    master_of(film, &mse, &text);
    has(str_text(&text), "NAME=\"de\"");
    has(str_text(&text), "NAME=\"de (2)\"");
    has(str_text(&text), "NAME=\"de (3)\"");
    assert_int_equal(count(str_text(&text), "DEFAULT=YES"), 1);
    str_fini(&text);
    film_unref(&film);
}

static void copies_need_the_capability(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_HEVC, "hevc", 1);
    plan->tracks[video].bit_depth = 10;
    fixture_rendition(plan, "video-copy", video, true, "hvc1.2.4.L120.90", 6000000);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 3000000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    struct playlist_client client = mse;
    client.caps = playlist_caps(SLICE("h264,hevc"), false);
    master_of(film, &client, &text);
    lacks(str_text(&text), "hvc1");
    client.caps = playlist_caps(SLICE("hevc10"), false);
    master_of(film, &client, &text);
    assert_true(strstr(str_text(&text), "video-copy/") < strstr(str_text(&text), "video-720p/"));
    str_fini(&text);
    film_unref(&film);
}

static void sound_only_films_have_audio_variants(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    plan->copy_count = 0;
    plan->fps_num = 0;
    plan->fps_den = 1;
    uint32_t first = fixture_track(plan, PLAN_AUDIO, CODEC_MP3, "mp3", 1);
    fixture_rendition(plan, "audio-1-aac", first, false, "mp4a.40.2", 160000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    master_of(film, &native, &text);
    has(str_text(&text), "#EXT-X-STREAM-INF:BANDWIDTH=160000,AVERAGE-BANDWIDTH=80000,"
                         "CODECS=\"mp4a.40.2\",CLOSED-CAPTIONS=NONE\naudio-1-aac/index.m3u8?");
    has(str_text(&text), "\naudio-1-aac-b/index.m3u8?");
    lacks(str_text(&text), "RESOLUTION");
    lacks(str_text(&text), "FRAME-RATE");
    str_fini(&text);
    film_unref(&film);
}

/* Rule 36: for the road the sound alone, in at most 192 kbit/s; to native players only. */
static void native_players_have_a_variant_for_the_road(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    uint32_t audio = fixture_track(plan, PLAN_AUDIO, CODEC_AC3, "ac3", 1);
    fixture_rendition(plan, "video-copy", video, true, "avc1.64001f", 6000000);
    fixture_rendition(plan, "audio-1-aac", audio, false, "mp4a.40.2", 250000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    master_of(film, &native, &text);
    lacks(str_text(&text), "CODECS=\"mp4a.40.2\""); /* it is too much for that */
    film_unref(&film);
    plan = fixture_plan();
    video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    audio = fixture_track(plan, PLAN_AUDIO, CODEC_AC3, "ac3", 1);
    uint32_t second = fixture_track(plan, PLAN_AUDIO, CODEC_AAC, "aac", 2);
    fixture_rendition(plan, "video-copy", video, true, "avc1.64001f", 6000000);
    fixture_rendition(plan, "audio-1-aac", audio, false, "mp4a.40.2", 250000);
    fixture_rendition(plan, "audio-2-copy", second, true, "mp4a.40.2", 130000);
    fixture_rendition(plan, "audio-2-aac", second, false, "mp4a.40.2", 250000);
    fixture_rendition(plan, "audio-1-aac-low", audio, false, "mp4a.40.2", 170000);
    fixture_rendition(plan, "audio-2-aac-low", second, false, "mp4a.40.2", 170000);
    film = fixture_film(&plan, "x264-1");
    master_of(film, &native, &text);
    has(str_text(&text), "#EXT-X-STREAM-INF:BANDWIDTH=170000,AVERAGE-BANDWIDTH=85000,"
                         "CODECS=\"mp4a.40.2\",AUDIO=\"aac-low\",CLOSED-CAPTIONS=NONE\n"
                         "audio-1-aac-low/index.m3u8?");
    assert_int_equal(count(str_text(&text), "GROUP-ID=\"aac-low\""), 2);
    lacks(str_text(&text), "audio-2-aac-low"); /* the copy is less */
    /* and last: players begin with the first */
    assert_true(strstr(str_text(&text), "BANDWIDTH=170000") >
                strstr(str_text(&text), "\nvideo-copy-b/"));
    master_of(film, &mse, &text);
    lacks(str_text(&text), "-low");
    str_fini(&text);
    film_unref(&film);
}

/* Decision 2: identity, engine and plan each change `v`; the same inputs give the same. */
static void versions_follow_their_inputs(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    struct film *one = fixture_film(&plan, "x264-1");
    plan = fixture_usual_plan();
    struct film *other_engine = fixture_film(&plan, "x264-2");
    assert_int_equal(strspn(one->versions[0], "0123456789abcdef"), 8);
    assert_string_not_equal(one->versions[0], one->versions[1]);
    assert_string_not_equal(one->versions[1], other_engine->versions[1]);
    assert_true(film_is_version(one, 0, (struct slice){0}));
    assert_true(film_is_version(one, 0, slice_of(one->versions[0])));
    assert_false(film_is_version(one, 0, slice_of(one->versions[1])));
    assert_false(film_is_version(one, 0, SLICE("")));
    film_unref(&one);
    film_unref(&other_engine);
}

static void caps_are_words(void **state)
{
    (void) state;
    assert_int_equal(playlist_caps((struct slice){0}, false), CAP_H264 | CAP_AAC);
    assert_int_equal(playlist_caps((struct slice){0}, true),
                     CAP_H264 | CAP_AAC | CAP_AC3 | CAP_EAC3);
    assert_int_equal(playlist_caps(SLICE(""), true), CAP_H264 | CAP_AAC);
    assert_int_equal(playlist_caps(SLICE("opus,,hevc10,nonsense,av"), false),
                     CAP_H264 | CAP_AAC | CAP_OPUS | CAP_HEVC10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_playlist_is_complete_and_exact),
        cmocka_unit_test(one_target_duration),
        cmocka_unit_test(extinf_follows_the_cuts),
        cmocka_unit_test(independence_is_said_where_true),
        cmocka_unit_test(variants_say_everything),
        cmocka_unit_test(client_and_playback_are_carried),
        cmocka_unit_test(native_players_get_two_variants),
        cmocka_unit_test(audio_stands_in_groups_by_codec),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(copies_need_the_capability),
        cmocka_unit_test(sound_only_films_have_audio_variants),
        cmocka_unit_test(native_players_have_a_variant_for_the_road),
        cmocka_unit_test(versions_follow_their_inputs),
        cmocka_unit_test(caps_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
