/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/nal.h"

#include <string.h>

enum { H264_SLICE_FIRST = 1, H264_IDR = 5, H264_SPS = 7, H264_PPS = 8 };
enum {
    HEVC_RADL_N = 6,
    HEVC_RASL_R = 9,
    HEVC_BLA_W_LP = 16,
    HEVC_IDR_N_LP = 20,
    HEVC_CRA = 21,
    HEVC_SLICE_LAST = 31,
    HEVC_VPS = 32,
    HEVC_SPS = 33,
    HEVC_PPS = 34
};

const char *nal_key_name(enum nal_key key)
{
    switch (key) {
    case NAL_KEY_NONE:
        return "none";
    case NAL_KEY_CLOSED:
        return "closed";
    case NAL_KEY_OPEN:
        return "open";
    }
    return "unknown";
}

static uint8_t unit_type(enum plan_codec codec, uint8_t first)
{
    return codec == CODEC_H264 ? first & 0x1F : first >> 1 & 0x3F;
}

/* Bytes of a configuration, taken one after the other. */
struct bytes {
    const uint8_t *start;
    size_t at, size;
    bool is_over;
};

static uint32_t take(struct bytes *bytes, size_t count)
{
    uint32_t value = 0;
    if (count > bytes->size - bytes->at) {
        bytes->is_over = true;
        bytes->at = bytes->size;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes->start[bytes->at++];
    return value;
}

/* One parameter set with its 16 bit length. */
static enum err take_set(struct bytes *bytes, struct nal_config *config)
{
    uint32_t size = take(bytes, 2);
    if (bytes->is_over || size > bytes->size - bytes->at || bytes->at > UINT16_MAX)
        return ERR_BAD_MEDIA;
    if (config->set_count == NAL_MAX_SETS)
        return ERR_LIMIT;
    if (size > 0) {
        struct nal_set *set = &config->sets[config->set_count++];
        set->at = (uint16_t) bytes->at;
        set->size = (uint16_t) size;
        set->type = unit_type(config->codec, bytes->start[bytes->at]);
    }
    bytes->at += size;
    return OK;
}

/* avcC (ISO 14496-15 5.3.3.1). */
static enum err read_avcc(struct bytes *bytes, struct nal_config *config)
{
    if (take(bytes, 1) != 1)
        return ERR_BAD_MEDIA;
    (void) take(bytes, 3);
    config->length_size = (uint8_t) ((take(bytes, 1) & 3) + 1);
    for (int kind = 0; kind < 2; kind++) {
        uint32_t count = take(bytes, 1) & (kind == 0 ? 0x1F : 0xFF);
        for (uint32_t i = 0; i < count; i++) {
            enum err err = take_set(bytes, config);
            if (err != OK)
                return err;
        }
    }
    return bytes->is_over ? ERR_BAD_MEDIA : OK;
}

/* hvcC (ISO 14496-15 8.3.3.1). Version 0 was written by early muxers. */
static enum err read_hvcc(struct bytes *bytes, struct nal_config *config)
{
    if (take(bytes, 1) > 1)
        return ERR_BAD_MEDIA;
    for (int i = 0; i < 20; i++)
        (void) take(bytes, 1);
    config->length_size = (uint8_t) ((take(bytes, 1) & 3) + 1);
    uint32_t arrays = take(bytes, 1);
    for (uint32_t i = 0; i < arrays; i++) {
        (void) take(bytes, 1);
        uint32_t count = take(bytes, 2);
        for (uint32_t j = 0; j < count; j++) {
            enum err err = take_set(bytes, config);
            if (err != OK)
                return err;
        }
    }
    return bytes->is_over ? ERR_BAD_MEDIA : OK;
}

static bool is_parameter_set(enum plan_codec codec, uint8_t type)
{
    if (codec == CODEC_H264)
        return type == H264_SPS || type == H264_PPS;
    return type == HEVC_VPS || type == HEVC_SPS || type == HEVC_PPS;
}

enum err nal_config_read(enum plan_codec codec, const uint8_t *extradata, size_t size,
                         struct nal_config *out)
{
    if ((codec != CODEC_H264 && codec != CODEC_HEVC) || extradata == NULL)
        return ERR_BAD_MEDIA;
    struct nal_config config = {.codec = codec, .bytes = extradata, .size = size};
    struct bytes bytes = {extradata, 0, size, false};
    enum err err = codec == CODEC_H264 ? read_avcc(&bytes, &config) : read_hvcc(&bytes, &config);
    if (err != OK)
        return err;
    if (config.length_size == 3)
        return ERR_BAD_MEDIA;
    uint8_t wanted = codec == CODEC_H264 ? H264_SPS : HEVC_SPS;
    for (uint32_t i = 0; i < config.set_count && !config.has_video; i++)
        if (config.sets[i].type == wanted)
            config.has_video = nal_read_sps(codec, extradata + config.sets[i].at,
                                            config.sets[i].size, &config.video) == OK;
    *out = config;
    return OK;
}

/* The unit at *at of a packet, whose `whole` bytes are there up to `size`; *at moves past it.
 * NOT_FOUND: the end of the packet; AGAIN: past what is there. */
static enum err next_unit(const struct nal_config *config, const uint8_t *packet, size_t size,
                          size_t whole, size_t *at, const uint8_t **unit, size_t *unit_size)
{
    size_t length = 0;
    for (;;) {
        if (*at == whole)
            return ERR_NOT_FOUND;
        if (whole - *at < config->length_size)
            return ERR_BAD_MEDIA;
        if (*at >= size || size - *at <= config->length_size)
            return size < whole ? ERR_AGAIN : ERR_BAD_MEDIA;
        length = 0;
        for (unsigned i = 0; i < config->length_size; i++)
            length = length << 8 | packet[*at + i];
        *at += config->length_size;
        if (length > whole - *at)
            return ERR_BAD_MEDIA;
        if (length > 0)
            break;
    }
    *unit = packet + *at;
    *unit_size = length < size - *at ? length : size - *at;
    *at += length;
    return OK;
}

static enum nal_key slice_key(enum plan_codec codec, uint8_t type)
{
    if (codec == CODEC_H264)
        return type == H264_IDR ? NAL_KEY_CLOSED : NAL_KEY_NONE;
    if (type == HEVC_BLA_W_LP || type == HEVC_CRA)
        return NAL_KEY_OPEN;
    return type > HEVC_BLA_W_LP && type <= HEVC_IDR_N_LP ? NAL_KEY_CLOSED : NAL_KEY_NONE;
}

static bool is_slice(enum plan_codec codec, uint8_t type)
{
    if (codec == CODEC_H264)
        return type >= H264_SLICE_FIRST && type <= H264_IDR;
    return type <= HEVC_SLICE_LAST;
}

/* The type of the packet's first slice. */
static enum err first_slice(const struct nal_config *config, const uint8_t *packet, size_t size,
                            size_t whole, uint8_t *type)
{
    size_t at = 0, unit_size = 0;
    const uint8_t *unit;
    enum err err;
    while ((err = next_unit(config, packet, size, whole, &at, &unit, &unit_size)) == OK) {
        *type = unit_type(config->codec, unit[0]);
        if (is_slice(config->codec, *type))
            return OK;
    }
    return err;
}

enum err nal_key_type(const struct nal_config *config, const uint8_t *packet, size_t size,
                      size_t whole, enum nal_key *out)
{
    uint8_t type = 0;
    enum err err = first_slice(config, packet, size, whole, &type);
    if (err == OK)
        *out = slice_key(config->codec, type);
    else if (err == ERR_NOT_FOUND)
        *out = NAL_KEY_NONE;
    return err == ERR_NOT_FOUND ? OK : err;
}

static size_t without_zeros(const uint8_t *unit, size_t size)
{
    while (size > 1 && unit[size - 1] == 0)
        size--;
    return size;
}

static bool has_set(const struct nal_config *config, const uint8_t *unit, size_t size)
{
    size = without_zeros(unit, size);
    for (uint32_t i = 0; i < config->set_count; i++) {
        const uint8_t *at = config->bytes + config->sets[i].at;
        if (without_zeros(at, config->sets[i].size) == size && memcmp(at, unit, size) == 0)
            return true;
    }
    return false;
}

bool nal_sets_changed(const struct nal_config *config, const uint8_t *packet, size_t size)
{
    size_t at = 0, unit_size = 0;
    const uint8_t *unit;
    while (next_unit(config, packet, size, size, &at, &unit, &unit_size) == OK)
        if (is_parameter_set(config->codec, unit_type(config->codec, unit[0])) &&
            !has_set(config, unit, unit_size))
            return true;
    return false;
}

bool nal_is_leading(const struct nal_config *config, const uint8_t *packet, size_t size)
{
    uint8_t type = 0;
    return config->codec == CODEC_HEVC && first_slice(config, packet, size, size, &type) == OK &&
           type >= HEVC_RADL_N && type <= HEVC_RASL_R;
}
