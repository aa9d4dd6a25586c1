/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles of films: the text against ffmpeg's, how little is read for it, and what stands in which
 * segment. segment-engine.md 14.25 */
#include "reference.h"
#include "segments/subtitle.h"
#include "segments/webvtt.h"
#include "whole.h"

#define FF "ffmpeg -y -v error -nostdin "
#define CONTENT                                                                                    \
    "-f lavfi -i testsrc2=s=192x108:r=24,noise=alls=60:allf=t -f lavfi -i sine=440:r=48000 "
#define X264 "-c:v libx264 -preset ultrafast -qp 16 -g 48 -keyint_min 48 -sc_threshold 0 -c:a aac "

static char *folder;

/* A line every 1.5 s for a minute; one that stands from 6.5 to 13 s over the others. */
static void write_srt(void)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/lines.srt", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 40; i++) {
        int ms = i * 1500 + 200;
        fprintf(
            file,
            "%d\n00:00:%02d,%03d --> 00:00:%02d,%03d\nLine %d <i>slanted</i> & more\nsecond\n\n",
            i + 1, ms / 1000, ms % 1000, (ms + 1200) / 1000, (ms + 1200) % 1000, i);
    }
    fprintf(file, "41\n00:00:06,500 --> 00:00:13,000\nspanning <b>three</b>\n");
    assert_int_equal(fclose(file), 0);
}

static int make_films(void **state)
{
    (void) state;
    folder = make_folder();
    write_srt();
    assert_true(
        run(folder, FF CONTENT "-i lines.srt -t 60 -map 0 -map 1 -map 2 -map 2 -map 2 " X264
                               "-c:s:0 srt -c:s:1 ass -c:s:2 webvtt film.mkv") &&
        run(folder, "mkvmerge -q -o merged.mkv film.mkv") &&
        run(folder, "mkvmerge -q --cues 2:none --cues 3:none --cues 4:none -o walk.mkv film.mkv") &&
        run(folder, "mkvmerge -q --compression 2:zlib --compression 3:zlib --compression 4:zlib -o "
                    "packed.mkv film.mkv") &&
        run(folder, FF "-i film.mkv -map 0:v -map 0:a -map 0:s:0 -c copy -c:s mov_text film.mp4") &&
        run(folder, FF "-i film.mkv -map 0 -c copy -f matroska - | cat > pipe.mkv"));
    return 0;
}

static int drop_films(void **state)
{
    (void) state;
    drop_folder(&folder);
    return 0;
}

static void path_of(char out[1024], const char *name)
{
    snprintf(out, 1024, "%s/%s", folder, name);
}

/* Which of the container's tracks is its `number`th of subtitles. */
static uint32_t find_track(const struct film *film, uint32_t number)
{
    uint32_t count;
    const struct plan_track *tracks = container_tracks(film->container, &count);
    for (uint32_t i = 0; i < count; i++)
        if (tracks[i].kind == PLAN_SUBTITLE && tracks[i].number == number)
            return i;
    fail_msg("there is no subtitle %u", number);
    return 0;
}

/* --- the text --- */

/* Without tags and references: what a person reads. In place. */
static void undress(char *text)
{
    static const struct {
        const char *reference, *is;
    } known[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"\xC2\xA0", " "}, {"\\h", " "}};
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        size_t step = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known && step == 0; i++) {
            if (strncmp(at, known[i].reference, strlen(known[i].reference)) != 0)
                continue;
            step = strlen(known[i].reference);
            *to++ = known[i].is[0];
        }
        if (step == 0 && *at == '<' && strchr(at, '>') != NULL)
            step = (size_t) (strchr(at, '>') - at) + 1;
        if (step == 0)
            *to++ = *at;
        at += step > 0 ? step : 1;
    }
    while (to > text && (to[-1] == ' ' || to[-1] == '\n'))
        to--;
    *to = '\0';
}

/* What ffmpeg makes of the track, with the source's own times. */
static void read_reference(const char *path, uint32_t number, struct vtt_list *list)
{
    struct str bytes = {0};
    char out[1024];
    path_of(out, "reference.vtt");
    assert_true(
        run(folder, FF "-copyts -i '%s' -map 0:s:%u -c:s webvtt reference.vtt", path, number - 1));
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    char line[4096];
    for (size_t got; (got = fread(line, 1, sizeof line, file)) > 0;)
        str_append(&bytes, line, got);
    fclose(file);
    assert_true(webvtt_read(str_text(&bytes), bytes.length, list));
    str_fini(&bytes);
    vtt_list_finish(list);
}

static bool is_like(const struct vtt_cue *a, const struct vtt_cue *b)
{
    return llabs(a->start_ms - b->start_ms) <= 1 && llabs(a->end_ms - b->end_ms) <= 1 &&
           strcmp(a->text, b->text) == 0;
}

/* Each cue of ours is one of theirs and none is missing; of one time, in any order. */
static void compare_lists(const char *path, struct vtt_list *ours, struct vtt_list *theirs)
{
    for (size_t i = 0; i < ours->count; i++)
        undress(ours->items[i].text);
    for (size_t i = 0; i < theirs->count; i++)
        undress(theirs->items[i].text);
    vtt_list_finish(ours);
    vtt_list_finish(theirs);
    for (size_t i = 0; i < theirs->count; i++) {
        bool is_found = false;
        for (size_t k = 0; k < ours->count && !is_found; k++)
            is_found = is_like(&ours->items[k], &theirs->items[i]);
        if (!is_found)
            fail_msg("%s: at %" PRId64 " ms: \"%s\" is missing", path, theirs->items[i].start_ms,
                     theirs->items[i].text);
    }
    assert_int_equal(ours->count, theirs->count);
}

static size_t compare_text(const char *path, uint32_t number)
{
    struct film film;
    struct vtt_list ours = {0}, theirs = {0};
    open_film(path, &film);
    assert_int_equal(film.result, OK);
    assert_int_equal(subtitle_collect(film.container, &film.reader, find_track(&film, number),
                                      INT64_MIN / 4, INT64_MAX, 0, &ours),
                     OK);
    vtt_list_finish(&ours);
    read_reference(path, number, &theirs);
    compare_lists(path, &ours, &theirs);
    size_t count = ours.count;
    vtt_list_fini(&ours);
    vtt_list_fini(&theirs);
    close_film(&film);
    return count;
}

static void case_25_text_is_ffmpegs(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mkv", "merged.mkv", "walk.mkv", "packed.mkv",
                                        "pipe.mkv"};
    char path[1024];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of(path, names[i]);
        for (uint32_t number = 1; number <= 3; number++)
            assert_int_equal(compare_text(path, number), 41);
    }
    path_of(path, "film.mp4");
    assert_true(compare_text(path, 1) >= 41); /* overlapping ones are cut by the container */
}

static void corpus_is_ffmpegs(void **state)
{
    (void) state;
    static const char *const names[] = {"androidx-sample_with_srt.mkv",
                                        "androidx-sample_with_ass_subtitles.mkv",
                                        "androidx-sample_with_ssa_subtitles.mkv"};
    CLEANUP(mem_free_at) char *corpus = corpus_folder();
    if (corpus == NULL)
        skip();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", corpus, names[i]);
        assert_true(compare_text(path, 1) > 0);
    }
}

/* --- what is read --- */

/* The cues of [from_s, to_s), and how many bytes they took. */
static uint64_t read_window(struct film *film, uint32_t track, int64_t from_s, int64_t to_s,
                            struct str *out)
{
    struct vtt_list list = {0};
    uint64_t before = film->reader.bytes_read;
    assert_int_equal(subtitle_collect(film->container, &film->reader, track, from_s * 1000000000,
                                      to_s * 1000000000, 0, &list),
                     OK);
    uint64_t read = film->reader.bytes_read - before;
    vtt_list_finish(&list);
    vtt_write_cues(&list, from_s * 1000, to_s * 1000, out);
    vtt_list_fini(&list);
    return read;
}

/* All windows of four seconds, as one text; the most that one took. */
static uint64_t read_windows(const char *name, uint32_t number, struct str *out)
{
    char path[1024];
    struct film film;
    uint64_t most = 0;
    path_of(path, name);
    open_film(path, &film);
    uint32_t track = find_track(&film, number);
    uint64_t size = input_size(film.input);
    for (int64_t from = 0; from < 60; from += 4) {
        uint64_t read = read_window(&film, track, from, from + 4, out);
        most = read > most ? read : most;
    }
    assert_true(size > 8u << 20); /* or it says nothing */
    print_message("%s %u: at most %" PRIu64 " of %" PRIu64 " bytes for four seconds\n", name,
                  number, most, size);
    close_film(&film);
    return most;
}

/* With what is read of the index, and from the film's own reader. */
static void case_25_a_window_reads_little(void **state)
{
    (void) state;
    for (uint32_t number = 1; number <= 3; number++) {
        struct str made = {0}, merged = {0}, walked = {0};
        assert_in_range(read_windows("film.mkv", number, &made), 1, 64 * 1024 - 1);
        assert_in_range(read_windows("merged.mkv", number, &merged), 1, 64 * 1024 - 1);
        /* without cues: headers of the blocks from ten seconds before on, of a film of some
         * megabytes a second */
        assert_in_range(read_windows("walk.mkv", number, &walked), 64 * 1024, 6 << 20);
        assert_string_equal(str_text(&made), str_text(&merged));
        assert_string_equal(str_text(&made), str_text(&walked));
        str_fini(&made);
        str_fini(&merged);
        str_fini(&walked);
    }
    struct str mp4 = {0};
    assert_in_range(read_windows("film.mp4", 1, &mp4), 1, 64 * 1024 - 1);
    str_fini(&mp4);
}

/* --- segments --- */

static uint32_t count_text(const struct str *in, const char *text)
{
    uint32_t count = 0;
    for (const char *at = str_text(in); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void expect_segments(const char *name, const char *rendition)
{
    static const char head[] = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n";
    static const char spanning[] = "\n00:00:06.500 --> 00:00:13.000\nspanning <b>three</b>\n";
    char path[1024];
    struct whole whole;
    path_of(path, name);
    whole_open(&whole, path);
    assert_int_equal(whole.result, OK);
    uint32_t r = whole_find(&whole, rendition);
    uint32_t count = plan_segment_count(whole.plan, r);
    assert_int_equal(count, 15);
    for (uint32_t n = 0; n < count; n++) {
        struct str segment = {0}, again = {0};
        assert_int_equal(whole_segment(&whole, r, n, &segment, NULL, NULL), OK);
        assert_memory_equal(str_text(&segment), head, sizeof head - 1);
        assert_int_equal(count_text(&segment, spanning), n >= 1 && n <= 3);
        assert_int_equal(count_text(&segment, "-->"),
                         count_text(&segment, "slanted") + count_text(&segment, "spanning"));
        whole_renew(&whole);
        assert_int_equal(whole_segment(&whole, r, n, &again, NULL, NULL), OK);
        assert_string_equal(str_text(&segment), str_text(&again));
        str_fini(&segment);
        str_fini(&again);
    }
    whole_close(&whole);
}

static void case_25_a_cue_stands_in_each_segment_it_overlaps(void **state)
{
    (void) state;
    expect_segments("film.mkv", "subtitle-1");
    expect_segments("merged.mkv", "subtitle-2");
    expect_segments("walk.mkv", "subtitle-3");
}

/* In a file without any, and past the last. */
static void a_segment_without_cues_is_a_file(void **state)
{
    (void) state;
    char path[1024];
    struct whole whole;
    struct str segment = {0};
    assert_true(run(folder, "printf '1\\n00:00:01,000 --> 00:00:02,000\\nonly\\n' > one.srt") &&
                run(folder, FF "-i film.mkv -i one.srt -t 20 -map 0:v -map 1 -c copy one.mkv"));
    path_of(path, "one.mkv");
    whole_open(&whole, path);
    assert_int_equal(whole.result, OK);
    assert_int_equal(
        whole_segment(&whole, whole_find(&whole, "subtitle-1"), 3, &segment, NULL, NULL), OK);
    assert_string_equal(str_text(&segment),
                        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n");
    str_fini(&segment);
    whole_close(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_25_text_is_ffmpegs),
        cmocka_unit_test(corpus_is_ffmpegs),
        cmocka_unit_test(case_25_a_window_reads_little),
        cmocka_unit_test(case_25_a_cue_stands_in_each_segment_it_overlaps),
        cmocka_unit_test(a_segment_without_cues_is_a_file),
    };
    return cmocka_run_group_tests(tests, make_films, drop_films);
}
