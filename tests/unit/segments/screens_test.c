/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles that are pictures: what is seen at each moment, whatever window is asked for, how little is
 * read for it, and what display sets are to one another. segment-engine.md 11, 14.25 */
#include "reference.h"
#include "segments/burn.h"
#include "segments/display_sets.h"
#include "segments/screens.h"
#include "whole.h"

#define FF "ffmpeg -y -v error -nostdin "
/* Without sound, which would move all by its priming. */
#define CONTENT "-f lavfi -i testsrc2=s=192x108:r=24,noise=alls=60:allf=t "
#define X264    "-c:v libx264 -preset ultrafast -qp 16 -g 48 -keyint_min 48 -sc_threshold 0 "

enum {
    SECONDS = 60,
    PLANE_WIDTH = 1280,
    PLANE_HEIGHT = 720,
    BOX_WIDTH = 200,
    BOX_HEIGHT = 40,
    BOX_BYTES = BOX_HEIGHT * (BOX_WIDTH + 2), /* a byte a pixel, and the end of each line */
    FIRST = 1,                                /* numbers of objects */
    SECOND = 2,
    NORMAL = 0x00,
    EPOCH_START = 0x80,
    EVERY_S =
        5, /* an epoch begins, and is seen for three seconds: in the second one both objects are */
};

static char *folder;

/* --- a .sup file --- */

static void put_16(struct str *out, unsigned value)
{
    str_putc(out, (char) (value >> 8));
    str_putc(out, (char) value);
}

static void put_segment(struct str *out, unsigned seconds, unsigned type, const struct str *body)
{
    unsigned ticks = seconds * 90000;
    str_puts(out, "PG");
    put_16(out, ticks >> 16);
    put_16(out, ticks & 0xFFFF);
    put_16(out, 0);
    put_16(out, 0);
    str_putc(out, (char) type);
    put_16(out, (unsigned) body->length);
    str_append(out, str_text(body), body->length);
}

static unsigned box_y(unsigned number)
{
    return 100 * number;
}

/* The composition of objects 1 to `shown`. */
static void put_composition(struct str *out, unsigned seconds, unsigned state, unsigned shown)
{
    struct str body = {0};
    put_16(&body, PLANE_WIDTH);
    put_16(&body, PLANE_HEIGHT);
    str_putc(&body, 0x10);
    put_16(&body, seconds);
    str_putc(&body, (char) state);
    put_16(&body, 0); /* no palette update; palette 0 */
    str_putc(&body, (char) shown);
    for (unsigned number = FIRST; number <= shown; number++) {
        put_16(&body, number);
        put_16(&body, (number - 1) << 8); /* window, flags */
        put_16(&body, 300);
        put_16(&body, box_y(number));
    }
    put_segment(out, seconds, 0x16, &body);
    str_fini(&body);
}

/* 255 colours of which none is alike, all of them opaque. */
static void put_palette(struct str *out, unsigned seconds)
{
    struct str body = {0};
    put_16(&body, 0);
    for (unsigned i = 1; i < 256; i++) {
        const char entry[] = {(char) i, (char) (16 + i * 3 / 4), (char) 128, (char) 128,
                              (char) 255};
        str_append(&body, entry, sizeof entry);
    }
    put_segment(out, seconds, 0x14, &body);
    str_fini(&body);
}

static unsigned pixel_of(unsigned number, unsigned x, unsigned y)
{
    return (x * 7 + y * 13 + number * 31) % 255 + 1;
}

/* Of pixels of which no two neighbours are alike: nothing is shortened. */
static void put_object(struct str *out, unsigned seconds, unsigned number)
{
    struct str body = {0};
    put_16(&body, number);
    put_16(&body, 0x00C0); /* version, first and last */
    str_putc(&body, 0);
    put_16(&body, BOX_BYTES + 4);
    put_16(&body, BOX_WIDTH);
    put_16(&body, BOX_HEIGHT);
    for (unsigned y = 0; y < BOX_HEIGHT; y++) {
        for (unsigned x = 0; x < BOX_WIDTH; x++)
            str_putc(&body, (char) pixel_of(number, x, y));
        put_16(&body, 0);
    }
    put_segment(out, seconds, 0x15, &body);
    str_fini(&body);
}

static void put_windows(struct str *out, unsigned seconds, unsigned shown)
{
    struct str body = {0};
    str_putc(&body, (char) shown);
    for (unsigned number = FIRST; number <= shown; number++) {
        str_putc(&body, (char) (number - 1));
        put_16(&body, 300);
        put_16(&body, box_y(number));
        put_16(&body, BOX_WIDTH);
        put_16(&body, BOX_HEIGHT);
    }
    put_segment(out, seconds, 0x17, &body);
    str_fini(&body);
}

static void put_set(struct str *out, unsigned seconds, unsigned state, unsigned shown,
                    unsigned defined)
{
    const struct str nothing = {0};
    put_composition(out, seconds, state, shown);
    put_windows(out, seconds, shown);
    if (defined == FIRST)
        put_palette(out, seconds);
    if (defined > 0)
        put_object(out, seconds, defined);
    put_segment(out, seconds, 0x80, &nothing);
}

static void write_sup(void)
{
    char path[1024];
    struct str sup = {0};
    put_set(&sup, 0, NORMAL, 0, 0);
    for (unsigned at = 1; at < SECONDS; at += EVERY_S) {
        put_set(&sup, at, EPOCH_START, FIRST, FIRST);
        put_set(&sup, at + 1, NORMAL, SECOND, SECOND);
        put_set(&sup, at + 3, NORMAL, 0, 0);
    }
    snprintf(path, sizeof path, "%s/lines.sup", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(sup.at, 1, sup.length, file), sup.length);
    assert_int_equal(fclose(file), 0);
    str_fini(&sup);
}

static int make_films(void **state)
{
    (void) state;
    folder = make_folder();
    write_sup();
    assert_true(
        run(folder, FF CONTENT "-i lines.sup -t 60 -map 0 -map 1 " X264 "-c:s copy film.mkv") &&
        run(folder, "mkvmerge -q --compression 1:none -o merged.mkv film.mkv") &&
        run(folder, "mkvmerge -q --compression 1:zlib -o packed.mkv film.mkv") &&
        run(folder, "mkvmerge -q --cues 1:none -o walk.mkv film.mkv"));
    return 0;
}

static int drop_films(void **state)
{
    (void) state;
    drop_folder(&folder);
    return 0;
}

/* --- what is seen --- */

/* How many boxes are seen in the second that begins then. */
static unsigned boxes_at(unsigned second)
{
    unsigned since = (second + EVERY_S - 1) % EVERY_S; /* since the last epoch began */
    return second == 0 || since >= 3 ? 0 : since == 0 ? 1 : 2;
}

static void check_part(const struct screen_part *part, unsigned number)
{
    assert_int_equal(part->x, 300);
    assert_int_equal(part->y, box_y(number));
    assert_int_equal(part->width, BOX_WIDTH);
    assert_int_equal(part->height, BOX_HEIGHT);
    assert_false(part->is_forced);
    for (unsigned y = 0; y < BOX_HEIGHT; y++)
        for (unsigned x = 0; x < BOX_WIDTH; x++)
            assert_int_equal(part->pixels[y * BOX_WIDTH + x], pixel_of(number, x, y));
    assert_int_equal(part->palette[255] >> 24, 255);
    assert_true((part->palette[200] & 255) > (part->palette[100] & 255));
}

static void check_moment(const struct screens *screens, unsigned second)
{
    const struct screen *screen = screens_at(screens, second * INT64_C(1000000000) + 500000000);
    unsigned boxes = boxes_at(second);
    if (boxes == 0) {
        assert_null(screen);
        return;
    }
    assert_non_null(screen);
    assert_int_equal(screen->width, PLANE_WIDTH);
    assert_int_equal(screen->height, PLANE_HEIGHT);
    assert_int_equal(screen->part_count, boxes);
    for (unsigned i = 0; i < boxes; i++)
        check_part(&screen->parts[i], i + 1);
    int64_t from_s = second - (boxes == 2 && boxes_at(second - 1) == 2);
    assert_int_equal(screen->start_ns, from_s * 1000000000);
    assert_int_equal(screen->end_ns, (from_s + (int) boxes) * 1000000000);
}

static uint32_t find_track(const struct film *film)
{
    uint32_t count;
    const struct plan_track *tracks = container_tracks(film->container, &count);
    for (uint32_t i = 0; i < count; i++)
        if (tracks[i].kind == PLAN_SUBTITLE)
            return i;
    fail_msg("there are no subtitles");
    return 0;
}

/* All windows of four seconds, each from the file as it is opened: the most that one took. */
static uint64_t check_windows(const char *name)
{
    char path[1024];
    uint64_t most = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (unsigned from = 0; from < SECONDS; from += 4) {
        struct film film;
        struct screens screens = {0};
        open_film(path, &film);
        uint64_t before = film.reader.bytes_read;
        assert_true(input_size(film.input) > 8u << 20); /* or it says nothing */
        assert_int_equal(screens_collect(film.container, &film.reader, find_track(&film),
                                         from * INT64_C(1000000000),
                                         (from + 4) * INT64_C(1000000000), &screens),
                         OK);
        uint64_t read = film.reader.bytes_read - before;
        most = read > most ? read : most;
        for (unsigned second = from; second < from + 4; second++)
            check_moment(&screens, second);
        screens_fini(&screens);
        close_film(&film);
    }
    print_message("%s: at most %" PRIu64 " bytes for four seconds\n", name, most);
    return most;
}

static void a_window_is_exact_and_reads_little(void **state)
{
    (void) state;
    assert_in_range(check_windows("film.mkv"), 1, 64 * 1024 - 1);
    assert_in_range(check_windows("merged.mkv"), 1, 64 * 1024 - 1);
    assert_in_range(check_windows("packed.mkv"), 1, 64 * 1024 - 1);
    /* without cues: headers of the blocks from ten seconds before on */
    assert_in_range(check_windows("walk.mkv"), 64 * 1024, 6 << 20);
}

/* Between two screens, of which the first is over. */
static void nothing_is_read_for_nothing(void **state)
{
    (void) state;
    char path[1024];
    struct film film;
    struct screens screens = {0};
    snprintf(path, sizeof path, "%s/film.mkv", folder);
    open_film(path, &film);
    uint32_t track = find_track(&film);
    assert_int_equal(screens_collect(film.container, &film.reader, track, 0, 1, &screens), OK);
    uint64_t before = film.reader.bytes_read; /* the index is there by now */
    assert_int_equal(screens_collect(film.container, &film.reader, track, INT64_C(19200000000),
                                     INT64_C(20800000000), &screens),
                     OK);
    assert_int_equal(screens.count, 0);
    assert_in_range(film.reader.bytes_read - before, 1, 4096); /* that it was cleared */
    screens_fini(&screens);
    close_film(&film);
}

static void real_ones_are_offered(void **state)
{
    (void) state;
    static const char *const names[] = {"androidx-sample_with_pgs_subtitles.mkv",
                                        "androidx-sample_with_vobsub.mkv",
                                        "mkvdemux-subtitles_pgs.mkv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024];
        struct whole whole;
        struct str segment = {0};
        if (!corpus_path(path, sizeof path, names[i]))
            skip();
        whole_open(&whole, path);
        assert_int_equal(whole.result, OK);
        assert_false(whole_has(&whole, "subtitle-1"));
        assert_int_equal(
            whole_segment(&whole, whole_find(&whole, "pictures-1"), 0, &segment, NULL, NULL), OK);
        assert_non_null(strstr(str_text(&segment), "\"png\":\"iVBORw0KGgo"));
        assert_null(strstr(str_text(&segment), "\"pictures\":[]"));
        str_fini(&segment);
        whole_close(&whole);
    }
}

/* --- display sets --- */

static void pgs_sets_know_their_roles(void **state)
{
    (void) state;
    enum { STATE_AT = 3 + 7, OBJECTS_AT = 3 + 10 };
    uint8_t set[] = {0x17, 0, 1,  0,                              /* windows, before all else */
                     0x16, 0, 11, 5, 0, 2, 208, 0x10, 0, 1, 0x80, /* PCS: an epoch begins */
                     0,    0, 1};
    uint8_t *composition = set + 4;
    assert_int_equal(pgs_role(set, sizeof set), EVENT_STARTS);
    composition[STATE_AT] = 0x40;
    assert_int_equal(pgs_role(set, sizeof set), EVENT_STARTS);
    composition[STATE_AT] = 0xC0; /* an epoch goes on in another file */
    assert_int_equal(pgs_role(set, sizeof set), EVENT_DEPENDS);
    composition[STATE_AT] = 0;
    assert_int_equal(pgs_role(set, sizeof set), EVENT_DEPENDS);
    composition[OBJECTS_AT] = 0;
    assert_int_equal(pgs_role(set, sizeof set), EVENT_CLEARS);
    for (size_t cut = 0; cut < sizeof set; cut++)
        assert_int_equal(pgs_role(set, cut), EVENT_DEPENDS);
}

/* A set as Matroska has it: without what a .sup file has before each segment. */
static void strip(const struct str *sup, struct str *out)
{
    enum { MARK = 10, HEADER = 3 };
    for (size_t at = 0; at < sup->length;) {
        const uint8_t *segment = (const uint8_t *) sup->at + at + MARK;
        size_t size = HEADER + ((size_t) segment[1] << 8 | segment[2]);
        str_append(out, segment, size);
        at += MARK + size;
    }
}

/* Of the second of two objects only a part is shown. */
static void an_object_may_be_cropped(void **state)
{
    (void) state;
    enum { OBJECT = 8, CROP = 8, X = 20, Y = 10, WIDTH = 50, HEIGHT = 5, COMPOSITION = 3 + 11 };
    static const uint8_t crop[CROP] = {0, X, 0, Y, 0, WIDTH, 0, HEIGHT};
    struct plan_track track = {.kind = PLAN_SUBTITLE, .codec_name = "hdmv_pgs_subtitle"};
    struct str sup = {0}, set = {0}, cropped = {0};
    struct screens screens = {0};
    put_composition(&sup, 0, EPOCH_START, SECOND);
    put_palette(&sup, 0);
    put_object(&sup, 0, FIRST);
    put_object(&sup, 0, SECOND);
    put_segment(&sup, 0, 0x80, &(const struct str){0});
    strip(&sup, &set);
    size_t before = COMPOSITION + 2 * OBJECT;
    str_append(&cropped, set.at, before);
    cropped.at[2] += CROP;                               /* the composition's length */
    cropped.at[COMPOSITION + OBJECT + 3] |= (char) 0x80; /* the second one's flags */
    str_append(&cropped, crop, sizeof crop);
    str_append(&cropped, set.at + before, set.length - before);
    struct screen_decoder *decoder = screen_decoder_new(&track);
    screen_decoder_take(
        decoder,
        &(const struct event){.bytes = (const uint8_t *) cropped.at, .size = cropped.length},
        &screens);
    assert_int_equal(screens.count, 1);
    assert_int_equal(screens.items[0].part_count, 2);
    check_part(&screens.items[0].parts[0], FIRST);
    const struct screen_part *part = &screens.items[0].parts[1];
    assert_int_equal(part->width, WIDTH);
    assert_int_equal(part->height, HEIGHT);
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned x = 0; x < WIDTH; x++)
            assert_int_equal(part->pixels[y * WIDTH + x], pixel_of(SECOND, X + x, Y + y));
    for (size_t cut = 0; cut < cropped.length; cut++) {
        struct pgs_crop crops[4];
        assert_in_range(pgs_read_crops((const uint8_t *) cropped.at, cut, crops, 4) + 1, 0, 3);
    }
    screen_decoder_free(&decoder);
    screens_fini(&screens);
    str_fini(&sup);
    str_fini(&set);
    str_fini(&cropped);
}

static void dvb_sets_know_their_roles(void **state)
{
    (void) state;
    enum { PAGE_STATE_AT = 7 };
    uint8_t set[] = {0x0F, 0x10, 0, 1, 0, 8, 30, 0x08, 0, 0, 0, 1, 0, 2}; /* mode change */
    assert_int_equal(dvb_role(set, sizeof set), EVENT_STARTS);
    set[PAGE_STATE_AT] = 0x04; /* acquisition point */
    assert_int_equal(dvb_role(set, sizeof set), EVENT_STARTS);
    set[PAGE_STATE_AT] = 0;
    assert_int_equal(dvb_role(set, sizeof set), EVENT_DEPENDS);
    for (size_t cut = 0; cut < sizeof set; cut++)
        assert_int_equal(dvb_role(set, cut), EVENT_DEPENDS);
    set[5] = 2; /* no region */
    assert_int_equal(dvb_role(set, sizeof set), EVENT_CLEARS);
}

/* --- over the picture --- */

static void check_place(struct burn_place place, double x, double y, double left, double top)
{
    assert_float_equal(place.scale_x, x, 1e-6);
    assert_float_equal(place.scale_y, y, 1e-6);
    assert_float_equal(place.left, left, 1e-6);
    assert_float_equal(place.top, top, 1e-6);
}

static void a_plane_lies_over_its_picture(void **state)
{
    (void) state;
    check_place(burn_place(1920, 1080, 1920, 1080, 1280, 720), 2.0 / 3, 2.0 / 3, 0, 0);
    /* bars cut off above and below, and at the sides */
    check_place(burn_place(1920, 1080, 1920, 800, 1920, 800), 1, 1, 0, -140);
    check_place(burn_place(1920, 1080, 1440, 1080, 1440, 1080), 1, 1, -240, 0);
    /* a DVD of 16:9, and what was made of it with its bars cut off */
    check_place(burn_place(720, 480, 720, 480, 854, 480), 854.0 / 720, 1, 0, 0);
    check_place(burn_place(720, 480, 720, 360, 854, 360), 854.0 / 720, 1, 0, -60);
    /* high definition over a picture made smaller, with bars cut off */
    check_place(burn_place(1920, 1080, 1280, 534, 1280, 534), 2.0 / 3, 2.0 / 3, 0, -93);
    /* a DVD's subtitles over a picture made larger */
    check_place(burn_place(720, 576, 1280, 720, 1280, 720), 1280.0 / 720, 1.25, 0, 0);
}

static void the_last_begun_is_seen(void **state)
{
    (void) state;
    struct screen items[] = {{.start_ns = 0, .end_ns = 100}, {.start_ns = 40, .end_ns = 60}};
    const struct screens screens = {.items = items, .count = 2};
    assert_ptr_equal(screens_at(&screens, 0), &items[0]);
    assert_ptr_equal(screens_at(&screens, 40), &items[1]);
    assert_ptr_equal(screens_at(&screens, 60), &items[0]);
    assert_null(screens_at(&screens, 100));
    assert_null(screens_at(&screens, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_exact_and_reads_little),
        cmocka_unit_test(nothing_is_read_for_nothing),
        cmocka_unit_test(real_ones_are_offered),
        cmocka_unit_test(pgs_sets_know_their_roles),
        cmocka_unit_test(an_object_may_be_cropped),
        cmocka_unit_test(dvb_sets_know_their_roles),
        cmocka_unit_test(a_plane_lies_over_its_picture),
        cmocka_unit_test(the_last_begun_is_seen),
    };
    return cmocka_run_group_tests(tests, make_films, drop_films);
}
