/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Matroska reader against libavformat, on the corpus and on films made here. */
#include "agree.h"
#include "segments/container_build.h"
#include "segments/window.h"

/* Films made once for all tests. */
static char *folder;

static int make_films(void **state)
{
    (void) state;
    folder = make_folder();
    bool is_made =
        run(folder, FF PICTURES " " TONE " -t 20 -map 0 -map 1 -map 1 -map 1 -map 1 " X264
                                " -c:a:0 aac -c:a:1 ac3 -c:a:2 libopus -c:a:3 flac film.mkv") &&
        run(folder, FF "-i film.mkv -map 0 -c copy -cues_to_front 1 front.mkv") &&
        run(folder, FF "-i film.mkv -map 0 -c copy -f matroska -live 1 live.mkv") &&
        run(folder, FF "-i film.mkv -map 0 -c copy -f matroska - | cat > pipe.mkv") &&
        run(folder, "head -c 1500000 film.mkv > cut.mkv && cp film.mkv zeroed.mkv && truncate -s "
                    "-4000 zeroed.mkv && truncate -s +4000 zeroed.mkv") &&
        run(folder, "mkvmerge -o merged.mkv film.mkv") &&
        run(folder, "mkvmerge --cues 0:none --cues 1:none -o cueless.mkv film.mkv") &&
        run(folder, FF PICTURES " -t 4 -c:v mpeg4 -bf 2 simple.mkv && mkvmerge --compression "
                                "0:mpeg4_p2 -o stripped.mkv simple.mkv") &&
        run(folder, FF PICTURES " " TONE " -t 4 -c:v wmv2 -c:a wmav2 windows.mkv") &&
        run(folder, "mkvmerge --compression 0:zlib -o zlib.mkv film.mkv");
    assert_true(is_made);
    return 0;
}

static int drop_films(void **state)
{
    (void) state;
    drop_folder(&folder);
    return 0;
}

/* What is packed must be unpacked, by others. */
static bool is_plain(struct film *film, uint32_t track)
{
    return container_copy_objection(film->container, track)[0] == '\0';
}

static void compare_corpus(void **state)
{
    (void) state;
    static const char *const endings[] = {".mkv", ".webm", NULL};
    assert_int_equal(compare_files(endings, is_plain), 0);
}

static void made_films_agree(void **state)
{
    (void) state;
    compare_film(folder, "film.mkv", 3000);
    compare_film(folder, "front.mkv", 3000);
    compare_film(folder, "live.mkv", 3000);
    compare_film(folder, "pipe.mkv", 3000);
    compare_film(folder, "merged.mkv", 3000);
    compare_film(folder, "cueless.mkv", 3000);
    compare_film(folder, "stripped.mkv", 90);
    compare_film(folder, "zeroed.mkv", 3000);
    compare_film(folder, "windows.mkv", 150);
    compare_film(folder, "cut.mkv", 1500);
}

/* Every 24th picture of 24000/1001 a second is a key. */
static void check_keys(const struct key *keys, size_t count)
{
    assert_int_equal(count, 20);
    for (size_t i = 0; i < count; i++) {
        int64_t due = keys[0].pts_ns + (int64_t) i * 1001 * 1000000;
        assert_true(llabs(keys[i].pts_ns - due) <= 1000000);
    }
}

static void expect_keys(const char *name, enum err expected)
{
    struct film film;
    struct key *keys = NULL;
    size_t count = 0;
    open_made(folder, name, &film);
    assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, &film.why),
                     expected);
    assert_true(expected == OK || film.why.text[0] != '\0');
    if (expected == OK)
        check_keys(keys, count);
    mem_free_at(&keys);
    assert_int_equal(container_scan(film.container, &film.reader, 0, NULL, NULL, &keys, &count),
                     OK);
    check_keys(keys, count);
    mem_free(keys);
    close_film(&film);
}

/* segment-engine.md 14.6 */
static void case_06_index_or_reason(void **state)
{
    (void) state;
    expect_keys("film.mkv", OK);
    expect_keys("front.mkv", OK);
    expect_keys("merged.mkv", OK);
    expect_keys("live.mkv", ERR_NOT_FOUND);
    expect_keys("pipe.mkv", ERR_NOT_FOUND);
    expect_keys("cueless.mkv", ERR_NOT_FOUND);
    expect_keys("zeroed.mkv", ERR_NOT_FOUND);
}

/* Cues that point elsewhere are found out. */
static void case_06_lying_cues(void **state)
{
    (void) state;
    char path[1024];
    struct film film;
    struct key *keys = NULL;
    size_t count = 0, got = 0;
    path_of(folder, path, "lying.mkv");
    assert_true(run(folder, "cp film.mkv lying.mkv"));
    open_made(folder, "film.mkv", &film);
    assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, NULL), OK);
    uint64_t size = input_size(film.input);
    uint8_t *tail = mem_zalloc(4000);
    assert_int_equal(reader_read(&film.reader, tail, 4000, size - 4000, &got), OK);
    for (size_t i = 0; i + 4 < got; i++) /* CueTime of a cue: one second later */
        if (tail[i] == 0xBB && tail[i + 2] == 0xB3 && tail[i + 3] == 0x82)
            tail[i + 4] = (uint8_t) (tail[i + 4] + 3);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, tail, 4000, (off_t) (size - 4000)), 4000);
    close(fd);
    mem_free(tail);
    mem_free_at(&keys);
    close_film(&film);
    open_made(folder, "lying.mkv", &film);
    assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, &film.why),
                     ERR_NOT_FOUND);
    close_film(&film);
}

static void expect_span(const char *name, uint32_t track, int64_t first_ms, int64_t end_ms)
{
    struct film film;
    int64_t first = 0, end = 0;
    open_made(folder, name, &film);
    assert_int_equal(container_span(film.container, &film.reader, track, &first, &end), OK);
    if (llabs(first - first_ms * 1000000) > 22000000 || llabs(end - end_ms * 1000000) > 80000000)
        fail_msg("%s: track %u spans %" PRId64 " to %" PRId64, name, track, first, end);
    close_film(&film);
}

static void spans(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mkv", "front.mkv",   "merged.mkv", "live.mkv",
                                        "pipe.mkv", "cueless.mkv", "zeroed.mkv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect_span(names[i], 0, 21, 20041);
        expect_span(names[i], 2, 21, 20021);
    }
}

static void places_from_times(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mkv", "cueless.mkv", "live.mkv"};
    for (size_t i = 0; i < 3; i++) {
        struct film film;
        open_made(folder, names[i], &film);
        for (int64_t second = 0; second < 22; second++) {
            uint64_t pos = 0;
            struct cursor *cursor = NULL;
            struct packet packet;
            assert_int_equal(container_seek(film.container, &film.reader, 1, second * NS, &pos),
                             OK);
            assert_int_equal(cursor_open(film.container, &film.reader, 2, pos, &cursor), OK);
            assert_int_equal(cursor_next(cursor, &packet), OK);
            assert_true(packet.pts_ns <= second * NS || packet.pts_ns < 30000000);
            cursor_close(&cursor);
        }
        close_film(&film);
    }
}

/* segment-engine.md 10: heads and tails, never payloads. */
static void case_06_reads_little(void **state)
{
    (void) state;
    struct film film;
    struct key *keys = NULL;
    struct cursor *cursor = NULL;
    struct packet packet;
    size_t count = 0;
    open_made(folder, "film.mkv", &film);
    assert_true(film.reader.bytes_read <= 16 * 1024);
    assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, NULL), OK);
    assert_true(film.reader.bytes_read <= 128 * 1024);
    uint64_t before = film.reader.bytes_read;
    assert_int_equal(cursor_open(film.container, &film.reader, 1, keys[4].pos, &cursor), OK);
    for (unsigned i = 0; i < 24; i++)
        assert_int_equal(cursor_next(cursor, &packet), OK);
    assert_true(film.reader.bytes_read - before <= 200 * WINDOW_BYTES);
    cursor_close(&cursor);
    mem_free(keys);
    close_film(&film);
}

static void objections(void **state)
{
    (void) state;
    struct film film;
    struct cursor *cursor = NULL;
    struct packet packet;
    open_made(folder, "zlib.mkv", &film);
    assert_string_not_equal(container_copy_objection(film.container, 0), "");
    assert_string_equal(container_copy_objection(film.container, 1), "");
    assert_int_equal(cursor_open(film.container, &film.reader, 1, 0, &cursor), OK);
    assert_int_equal(cursor_next(cursor, &packet), ERR_NOT_FOUND);
    cursor_close(&cursor);
    close_film(&film);
}

/* RFC 5646 2.2.1: the two-letter code where there is one, whatever the film writes. */
static void languages(void **state)
{
    (void) state;
    static const struct {
        const char *code, *tag;
    } cases[] = {{"ger", "de"},      {"deu", "de"},
                 {"GER", "de"},      {"ger-AT", "de-AT"},
                 {"de-AT", "de-AT"}, {"gsw", "gsw"},
                 {"mul", "mul"},     {"pt-BR", "pt-BR"},
                 {"x", "und"},       {"", "und"},
                 {"1ab", "und"},     {"en,fr", "und"},
                 {"und", "und"},     {"a-very-long-language-tag", "und"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan_track track = {.language = "und"};
        container_set_language(&track, cases[i].code, strlen(cases[i].code));
        assert_string_equal(track.language, cases[i].tag);
    }
}

static void names_and_chapters(void **state)
{
    (void) state;
    struct film film;
    uint32_t count;
    assert_true(run(folder, "printf '%%b' ';FFMETADATA1\\n[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=0\\n"
                            "END=5000\\ntitle=One\\n[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=5000\\n"
                            "END=20000\\ntitle=Two\\n' > chapters && " FF
                            "-i film.mkv -i chapters -map 0 -map_chapters 1 -c copy -aspect 2:1 "
                            "-metadata:s:a:0 language=ger -metadata:s:a:0 title=Ton "
                            "-disposition:a:1 forced+hearing_impaired+comment named.mkv"));
    open_made(folder, "named.mkv", &film);
    const struct plan_track *tracks = container_tracks(film.container, &count);
    assert_int_equal(count, 5);
    assert_string_equal(tracks[1].language, "de");
    assert_string_equal(tracks[1].title, "Ton");
    assert_true(tracks[2].is_forced && tracks[2].is_sdh && tracks[2].is_commentary);
    /* 320x180 shown as 2:1: pixels of 9:8 */
    assert_int_equal(tracks[0].sar_num, 9);
    assert_int_equal(tracks[0].sar_den, 8);
    assert_int_equal(tracks[2].number, 2);
    assert_int_equal(tracks[0].reorder, 2);
    assert_int_equal(tracks[1].frame_size, 1024);
    assert_int_equal(tracks[2].frame_size, 1536);
    const struct plan_chapter *chapters = container_chapters(film.container, &count);
    assert_int_equal(count, 2);
    assert_string_equal(chapters[1].title, "Two");
    assert_int_equal(chapters[1].start_ms, 5000);
    assert_true(llabs(container_duration_ns(film.container) - 20 * NS) < 50000000);
    close_film(&film);
}

static void sparse_films_want_no_more(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mkv", "front.mkv", "merged.mkv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024];
        path_of(folder, path, names[i]);
        read_sparsely(path, 5);
        read_sparsely(path, 18);
    }
}

/* Whatever byte is wrong: no crash, and an end. */
static void damage_ends(void **state)
{
    (void) state;
    char path[1024];
    path_of(folder, path, "damaged.mkv");
    for (unsigned seed = 0; seed < 40; seed++) {
        struct film film;
        struct cursor *cursor = NULL;
        struct packet packet;
        unsigned packets = 0;
        assert_true(run(folder, "head -c 300000 film.mkv > damaged.mkv"));
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        for (unsigned i = 0; i < 60; i++) {
            uint32_t place = (seed * 2654435761U + i * 40503U * 97) % (i < 10 ? 1000 : 300000);
            uint8_t byte = (uint8_t) (seed * 31 + i * 7);
            assert_int_equal(pwrite(fd, &byte, 1, place), 1);
        }
        close(fd);
        open_film(path, &film);
        if (film.result == OK &&
            cursor_open(film.container, &film.reader, UINT64_MAX, 0, &cursor) == OK) {
            while (cursor_next(cursor, &packet) == OK)
                packets++;
            cursor_close(&cursor);
            assert_true(packets < 100000);
        }
        close_film(&film);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare_corpus),
        cmocka_unit_test(made_films_agree),
        cmocka_unit_test(case_06_index_or_reason),
        cmocka_unit_test(case_06_lying_cues),
        cmocka_unit_test(spans),
        cmocka_unit_test(places_from_times),
        cmocka_unit_test(case_06_reads_little),
        cmocka_unit_test(objections),
        cmocka_unit_test(languages),
        cmocka_unit_test(names_and_chapters),
        cmocka_unit_test(damage_ends),
        cmocka_unit_test(sparse_films_want_no_more),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, make_films, drop_films);
}
