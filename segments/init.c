/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/init.h"

#include <string.h>

#include "base/mem.h"
#include "segments/box.h"
#include "segments/init_entry.h"

#define TRACK_ID        1u
#define MOVIE_TIMESCALE 1000u
#define LANGUAGE_UND    0x55c4u /* ISO 14496-12 8.4.2.3: the playlist tells the language */

/* trex (8.8.3): what a sample is where a fragment does not say. */
#define DEFAULT_SYNC  0x02000000u
#define DEFAULT_OTHER 0x01010000u

void init_track_of(const struct plan_track *track, struct init_track *out)
{
    *out = (struct init_track){
        .kind = track->kind,
        .codec = track->codec,
        .config = track->extradata,
        .config_size = track->extradata_size,
        .width = track->width,
        .height = track->height,
        .sar_num = track->sar_num,
        .sar_den = track->sar_den,
        .color_primaries = track->color_primaries,
        .color_transfer = track->color_transfer,
        .color_matrix = track->color_matrix,
        .is_full_range = track->is_full_range,
        .rate = track->rate,
        .channels = track->channels,
    };
}

static void write_matrix(struct str *out)
{
    static const uint32_t unity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};

    for (size_t i = 0; i < 9; i++)
        box_u32(out, unity[i]);
}

static void write_ftyp(struct str *out)
{
    size_t ftyp = box_open(out, "ftyp");

    str_append(out, "iso6", 4);
    box_u32(out, 0);
    str_append(out, "iso6cmfcmp41", 12);
    box_close(out, ftyp);
}

static void write_mvhd(struct str *out)
{
    size_t mvhd = box_open_full(out, "mvhd", 0, 0);

    box_zeros(out, 8); /* times of creation and change */
    box_u32(out, MOVIE_TIMESCALE);
    box_u32(out, 0);
    box_u32(out, 0x10000); /* rate 1 */
    box_u16(out, 0x100);   /* volume 1 */
    box_zeros(out, 10);
    write_matrix(out);
    box_zeros(out, 24);
    box_u32(out, TRACK_ID + 1);
    box_close(out, mvhd);
}

static void write_tkhd(const struct init_track *track, struct str *out)
{
    bool is_video = track->kind == PLAN_VIDEO;
    size_t tkhd = box_open_full(out, "tkhd", 0, 3); /* enabled, in the movie */
    uint64_t width = is_video ? (uint64_t) track->width * 0x10000 : 0;

    if (is_video && track->sar_num > 0 && track->sar_den > 0)
        width = width * track->sar_num / track->sar_den;
    box_zeros(out, 8);
    box_u32(out, TRACK_ID);
    box_zeros(out, 8 + 8 + 4); /* duration; layer and group */
    box_u16(out, is_video ? 0 : 0x100);
    box_u16(out, 0);
    write_matrix(out);
    box_u32(out, width > UINT32_MAX ? UINT32_MAX : (uint32_t) width);
    box_u32(out, is_video ? track->height << 16 : 0);
    box_close(out, tkhd);
}

static void write_mdhd(const struct init_track *track, struct str *out)
{
    size_t mdhd = box_open_full(out, "mdhd", 0, 0);

    box_zeros(out, 8);
    box_u32(out, track->timescale);
    box_u32(out, 0);
    box_u16(out, LANGUAGE_UND);
    box_u16(out, 0);
    box_close(out, mdhd);
}

static void write_hdlr(const struct init_track *track, struct str *out)
{
    size_t hdlr = box_open_full(out, "hdlr", 0, 0);

    box_u32(out, 0);
    str_append(out, track->kind == PLAN_VIDEO ? "vide" : "soun", 4);
    box_zeros(out, 12 + 1); /* reserved; an empty name */
    box_close(out, hdlr);
}

static void write_dinf(struct str *out)
{
    size_t dinf = box_open(out, "dinf");
    size_t dref = box_open_full(out, "dref", 0, 0);
    size_t url;

    box_u32(out, 1);
    url = box_open_full(out, "url ", 0, 1); /* the media is in this file */
    box_close(out, url);
    box_close(out, dref);
    box_close(out, dinf);
}

static void write_empty_tables(struct str *out)
{
    static const char types[][5] = {"stts", "stsc", "stsz", "stco"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t table = box_open_full(out, types[i], 0, 0);
        box_zeros(out, strcmp(types[i], "stsz") == 0 ? 8 : 4);
        box_close(out, table);
    }
}

static enum err write_minf(const struct init_track *track, struct str *out, struct why *why)
{
    bool is_video = track->kind == PLAN_VIDEO;
    size_t minf = box_open(out, "minf");
    size_t head = box_open_full(out, is_video ? "vmhd" : "smhd", 0, is_video ? 1 : 0);
    size_t stbl, stsd;
    enum err err;

    box_zeros(out, is_video ? 8 : 4);
    box_close(out, head);
    write_dinf(out);
    stbl = box_open(out, "stbl");
    stsd = box_open_full(out, "stsd", 0, 0);
    box_u32(out, 1);
    err = is_video ? init_video_entry(track, out, why) : init_audio_entry(track, out, why);
    if (err != OK)
        return err;
    box_close(out, stsd);
    write_empty_tables(out);
    box_close(out, stbl);
    box_close(out, minf);
    return OK;
}

static enum err write_trak(const struct init_track *track, struct str *out, struct why *why)
{
    size_t trak = box_open(out, "trak");
    size_t mdia;
    enum err err;

    write_tkhd(track, out);
    mdia = box_open(out, "mdia");
    write_mdhd(track, out);
    write_hdlr(track, out);
    err = write_minf(track, out, why);
    if (err != OK)
        return err;
    box_close(out, mdia);
    box_close(out, trak);
    return OK;
}

static void write_mvex(const struct init_track *track, struct str *out)
{
    size_t mvex = box_open(out, "mvex");
    size_t trex = box_open_full(out, "trex", 0, 0);

    box_u32(out, TRACK_ID);
    box_u32(out, 1); /* the only sample description */
    box_zeros(out, 8);
    box_u32(out, track->kind == PLAN_VIDEO ? DEFAULT_OTHER : DEFAULT_SYNC);
    box_close(out, trex);
    box_close(out, mvex);
}

enum err init_write(const struct init_track *track, struct str *out, struct why *why)
{
    CLEANUP(str_fini) struct str init = {0};
    size_t moov;
    enum err err;

    if (track->config_size > PLAN_MAX_EXTRADATA)
        return why_set(why, ERR_BAD_MEDIA, NULL, "its headers are too long");
    write_ftyp(&init);
    moov = box_open(&init, "moov");
    write_mvhd(&init);
    err = write_trak(track, &init, why);
    if (err != OK)
        return err;
    write_mvex(track, &init);
    box_close(&init, moov);
    if (init.length > PLAN_MAX_INIT)
        return why_set(why, ERR_BAD_MEDIA, NULL, "its headers are too long");
    str_append(out, init.at, init.length);
    return OK;
}
