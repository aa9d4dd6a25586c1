/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codec headers and first packets of any kind: an initial segment of them is refused, or can be
 * read back. The first bytes choose the codec and where headers end and the packet begins. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "segments/annexb.h"
#include "segments/init.h"
#include "segments/nal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_annexb(enum plan_codec codec, const uint8_t *bytes, size_t size)
{
    CLEANUP(str_fini) struct str out = {0};
    struct nal_config back;
    uint32_t appended;

    if (annexb_config(codec, bytes, size, &out) == OK && out.length <= UINT16_MAX)
        MUST(nal_config_read(codec, (const uint8_t *) out.at, out.length, &back) == OK);
    str_clear(&out);
    if (annexb_append(codec, bytes, size, &out, &appended) == OK)
        MUST(appended == out.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct init_track track = {.timescale = 90000, .sar_num = 4, .sar_den = 3, .fps = 25};
    CLEANUP(str_fini) struct str out = {0};
    char codecs[INIT_CODECS_SIZE];
    uint32_t samples;
    struct why why = {0};

    if (size < 4)
        return 0;
    track.codec = (enum plan_codec)(bytes[0] % CODEC_COUNT);
    track.kind = track.codec >= CODEC_AAC ? PLAN_AUDIO : PLAN_VIDEO;
    track.width = track.height = bytes[1] * 16u;
    track.rate = bytes[2] * 1000u;
    track.channels = bytes[2] % 9;
    track.color_transfer = bytes[1] % 20;
    track.config_size = bytes[3] < size - 4 ? bytes[3] : size - 4;
    track.config = bytes + 4;
    track.packet = track.config + track.config_size;
    track.packet_size = size - 4 - track.config_size;
    if (init_write(&track, &out, &why) == OK) {
        MUST(init_codecs((const uint8_t *) out.at, out.length, codecs) == OK);
        MUST(codecs[0] != '\0');
    } else {
        MUST(why.text[0] != '\0' && out.length == 0);
    }
    if (init_frame_size(&track, &samples, &why) == OK)
        MUST(samples > 0);
    (void) !init_codecs(bytes, size, codecs);
    read_annexb(CODEC_H264, bytes, size);
    read_annexb(CODEC_HEVC, bytes, size);
    return 0;
}
