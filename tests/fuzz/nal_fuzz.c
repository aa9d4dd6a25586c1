/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoder configurations, parameter sets and key packets. The first byte chooses the codec, the
 * next two the size of the configuration, the rest is a packet. */
#include "segments/nal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct nal_config config;
    struct nal_video video;
    enum nal_key key = NAL_KEY_NONE;
    if (size < 3)
        return 0;
    enum plan_codec codec = (bytes[0] & 1) != 0 ? CODEC_HEVC : CODEC_H264;
    size_t config_size = (size_t) bytes[1] << 8 | bytes[2];
    bytes += 3;
    size -= 3;
    config_size = config_size < size ? config_size : size;
    if (nal_read_sps(codec, bytes, size, &video) == OK && (video.reorder > 16 || video.width == 0))
        abort();
    if (nal_config_read(codec, bytes, config_size, &config) != OK)
        return 0;
    const uint8_t *packet = bytes + config_size;
    size -= config_size;
    (void) !nal_key_type(&config, packet, size / 2, size, &key);
    (void) !nal_key_type(&config, packet, size, size, &key);
    (void) nal_sets_changed(&config, packet, size);
    (void) nal_is_leading(&config, packet, size);
    return 0;
}
