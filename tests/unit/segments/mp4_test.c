/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The MP4 reader against libavformat, on the corpus and on films made here. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agree.h"
#include "base/fd.h"

/* Films made once for all tests. */
static char *folder;

#define COPY "-c copy -strict -2 "

static int make_films(void **state)
{
    (void) state;
    folder = make_folder();
    bool is_made =
        run(folder,
            FF PICTURES " " TONE " -t 20 -map 0 -map 1 -map 1 -map 1 -map 1 -map 1 " X264
                        " -c:a:0 aac -c:a:1 ac3 -c:a:2 libopus -c:a:3 flac -c:a:4 libmp3lame "
                        "-strict -2 film.mp4") &&
        run(folder, FF "-i film.mp4 -map 0 " COPY "-movflags faststart front.mp4") &&
        run(folder, FF "-ss 4.5 -i film.mp4 -map 0 " COPY "trimmed.mp4") &&
        run(folder, FF "-i film.mp4 -map 0 " COPY "-movflags negative_cts_offsets negative.mp4") &&
        run(folder, FF "-i film.mp4 -map 0 " COPY "-use_editlist 0 noedit.mp4") &&
        run(folder,
            FF "-i film.mp4 -itsoffset 1.5 -i film.mp4 -map 0:0 -map 1:1 " COPY "late.mp4") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 -c:v copy -c:a pcm_s16le pcm.mov") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 -c:v copy -c:a alac alac.mov") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 " COPY
                       "-movflags frag_keyframe+empty_moov parts.mp4") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 " COPY
                       "-movflags frag_keyframe+empty_moov+default_base_moof "
                       "-frag_duration 300000 small.mp4") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 " COPY
                       "-movflags dash+separate_moof -frag_duration 500000 apart.mp4") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 " COPY
                       "-movflags frag_keyframe+delay_moov shifted.mp4") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:1 " COPY "-movflags frag_keyframe mixed.mp4") &&
        run(folder, FF "-i film.mp4 -map 0:0 -map 0:2 " COPY
                       "-metadata:s:v rotate=90 -metadata:s:a language=fra turned.mp4") &&
        run(folder, "head -c 1500000 front.mp4 > cut.mp4 && head -c 1500000 film.mp4 > lost.mp4 && "
                    "head -c 500000 small.mp4 > end.mp4");
    assert_true(is_made);
    return 0;
}

static int drop_films(void **state)
{
    (void) state;
    drop_folder(&folder);
    return 0;
}

static bool is_played(struct film *film, uint32_t track)
{
    uint32_t count;
    return container_tracks(film->container, &count)[track].refused[0] == '\0';
}

static void compare_corpus(void **state)
{
    (void) state;
    static const char *const endings[] = {".mp4", ".mov", ".m4v", ".3gp", NULL};
    (void) compare_files(endings, is_played); /* some have fragments before their moov */
}

static void made_films_agree(void **state)
{
    (void) state;
    compare_film(folder, "film.mp4", 4000);
    compare_film(folder, "front.mp4", 4000);
    compare_film(folder, "trimmed.mp4", 3000);
    compare_film(folder, "negative.mp4", 4000);
    compare_film(folder, "noedit.mp4", 4000);
    compare_film(folder, "late.mp4", 1300);
    compare_film(folder, "alac.mov", 700);
    compare_film(folder, "turned.mp4", 1000);
    compare_film(folder, "parts.mp4", 1300);
    compare_film(folder, "small.mp4", 1300);
    compare_film(folder, "apart.mp4", 1300);
    compare_film(folder, "shifted.mp4", 1300);
}

/* Every 24th picture of 24000/1001 a second is a key, from `first_ns` on. */
static void expect_keys(const char *name, size_t expected, int64_t first_ns)
{
    struct film film;
    struct key *keys = NULL;
    size_t count = 0;
    open_made(folder, name, &film);
    assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, &film.why), OK);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        int64_t due = first_ns + (int64_t) i * 1001 * 1000000;
        if (llabs(keys[i].pts_ns - due) > 50000)
            fail_msg("%s: key %zu at %" PRId64 ", not %" PRId64, name, i, keys[i].pts_ns, due);
        struct cursor *cursor = NULL;
        struct packet packet;
        assert_int_equal(cursor_open(film.container, &film.reader, 1, keys[i].pos, &cursor), OK);
        assert_int_equal(cursor_next(cursor, &packet), OK);
        assert_true(packet.pts_ns == keys[i].pts_ns && packet.is_key);
        assert_true(packet.offset == keys[i].offset && packet.pos == keys[i].pos);
        cursor_close(&cursor);
    }
    mem_free(keys);
    close_film(&film);
}

static void keys_are_where_they_should_be(void **state)
{
    (void) state;
    expect_keys("film.mp4", 20, 0);
    expect_keys("front.mp4", 20, 0);
    expect_keys("negative.mp4", 20, 0);
    expect_keys("late.mp4", 20, 0);
    expect_keys("parts.mp4", 20, 83416667); /* with its moov first, edits cannot say it */
    expect_keys("apart.mp4", 20, 83416667);
    expect_keys("cut.mp4", 13, 0);
    expect_keys("noedit.mp4", 20, 83416667); /* two frames late: nothing takes the reorder away */
}

static void open_failed(const char *name, enum err expected, const char *words)
{
    char path[1024];
    struct film film;
    path_of(folder, path, name);
    open_film(path, &film);
    assert_int_equal(film.result, expected);
    assert_non_null(strstr(film.why.text, words));
    close_film(&film);
}

/* libavformat gives out the packet that the end of the file cuts, too. */
static void a_film_cut_in_a_fragment_ends_before_that(void **state)
{
    (void) state;
    struct film film;
    struct cursor *cursor = NULL;
    struct packet packet;
    unsigned count = 0;
    open_made(folder, "end.mp4", &film);
    assert_int_equal(cursor_open(film.container, &film.reader, 3, 0, &cursor), OK);
    for (; cursor_next(cursor, &packet) == OK; count++)
        assert_true(packet.offset + packet.size <= 500000);
    assert_true(count > 100);
    cursor_close(&cursor);
    close_film(&film);
}

/* Makes the first run of samples one of 4,294,967,295 that are all empty: so says its box, in a few bytes. */
static void empty_first_run(uint8_t *bytes, size_t size)
{
    uint8_t *tfhd = memmem(bytes, size, "tfhd", 4);
    uint8_t *trun = memmem(bytes, size, "trun", 4);
    assert_true(tfhd != NULL && trun != NULL);
    size_t flags = tfhd[7];
    assert_true((flags & 0x10) != 0); /* default_sample_size */
    /* Before it a base of 8 bytes, a description and a duration of 4 each, where they are. */
    size_t at = 12 + (flags & 1) * 8 + (flags & 2) * 2 + (flags & 8) / 2;
    memset(tfhd + at, 0, 4);
    memset(trun + 4, 0, 3);
    trun[7] = trun[7] & 1; /* only where its data is */
    trun[6] = 0;
    memset(trun + 8, 0xff, 4);
}

/* What costs a few bytes of file must not cost a hundred megabytes of memory. */
static void empty_samples_are_not_counted_for_ever(void **state)
{
    (void) state;
    enum { HEAD = 64 << 10 };
    char path[1024];
    assert_true(run(folder, "cp small.mp4 empty.mp4"));
    path_of(folder, path, "empty.mp4");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t *bytes = mmap(NULL, HEAD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(bytes != MAP_FAILED);
    empty_first_run(bytes, HEAD);
    munmap(bytes, HEAD);
    fd_close(&fd);
    pid_t pid = fork();
    if (pid == 0) {
        struct rusage before, after;
        struct film film;
        getrusage(RUSAGE_SELF, &before);
        open_film(path, &film);
        getrusage(RUSAGE_SELF, &after);
        _exit(after.ru_maxrss - before.ru_maxrss < 60 << 10 ? (int) film.result : 100);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ERR_NOT_FOUND);
}

static void refusals_have_reasons(void **state)
{
    (void) state;
    open_failed("mixed.mp4", ERR_NOT_FOUND, "fragments that cannot be followed");
    open_failed("lost.mp4", ERR_BAD_MEDIA, "moov");
}

/* segment-engine.md 14.7 */
static void case_07_edit_lists(void **state)
{
    (void) state;
    struct film film;
    int64_t first = 0, end = 0;
    open_made(folder, "trimmed.mp4", &film);
    assert_string_not_equal(container_copy_objection(film.container, 0), "");
    close_film(&film);
    static const char *const fine[] = {"film.mp4", "late.mp4", "negative.mp4", "noedit.mp4"};
    for (size_t i = 0; i < 4; i++) {
        open_made(folder, fine[i], &film);
        assert_string_equal(container_copy_objection(film.container, 0), "");
        assert_string_equal(container_copy_objection(film.container, 1), "");
        close_film(&film);
    }
    open_made(folder, "late.mp4", &film);
    assert_int_equal(container_span(film.container, &film.reader, 1, &first, &end), OK);
    assert_true(llabs(first - 1500000000) < 23000000); /* with its priming */
    close_film(&film);
    open_made(folder, "film.mp4", &film);
    assert_int_equal(container_span(film.container, &film.reader, 0, &first, &end), OK);
    assert_int_equal(first, 0);
    assert_true(llabs(end - 20020000000) < 42000000);
    assert_int_equal(container_span(film.container, &film.reader, 1, &first, &end), OK);
    assert_int_equal(first, 0);
    assert_true(llabs(end - 20000000000) < 22000000);
    close_film(&film);
}

static void places_from_times(void **state)
{
    (void) state;
    struct film film;
    open_made(folder, "film.mp4", &film);
    for (int64_t second = 0; second < 22; second++) {
        for (uint32_t track = 0; track < 2; track++) {
            uint64_t pos = 0;
            struct cursor *cursor = NULL;
            struct packet packet;
            int64_t due = (second < 19 ? second : 19) * NS;
            assert_int_equal(container_seek(film.container, &film.reader, track, second * NS, &pos),
                             OK);
            assert_int_equal(
                cursor_open(film.container, &film.reader, UINT64_C(1) << track, pos, &cursor), OK);
            assert_int_equal(cursor_next(cursor, &packet), OK);
            assert_true(packet.pts_ns <= second * NS);
            assert_true(packet.pts_ns > due - (track == 0 ? 1002 : 23) * INT64_C(1000000));
            assert_true(packet.is_key);
            cursor_close(&cursor);
        }
    }
    close_film(&film);
}

enum { SUMS = 21 };

/* What stands before each place, packet by packet: pictures by sample, sound by time. */
static void walk_sums(struct film *film, uint32_t track, const int64_t *times_ns,
                      const uint64_t *places, struct packet_sum *out)
{
    struct cursor *cursor = NULL;
    struct packet packet;
    memset(out, 0, SUMS * sizeof *out);
    assert_int_equal(cursor_open(film->container, &film->reader, UINT64_C(1) << track, 0, &cursor),
                     OK);
    while (cursor_next(cursor, &packet) == OK) {
        for (int i = 0; i < SUMS; i++) {
            bool is_before = track == 0 ? packet.pos < places[i] : packet.pts_ns < times_ns[i];
            out[i].bytes += is_before ? packet.size : 0;
            out[i].packets += is_before;
        }
    }
    cursor_close(&cursor);
}

/* What the tables sum up is what a walk over the packets counts. */
static void sums_are_those_of_a_walk(const char *name)
{
    struct film film;
    int64_t times_ns[SUMS];
    uint64_t places[SUMS];
    struct packet_sum sums[SUMS], walked[SUMS];
    open_made(folder, name, &film);
    for (unsigned i = 0; i < SUMS; i++) {
        times_ns[i] = i * NS + NS / 3 * (i % 2);
        places[i] = UINT64_C(20) * i;
    }
    for (uint32_t track = 0; track < 2; track++) {
        walk_sums(&film, track, times_ns, places, walked);
        assert_int_equal(container_sums(film.container, &film.reader, track,
                                        track == 0 ? NULL : times_ns, places, SUMS, sums),
                         OK);
        for (int i = 0; i < SUMS; i++) {
            assert_int_equal(sums[i].packets, walked[i].packets);
            assert_int_equal(sums[i].bytes, walked[i].bytes);
        }
        assert_true(sums[SUMS - 1].bytes > 0);
    }
    close_film(&film);
}

static void tables_are_summed_up(void **state)
{
    static const char *const names[] = {"film.mp4", "trimmed.mp4", "noedit.mp4", "late.mp4"};
    (void) state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sums_are_those_of_a_walk(names[i]);
}

/* Two tracks at once come in the order of the file, both from the time of the key. */
static void tracks_are_merged(void **state)
{
    (void) state;
    struct film film;
    struct key *keys = NULL;
    size_t count = 0;
    struct cursor *cursor = NULL;
    struct packet packet;
    uint64_t last = 0;
    unsigned seen[2] = {0};
    open_made(folder, "film.mp4", &film);
    assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, NULL), OK);
    assert_int_equal(cursor_open(film.container, &film.reader, 3, keys[5].pos, &cursor), OK);
    while (cursor_next(cursor, &packet) == OK) {
        assert_true(packet.offset > last);
        assert_true(packet.track < 2);
        if (packet.track == 1 && seen[1] == 0)
            assert_true(llabs(packet.pts_ns - keys[5].pts_ns) < 22000000);
        seen[packet.track]++;
        last = packet.offset;
    }
    assert_true(seen[0] > 300 && seen[1] > 600);
    cursor_close(&cursor);
    mem_free(keys);
    close_film(&film);
}

/* segment-engine.md 10: the index and nothing else. */
static void case_06_reads_little(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mp4", "front.mp4"};
    for (size_t i = 0; i < 2; i++) {
        struct film film;
        struct key *keys = NULL;
        size_t count = 0;
        open_made(folder, names[i], &film);
        assert_int_equal(container_keys(film.container, &film.reader, 0, &keys, &count, NULL), OK);
        assert_true(film.reader.bytes_read <= 128 * 1024);
        mem_free(keys);
        close_film(&film);
    }
}

static void fields_of_tracks(void **state)
{
    (void) state;
    struct film film;
    uint32_t count;
    open_made(folder, "turned.mp4", &film);
    const struct plan_track *tracks = container_tracks(film.container, &count);
    assert_int_equal(count, 2);
    assert_int_equal(tracks[0].rotation, 270); /* ffmpeg 5.1 writes rotate=90 counter-clockwise */
    assert_string_equal(tracks[1].language, "fr");
    assert_int_equal(tracks[1].codec, CODEC_AC3);
    assert_int_equal(tracks[1].channels, 1);
    assert_int_equal(tracks[1].rate, 48000);
    close_film(&film);
    open_made(folder, "pcm.mov", &film);
    tracks = container_tracks(film.container, &count);
    assert_int_equal(count, 2);
    assert_int_equal(tracks[1].codec, CODEC_OTHER);
    assert_int_equal(tracks[1].rate, 48000);
    close_film(&film);
}

/* stco as co64 in a file whose moov is last: the same packets. */
static void wide_chunk_offsets(void **state)
{
    (void) state;
    static const char script[] =
        "import struct\n"
        "b=open('film.mp4','rb').read()\n"
        "def walk(b):\n"
        "  o=b''\n"
        "  i=0\n"
        "  while i<len(b):\n"
        "    n,t=struct.unpack('>I4s',b[i:i+8]); d=b[i+8:i+n]\n"
        "    if t in (b'moov',b'trak',b'mdia',b'minf',b'stbl'): d=walk(d)\n"
        "    if t==b'stco':\n"
        "      c=struct.unpack('>I',d[4:8])[0]\n"
        "      d=d[:8]+struct.pack('>%dQ'%c,*struct.unpack('>%dI'%c,d[8:8+4*c])); t=b'co64'\n"
        "    o+=struct.pack('>I4s',len(d)+8,t)+d\n"
        "    i+=n\n"
        "  return o\n"
        "m=b.rindex(b'moov')-4\n"
        "open('wide.mp4','wb').write(b[:m]+walk(b[m:]))\n";
    char path[1024];
    path_of(folder, path, "wide.py");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(script, file);
    fclose(file);
    assert_true(run(folder, "/usr/bin/python3 wide.py"));
    compare_film(folder, "wide.mp4", 4000);
    expect_keys("wide.mp4", 20, 0);
}

static void sparse_films_want_no_more(void **state)
{
    (void) state;
    static const char *const names[] = {"film.mp4", "front.mp4"};
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
    struct film film;
    path_of(folder, path, "damaged.mp4");
    for (unsigned seed = 0; seed < 60; seed++) {
        struct cursor *cursor = NULL;
        struct packet packet;
        unsigned packets = 0;
        assert_true(run(folder, "cp front.mp4 damaged.mp4"));
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        for (unsigned i = 0; i < 12; i++) {
            uint32_t place = (seed * 2654435761U + i * 40503U * 97) % 40000;
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
            assert_true(packets < 1000000);
        }
        close_film(&film);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare_corpus),
        cmocka_unit_test(made_films_agree),
        cmocka_unit_test(a_film_cut_in_a_fragment_ends_before_that),
        cmocka_unit_test(empty_samples_are_not_counted_for_ever),
        cmocka_unit_test(keys_are_where_they_should_be),
        cmocka_unit_test(refusals_have_reasons),
        cmocka_unit_test(case_07_edit_lists),
        cmocka_unit_test(places_from_times),
        cmocka_unit_test(tables_are_summed_up),
        cmocka_unit_test(tracks_are_merged),
        cmocka_unit_test(case_06_reads_little),
        cmocka_unit_test(fields_of_tracks),
        cmocka_unit_test(wide_chunk_offsets),
        cmocka_unit_test(damage_ends),
        cmocka_unit_test(sparse_films_want_no_more),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, make_films, drop_films);
}
