/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameter sets and key pictures of films made by x264 and x265. */
#include "segments/nal.h"

#include "reference.h"

static char *folder;

#define FF   "ffmpeg -y -v error -f lavfi -i testsrc2=s=320x182:r=25 -t 6 "
#define X264 "-c:v libx264 -preset ultrafast -g 25 -sc_threshold 0 "
#define X265 "-c:v libx265 -preset ultrafast "

static int make_films(void **state)
{
    (void) state;
    folder = make_folder();
    assert_true(
        run(folder, FF X264 "-bf 3 -x264-params b-pyramid=normal:keyint=25:min-keyint=25 -vf "
                            "setsar=64/45 -colorspace bt709 -color_primaries bt709 -color_trc "
                            "bt709 -color_range pc closed.mkv") &&
        run(folder, FF X264 "-bf 3 -x264-params open-gop=1:keyint=25:min-keyint=25 open.mkv") &&
        run(folder, FF X264 "-bf 0 -profile:v baseline -pix_fmt yuv420p plain.mp4") &&
        run(folder, FF X264 "-pix_fmt yuv422p10le -flags +ildct ten.mp4") &&
        run(folder, FF X264 "-vf scale=640:360 -bf 0 other.mkv") &&
        run(folder, FF X265 "-tag:v hvc1 -x265-params keyint=25:open-gop=1:bframes=3:log-level=0 "
                            "cra.mp4") &&
        run(folder, FF X265 "-pix_fmt yuv420p10le -x265-params "
                            "keyint=25:min-keyint=25:open-gop=0:log-level=0 idr.mkv"));
    return 0;
}

static int drop_films(void **state)
{
    (void) state;
    drop_folder(&folder);
    return 0;
}

static void open_made(const char *name, struct film *film, struct nal_config *config)
{
    char path[512];
    uint32_t count;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    open_film(path, film);
    assert_int_equal(film->result, OK);
    const struct plan_track *track = container_tracks(film->container, &count);
    assert_int_equal(nal_config_read(track->codec, track->extradata, track->extradata_size, config),
                     OK);
    assert_true(config->has_video);
}

/* How many of the container's key packets begin pictures of each kind. */
static void count_keys(struct film *film, const struct nal_config *config, unsigned counts[3])
{
    struct cursor *cursor = NULL;
    struct packet packet;
    assert_int_equal(cursor_open(film->container, &film->reader, 1, 0, &cursor), OK);
    while (cursor_next(cursor, &packet) == OK) {
        uint8_t head[2048];
        size_t got = 0, size = packet.size < sizeof head ? packet.size : sizeof head;
        enum nal_key key = NAL_KEY_NONE;
        if (!packet.is_key)
            continue;
        assert_int_equal(reader_read(&film->reader, head, size, packet.offset, &got), OK);
        assert_int_equal(nal_key_type(config, head, got, packet.size, &key), OK);
        counts[key]++;
    }
    cursor_close(&cursor);
}

static void closed_h264(void **state)
{
    (void) state;
    struct film film;
    struct nal_config config;
    unsigned keys[3] = {0};
    open_made("closed.mkv", &film, &config);
    const struct nal_video *video = &config.video;
    assert_int_equal(video->width, 320);
    assert_int_equal(video->height, 182);
    assert_int_equal(video->bit_depth, 8);
    assert_int_equal(video->sar_num, 64);
    assert_int_equal(video->sar_den, 45);
    assert_true(video->has_reorder);
    assert_int_equal(video->reorder, 2);
    assert_true(video->has_colour && video->is_full_range && video->is_frames_only);
    assert_int_equal(video->primaries, 1);
    assert_int_equal(video->transfer, 1);
    assert_int_equal(video->matrix, 1);
    assert_int_equal(video->fps_num, 25 * video->fps_den);
    assert_int_equal(config.length_size, 4);
    count_keys(&film, &config, keys);
    assert_int_equal(keys[NAL_KEY_CLOSED], 6);
    assert_int_equal(keys[NAL_KEY_OPEN] + keys[NAL_KEY_NONE], 0);
    close_film(&film);
}

static void open_gop_h264(void **state)
{
    (void) state;
    struct film film;
    struct nal_config config;
    unsigned keys[3] = {0};
    open_made("open.mkv", &film, &config);
    count_keys(&film, &config, keys);
    assert_int_equal(keys[NAL_KEY_CLOSED], 1);
    assert_true(keys[NAL_KEY_NONE] >= 4);
    close_film(&film);
}

static void other_h264(void **state)
{
    (void) state;
    struct film film;
    struct nal_config config;
    open_made("plain.mp4", &film, &config);
    assert_int_equal(config.video.reorder, 0);
    assert_int_equal(config.video.profile, 66);
    assert_int_equal(config.video.chroma_format, 1);
    close_film(&film);
    open_made("ten.mp4", &film, &config);
    assert_int_equal(config.video.bit_depth, 10);
    assert_int_equal(config.video.chroma_format, 2);
    assert_int_equal(config.video.profile, 122);
    assert_false(config.video.is_frames_only);
    assert_int_equal(config.video.height, 182);
    close_film(&film);
}

static void hevc(void **state)
{
    (void) state;
    struct film film;
    struct nal_config config;
    unsigned keys[3] = {0};
    open_made("cra.mp4", &film, &config);
    assert_int_equal(config.video.width, 320);
    assert_int_equal(config.video.height, 182);
    assert_true(config.video.has_reorder && config.video.reorder >= 1);
    count_keys(&film, &config, keys);
    assert_int_equal(keys[NAL_KEY_CLOSED], 1);
    assert_true(keys[NAL_KEY_OPEN] >= 4);
    close_film(&film);
    memset(keys, 0, sizeof keys);
    open_made("idr.mkv", &film, &config);
    assert_int_equal(config.video.bit_depth, 10);
    assert_int_equal(config.video.fps_num, 25 * config.video.fps_den);
    count_keys(&film, &config, keys);
    assert_int_equal(keys[NAL_KEY_CLOSED], 6);
    close_film(&film);
}

/* A packet that carries the sets of `from`, 4 byte lengths. */
static size_t pack_sets(const struct nal_config *from, uint8_t *packet)
{
    size_t size = 0;
    for (uint32_t i = 0; i < from->set_count; i++) {
        const struct nal_set *set = &from->sets[i];
        packet[size] = packet[size + 1] = 0;
        packet[size + 2] = (uint8_t) (set->size >> 8);
        packet[size + 3] = (uint8_t) set->size;
        memcpy(packet + size + 4, from->bytes + set->at, set->size);
        size += 4U + set->size;
    }
    return size;
}

static void changed_sets(void **state)
{
    (void) state;
    struct film film, other;
    struct nal_config config, other_config;
    uint8_t packet[4096];
    open_made("closed.mkv", &film, &config);
    open_made("other.mkv", &other, &other_config);
    assert_false(nal_sets_changed(&config, packet, pack_sets(&config, packet)));
    assert_true(nal_sets_changed(&config, packet, pack_sets(&other_config, packet)));
    assert_false(nal_sets_changed(&config, packet, 0));
    close_film(&film);
    close_film(&other);
}

static void damaged_bytes(void **state)
{
    (void) state;
    struct nal_config config;
    enum nal_key key;
    struct nal_video video;
    uint8_t avcc[] = {1, 66, 0, 10, 0xFF, 0xE1, 0, 9, 0x67, 66};
    assert_int_equal(nal_config_read(CODEC_H264, NULL, 0, &config), ERR_BAD_MEDIA);
    assert_int_equal(nal_config_read(CODEC_H264, avcc, sizeof avcc, &config), ERR_BAD_MEDIA);
    assert_int_equal(nal_config_read(CODEC_AAC, avcc, sizeof avcc, &config), ERR_BAD_MEDIA);
    avcc[5] = 0xE0;
    avcc[6] = 0;
    assert_int_equal(nal_config_read(CODEC_H264, avcc, 7, &config), OK);
    assert_int_equal(config.set_count, 0);
    assert_false(config.has_video);
    const uint8_t sei_then_idr[] = {0, 0, 0, 2, 6, 5, 0, 0, 0, 2, 0x65, 1};
    assert_int_equal(nal_key_type(&config, sei_then_idr, 12, 12, &key), OK);
    assert_int_equal(key, NAL_KEY_CLOSED);
    assert_int_equal(nal_key_type(&config, sei_then_idr, 8, 12, &key), ERR_AGAIN);
    assert_int_equal(nal_key_type(&config, sei_then_idr, 6, 6, &key), OK);
    assert_int_equal(key, NAL_KEY_NONE);
    assert_int_equal(nal_key_type(&config, sei_then_idr, 11, 11, &key), ERR_BAD_MEDIA);
    const uint8_t too_long[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x65};
    assert_int_equal(nal_key_type(&config, too_long, 5, 5, &key), ERR_BAD_MEDIA);
    const uint8_t cut_set[] = {0x67, 100, 0, 31, 0xAC};
    assert_int_equal(nal_read_sps(CODEC_H264, cut_set, sizeof cut_set, &video), ERR_BAD_MEDIA);
    assert_int_equal(nal_read_sps(CODEC_HEVC, cut_set, sizeof cut_set, &video), ERR_BAD_MEDIA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_h264),  cmocka_unit_test(open_gop_h264),
        cmocka_unit_test(other_h264),   cmocka_unit_test(hevc),
        cmocka_unit_test(changed_sets), cmocka_unit_test(damaged_bytes),
    };
    return cmocka_run_group_tests(tests, make_films, drop_films);
}
