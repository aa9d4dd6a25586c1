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

/* `caps` NULL: it says nothing. */
static struct playlist_client client_of(const char *caps, bool is_native)
{
    struct playlist_client client = {.is_native = is_native, .playback = ""};
    playlist_caps((struct slice){caps, caps != NULL ? strlen(caps) : 0}, &client);
    return client;
}

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

static struct plan_rendition *iframes(struct plan *plan, const char *name, bool is_copy,
                                      const char *codecs, uint32_t bandwidth)
{
    struct plan_rendition *r = fixture_rendition(plan, name, 0, is_copy, codecs, bandwidth);
    r->kind = PLAN_IFRAMES;
    return r;
}

static void add_keys(struct plan *plan)
{
    static const int64_t seconds[] = {0, 2, 5, 10, 15, 16};
    plan->key_count = sizeof seconds / sizeof *seconds;
    plan->keys = mem_new_array(int64_t, plan->key_count);
    plan->key_pos = mem_new_array(uint64_t, plan->key_count);
    for (uint32_t i = 0; i < plan->key_count; i++)
        plan->keys[i] = seconds[i] * FIXTURE_TIMESCALE;
}

/* RFC 8216 4.3.3.6. Rules 37, 38. */
static void pictures_to_scrub_by_have_a_playlist(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    add_keys(plan);
    iframes(plan, "iframes-video-copy", true, "avc1.64001f", 900000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0}, expected = {0};
    const char *v = film->versions[4];
    media_of(film, "iframes-video-copy", &mse, &text);
    str_printf(&expected,
               "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
               "#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
               "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"init.mp4?v=%s&client=mse\"\n",
               v);
    static const int lengths[] = {2, 3, 5, 5, 1, 4};
    for (int n = 0; n < 6; n++)
        str_printf(&expected, "#EXTINF:%d.000000,\n%d.m4s?v=%s&client=mse\n", lengths[n], n, v);
    str_puts(&expected, "#EXT-X-ENDLIST\n");
    assert_string_equal(str_text(&text), str_text(&expected));
    media_of(film, "video-copy", &mse, &text);
    lacks(str_text(&text), "I-FRAMES-ONLY");
    str_fini(&text);
    str_fini(&expected);
    film_unref(&film);
}

/* RFC 8216 4.3.4.3: no FRAME-RATE, no groups, the URI as an attribute; rule 39. */
static void pictures_to_scrub_by_are_announced(void **state)
{
    (void) state;
    struct plan *plan = fixture_usual_plan();
    plan->tracks[0].codec = CODEC_HEVC;
    add_keys(plan);
    memcpy(iframes(plan, "iframes-video-copy", true, "hvc1.1.6.L93", 900000)->video_range, "PQ", 3);
    iframes(plan, "iframes-video-720p", false, "avc1.64001f", 130000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0}, expected = {0};
    str_printf(&expected,
               "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=65000,"
               "CODECS=\"avc1.64001f\",RESOLUTION=1280x720,VIDEO-RANGE=SDR,"
               "URI=\"iframes-video-720p/index.m3u8?v=%s&client=native\"\n",
               film->versions[5]);
    master_of(film, &native, &text);
    has(str_text(&text), str_text(&expected));
    assert_int_equal(count(str_text(&text), "I-FRAME-STREAM-INF"), 1);
    struct playlist_client client = native;
    client.caps |= CAP_HEVC | CAP_HDR;
    master_of(film, &client, &text);
    assert_int_equal(count(str_text(&text), "I-FRAME-STREAM-INF"), 2);
    has(str_text(&text), "BANDWIDTH=900000,AVERAGE-BANDWIDTH=450000,CODECS=\"hvc1.1.6.L93\","
                         "RESOLUTION=1280x720,VIDEO-RANGE=PQ,URI=\"iframes-video-copy/");
    assert_int_equal(count(str_text(&text), "iframes-"), 2);
    str_fini(&text);
    str_fini(&expected);
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
    struct playlist_client client = client_of("h264,hevc", false);
    master_of(film, &client, &text);
    lacks(str_text(&text), "hvc1");
    client = client_of("hevc10", false);
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
    assert_int_equal(client_of(NULL, false).caps, CAP_H264 | CAP_AAC);
    assert_int_equal(client_of(NULL, true).caps,
                     CAP_H264 | CAP_AAC | CAP_AC3 | CAP_EAC3 | CAP_SURROUND);
    assert_int_equal(client_of("", true).caps, CAP_H264 | CAP_AAC | CAP_SURROUND);
    assert_int_equal(client_of("opus,,hevc10,nonsense,av", false).caps,
                     CAP_H264 | CAP_AAC | CAP_OPUS | CAP_HEVC10);
    struct playlist_client client =
        client_of("h264.51,hevc10.153,av1-10.13,hdr,surround,screen.1920x1080", false);
    assert_int_equal(client.caps,
                     CAP_H264 | CAP_AAC | CAP_HEVC10 | CAP_AV1_10 | CAP_HDR | CAP_SURROUND);
    assert_int_equal(client.levels[CAP_BIT_H264], 51);
    assert_int_equal(client.levels[CAP_BIT_HEVC10], 153);
    assert_int_equal(client.levels[CAP_BIT_HEVC], 0);
    assert_int_equal(client.levels[CAP_BIT_AV1_10], 13);
    assert_int_equal(client.screen_width, 1920);
    assert_int_equal(client.screen_height, 1080);
    client =
        client_of("h264.999999999,hevc.x,vp9.,av1.1x,screen.1920,screen.x,screen.99999x1,.", false);
    assert_int_equal(client.caps, CAP_H264 | CAP_AAC | CAP_HEVC | CAP_VP9 | CAP_AV1);
    for (size_t i = 0; i < CAP_BIT_COUNT; i++)
        assert_int_equal(client.levels[i], 0);
    assert_int_equal(client.screen_width, 0);
}

static void levels_stand_in_codec_strings(void **state)
{
    (void) state;
    static const struct {
        const char *codec;
        uint32_t level;
    } forms[] = {{"avc1.640028", 40},
                 {"avc1.42E01E", 30},
                 {"hvc1.1.6.L120.90", 120},
                 {"hvc1.2.4.H153.B0", 153},
                 {"av01.0.08M.08", 8},
                 {"av01.0.13M.10", 13},
                 {"vp09.02.51.10", 51},
                 {"mp4a.40.2", 0},
                 {"avc1", 0},
                 {"avc1.6400", 0},
                 {"hvc1.2.4", 0},
                 {"hvc1.2.4.153", 0},
                 {"av01.0", 0},
                 {"vp09.00", 0},
                 {"vp09.00.9999999999", 0},
                 {"avc1.64002800000000", 0},
                 {"", 0}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        assert_int_equal(playlist_level(forms[i].codec), forms[i].level);
}

static enum playlist_way way_of(const struct plan *plan, const char *caps, const char *reason)
{
    const struct playlist_client client = client_of(caps, false);
    struct why why;
    enum playlist_way way = playlist_judge(&client, plan, 0, &why);
    if (reason == NULL ? why.text[0] != '\0' : strstr(why.text, reason) == NULL)
        fail_msg("%s: \"%s\"", caps, why.text);
    return way;
}

/* Each in words. */
static void every_client_is_told_how_and_why(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_HEVC, "hevc", 1);
    plan->tracks[video].bit_depth = 10;
    struct plan_rendition *copy =
        fixture_rendition(plan, "video-copy", video, true, "hvc1.2.4.L153.B0", 6000000);
    memcpy(copy->video_range, "PQ", 3);
    assert_int_equal(way_of(plan, "hevc10,hdr", NULL), WAY_COPY);
    assert_int_equal(way_of(plan, "hevc10.153,hdr", NULL), WAY_COPY);
    assert_int_equal(way_of(plan, "hevc", "no hevc of more than 8 bits"), WAY_REFUSED);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 3000000);
    assert_int_equal(way_of(plan, "hevc", "no hevc of more than 8 bits"), WAY_TRANSCODE);
    assert_int_equal(way_of(plan, "hevc10", "HDR (PQ)"), WAY_TRANSCODE);
    assert_int_equal(way_of(plan, "hevc10.120,hdr", "153 in hvc1.2.4.L153.B0"), WAY_TRANSCODE);
    plan->renditions[0].is_copy = false;
    snprintf(plan->tracks[video].copy_refused, 20, "it is interlaced");
    assert_int_equal(way_of(plan, "hevc10,hdr", "it is interlaced"), WAY_TRANSCODE);
    plan_free(&plan);
}

/* HDR to those alone who show it, and SDR beside it to all. */
static void hdr_needs_a_screen_for_it(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_HEVC, "hevc", 1);
    plan->tracks[video].bit_depth = 10;
    memcpy(fixture_rendition(plan, "video-copy", video, true, "hvc1.2.4.L120.90", 6000000)
               ->video_range,
           "HLG", 4);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 3000000);
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    struct playlist_client client = client_of("hevc10,hdr", false);
    master_of(film, &client, &text);
    has(str_text(&text), "VIDEO-RANGE=HLG");
    has(str_text(&text), "VIDEO-RANGE=SDR");
    client = client_of("hevc10", false);
    master_of(film, &client, &text);
    lacks(str_text(&text), "HLG");
    has(str_text(&text), "VIDEO-RANGE=SDR");
    str_fini(&text);
    film_unref(&film);
}

/* A smaller screen is not sent what it cannot show, upright or lying. */
static void transcodes_fit_the_screen(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    fixture_rendition(plan, "video-copy", video, true, "avc1.64001f", 6000000);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 3000000);
    struct plan_rendition *small =
        fixture_rendition(plan, "video-480p", video, false, "avc1.64001f", 1000000);
    small->width = 854;
    small->height = 480;
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    static const char *const screens[] = {"screen.854x480", "screen.480x854"};
    for (size_t i = 0; i < 2; i++) {
        struct playlist_client client = client_of(screens[i], false);
        master_of(film, &client, &text);
        has(str_text(&text), "video-copy/");
        lacks(str_text(&text), "video-720p/");
        has(str_text(&text), "video-480p/");
    }
    struct playlist_client client = client_of("screen.1280x720", false);
    master_of(film, &client, &text);
    has(str_text(&text), "video-720p/");
    client = client_of("screen.100x100", false);
    master_of(film, &client, &text);
    has(str_text(&text), "video-480p/");
    str_fini(&text);
    film_unref(&film);
}

/* Two sounds of 5.1, one DTS, one AC-3, and one of the makers in stereo. */
static struct film *surround_film(void)
{
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 3000000);
    static const enum plan_codec codecs[] = {CODEC_OTHER, CODEC_AC3, CODEC_AAC};
    static const char *const names[] = {"dts", "ac3", "aac"};
    for (uint32_t i = 0; i < 3; i++) {
        char name[24];
        uint32_t audio = fixture_track(plan, PLAN_AUDIO, codecs[i], names[i], i + 1);
        plan->tracks[audio].channels = i < 2 ? 6 : 2;
        snprintf(plan->tracks[audio].language, 16, "en");
        plan->tracks[audio].is_commentary = i == 2;
        snprintf(name, sizeof name, "audio-%u-aac", i + 1);
        fixture_rendition(plan, name, audio, false, "mp4a.40.2", 200000);
    }
    for (uint32_t i = 0; i < 2; i++) {
        char name[24];
        snprintf(name, sizeof name, "audio-%u-aac-surround", i + 1);
        fixture_rendition(plan, name, 1 + i, false, "mp4a.40.2", 400000)->channels = 6;
        snprintf(name, sizeof name, "audio-%u-aac-night", i + 1);
        fixture_rendition(plan, name, 1 + i, false, "mp4a.40.2", 200000)->is_night = true;
    }
    fixture_rendition(plan, "audio-2-copy", 2, true, "ac-3", 450000)->channels = 6;
    return fixture_film(&plan, "x264-1");
}

static void surround_is_for_who_has_loudspeakers(void **state)
{
    (void) state;
    struct film *film = surround_film();
    struct str text = {0};
    master_of(film, &mse, &text);
    lacks(str_text(&text), "surround");
    lacks(str_text(&text), "CHANNELS=\"6\"");
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 1);
    struct playlist_client client = client_of("surround", false);
    master_of(film, &client, &text);
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 2);
    assert_int_equal(count(str_text(&text), "CHANNELS=\"6\",URI=\"audio-1-aac-surround/"), 1);
    assert_int_equal(count(str_text(&text), "CHANNELS=\"6\",URI=\"audio-2-aac-surround/"), 1);
    assert_true(strstr(str_text(&text), "AUDIO=\"aac-surround\"") <
                strstr(str_text(&text), "AUDIO=\"aac\""));
    /* With the AC-3 as it is, what has no such copy is converted, and no third group is needed. */
    client = client_of("surround,ac3", false);
    master_of(film, &client, &text);
    assert_int_equal(count(str_text(&text), "#EXT-X-STREAM-INF"), 2);
    lacks(str_text(&text), "GROUP-ID=\"aac-surround\"");
    has(str_text(&text), "GROUP-ID=\"ac3\",NAME=\"en\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,"
                         "CHANNELS=\"6\",URI=\"audio-1-aac-surround/");
    has(str_text(&text), "CHANNELS=\"6\",URI=\"audio-2-copy/");
    /* Native players begin with the group that all of them play, and choose by CHANNELS. */
    client = client_of("", true);
    master_of(film, &client, &text);
    assert_true(strstr(str_text(&text), "AUDIO=\"aac\"") <
                strstr(str_text(&text), "AUDIO=\"aac-surround\""));
    str_fini(&text);
    film_unref(&film);
}

static void the_night_stands_beside_the_day(void **state)
{
    (void) state;
    struct film *film = surround_film();
    struct str text = {0};
    struct playlist_client client = client_of("surround", false);
    master_of(film, &client, &text);
    /* in each of the two groups, for both sounds of more than two channels */
    assert_int_equal(count(str_text(&text), "night mode)\""), 4);
    has(str_text(&text), "NAME=\"en (night mode)\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO,"
                         "CHANNELS=\"2\",CHARACTERISTICS=\"org.matinee.night-mode\","
                         "URI=\"audio-1-aac-night/");
    has(str_text(&text), "NAME=\"en (2) (night mode)\"");
    assert_int_equal(count(str_text(&text), "DEFAULT=YES"), 2);
    client = client_of(NULL, true);
    master_of(film, &client, &text);
    lacks(str_text(&text), "night");
    str_fini(&text);
    film_unref(&film);
}

/* Whoever tells what is to be seen is found by those who need it, and heard by nobody else unasked. */
static void descriptions_say_what_they_are(void **state)
{
    (void) state;
    struct plan *plan = fixture_plan();
    uint32_t video = fixture_track(plan, PLAN_VIDEO, CODEC_H264, "h264", 1);
    fixture_rendition(plan, "video-720p", video, false, "avc1.64001f", 3000000);
    for (uint32_t i = 0; i < 3; i++) {
        char name[24];
        uint32_t audio = fixture_track(plan, PLAN_AUDIO, CODEC_EAC3, "eac3", i + 1);
        plan->tracks[audio].is_default = true;
        plan->tracks[audio].is_descriptive = i == 0;
        plan->tracks[audio].is_commentary = i == 1;
        plan->tracks[audio].joc_objects = i == 2 ? 16 : 0;
        plan->tracks[audio].frame_size = 1536;
        snprintf(name, sizeof name, "audio-%u-aac", i + 1);
        fixture_rendition(plan, name, audio, false, "mp4a.40.2", 200000);
        snprintf(name, sizeof name, "audio-%u-copy", i + 1);
        fixture_rendition(plan, name, audio, true, "ec-3", 400000)->channels = 6;
    }
    struct film *film = fixture_film(&plan, "x264-1");
    struct str text = {0};
    struct playlist_client client = client_of("eac3", false);
    master_of(film, &client, &text);
    has(str_text(&text),
        "NAME=\"Audio 1\",LANGUAGE=\"und\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"6\","
        "CHARACTERISTICS=\"public.accessibility.describes-video\"");
    has(str_text(&text), "NAME=\"Audio 2\",LANGUAGE=\"und\",DEFAULT=NO,AUTOSELECT=NO");
    has(str_text(&text), "NAME=\"Audio 3\",LANGUAGE=\"und\",DEFAULT=YES,AUTOSELECT=YES,"
                         "CHANNELS=\"16/JOC\"");
    has(str_text(&text), "CHANNELS=\"2\",URI=\"audio-3-aac/");
    str_fini(&text);
    film_unref(&film);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_playlist_is_complete_and_exact),
        cmocka_unit_test(one_target_duration),
        cmocka_unit_test(extinf_follows_the_cuts),
        cmocka_unit_test(pictures_to_scrub_by_have_a_playlist),
        cmocka_unit_test(pictures_to_scrub_by_are_announced),
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
        cmocka_unit_test(levels_stand_in_codec_strings),
        cmocka_unit_test(every_client_is_told_how_and_why),
        cmocka_unit_test(hdr_needs_a_screen_for_it),
        cmocka_unit_test(transcodes_fit_the_screen),
        cmocka_unit_test(surround_is_for_who_has_loudspeakers),
        cmocka_unit_test(the_night_stands_beside_the_day),
        cmocka_unit_test(descriptions_say_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
