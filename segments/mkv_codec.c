/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codec IDs (RFC 9559 27.1, draft-ietf-cellar-codec) in libav's names, those of Windows among them,
 * whose real name stands in CodecPrivate. */
#include "segments/mkv.h"

#include <string.h>

#define BITMAP_HEADER_BYTES 40 /* BITMAPINFOHEADER */
#define WAVE_HEADER_BYTES   18 /* WAVEFORMATEX */

/* The first that the Codec ID starts with. */
struct codec_name {
    const char *id, *name;
};
static const struct codec_name codec_names[] = {
    {"V_MPEG4/ISO/AVC", "h264"},
    {"V_MPEGH/ISO/HEVC", "hevc"},
    {"V_AV1", "av1"},
    {"V_VP9", "vp9"},
    {"V_VP8", "vp8"},
    {"V_MPEG1", "mpeg1video"},
    {"V_MPEG2", "mpeg2video"},
    {"V_MPEG4/ISO", "mpeg4"},
    {"V_MPEG4/MS/V3", "msmpeg4v3"},
    {"V_THEORA", "theora"},
    {"V_PRORES", "prores"},
    {"V_FFV1", "ffv1"},
    {"V_MJPEG", "mjpeg"},
    {"V_SNOW", "snow"},
    {"V_DIRAC", "dirac"},
    {"V_UNCOMPRESSED", "rawvideo"},
    {"V_REAL/RV10", "rv10"},
    {"V_REAL/RV20", "rv20"},
    {"V_REAL/RV30", "rv30"},
    {"V_REAL/RV40", "rv40"},
    {"A_AAC", "aac"},
    {"A_AC3", "ac3"},
    {"A_EAC3", "eac3"},
    {"A_FLAC", "flac"},
    {"A_OPUS", "opus"},
    {"A_MPEG/L3", "mp3"},
    {"A_MPEG/L2", "mp2"},
    {"A_MPEG/L1", "mp1"},
    {"A_DTS", "dts"},
    {"A_TRUEHD", "truehd"},
    {"A_MLP", "mlp"},
    {"A_VORBIS", "vorbis"},
    {"A_ALAC", "alac"},
    {"A_TTA1", "tta"},
    {"A_WAVPACK4", "wavpack"},
    {"A_PCM/INT/LIT", "pcm"},
    {"A_PCM/INT/BIG", "pcm"},
    {"A_PCM/FLOAT/IEEE", "pcm"},
    {"S_TEXT/UTF8", "subrip"},
    {"S_TEXT/ASCII", "subrip"},
    {"S_TEXT/SSA", "ass"},
    {"S_TEXT/ASS", "ass"},
    {"S_SSA", "ass"},
    {"S_ASS", "ass"},
    {"S_TEXT/WEBVTT", "webvtt"},
    {"D_WEBVTT", "webvtt"},
    {"S_HDMV/PGS", "hdmv_pgs_subtitle"},
    {"S_HDMV/TEXTST", "hdmv_text_subtitle"},
    {"S_VOBSUB", "dvd_subtitle"},
    {"S_DVBSUB", "dvb_subtitle"},
};

struct fourcc_name {
    char fourcc[5];
    const char *name;
};
static const struct fourcc_name fourcc_names[] = {
    {"H264", "h264"},      {"X264", "h264"},  {"AVC1", "h264"},       {"HEVC", "hevc"},
    {"H265", "hevc"},      {"XVID", "mpeg4"}, {"DIVX", "mpeg4"},      {"DX50", "mpeg4"},
    {"FMP4", "mpeg4"},     {"MP4V", "mpeg4"}, {"DIV3", "msmpeg4v3"},  {"MP43", "msmpeg4v3"},
    {"MP42", "msmpeg4v2"}, {"WMV1", "wmv1"},  {"WMV2", "wmv2"},       {"WMV3", "wmv3"},
    {"WVC1", "vc1"},       {"MJPG", "mjpeg"}, {"MPG2", "mpeg2video"}, {"VP80", "vp8"},
};

struct wave_name {
    uint16_t tag;
    const char *name;
};
static const struct wave_name wave_names[] = {
    {0x0001, "pcm"},   {0x0003, "pcm"},   {0x0050, "mp2"},    {0x0055, "mp3"}, {0x00FF, "aac"},
    {0x0160, "wmav1"}, {0x0161, "wmav2"}, {0x0162, "wmapro"}, {0x2000, "ac3"}, {0x2001, "dts"},
};

static bool is_bitmap(const char *id, const struct ebml_element *private)
{
    return strcmp(id, "V_MS/VFW/FOURCC") == 0 && private->size >= BITMAP_HEADER_BYTES;
}

static bool is_wave(const char *id, const struct ebml_element *private)
{
    return strcmp(id, "A_MS/ACM") == 0 && private->size >= WAVE_HEADER_BYTES;
}

static const char *name_fourcc(const uint8_t *fourcc)
{
    char upper[5] = "";
    for (int i = 0; i < 4; i++)
        upper[i] = (char) (fourcc[i] >= 'a' && fourcc[i] <= 'z' ? fourcc[i] - 32 : fourcc[i]);
    for (size_t i = 0; i < sizeof fourcc_names / sizeof *fourcc_names; i++)
        if (memcmp(fourcc_names[i].fourcc, upper, 4) == 0)
            return fourcc_names[i].name;
    return NULL;
}

static const char *name_wave(const uint8_t *format)
{
    for (size_t i = 0; i < sizeof wave_names / sizeof *wave_names; i++)
        if (wave_names[i].tag == (format[0] | format[1] << 8))
            return wave_names[i].name;
    return NULL;
}

const char *mkv_name_codec(const char *id, const struct ebml_element *private)
{
    const char *name = NULL;
    if (is_bitmap(id, private))
        name = name_fourcc(private->data + 16);
    else if (is_wave(id, private))
        name = name_wave(private->data);
    for (size_t i = 0; name == NULL && i < sizeof codec_names / sizeof *codec_names; i++)
        if (strncmp(id, codec_names[i].id, strlen(codec_names[i].id)) == 0)
            name = codec_names[i].name;
    return name != NULL ? name : id;
}

struct ebml_element mkv_unwrap_private(const char *id, const struct ebml_element *private)
{
    struct ebml_element inner = *private;
    size_t header = is_bitmap(id, private) ? BITMAP_HEADER_BYTES
                    : is_wave(id, private) ? WAVE_HEADER_BYTES
                                           : 0;
    if (header > 0)
        inner.data += header;
    inner.size -= header;
    return inner;
}
