/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the codecs' own headers say, as far as initial segments and grids need it: AAC's config,
 * first packets of AC-3, E-AC-3, MP3, Opus, VP9, FLAC's STREAMINFO. Bytes are borrowed for the call
 * and trusted in nothing. Threads: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* AudioSpecificConfig (ISO 14496-3 1.6.2.1). */
struct codec_aac {
    unsigned object_type;  /* of the core: 2 = LC */
    unsigned signalled;    /* as written first: 5 = SBR, 29 = PS, else the core's */
    uint32_t rate;         /* of the core */
    uint32_t output_rate;  /* with SBR where it is said */
    unsigned channels;     /* channel configuration; 0 = told elsewhere (PCE) */
    unsigned frame_length; /* samples of the core: 1024 or 960 */
};
/* BAD_MEDIA: cut off, or not of the forms above. */
MUST_CHECK enum err codec_aac_parse(const uint8_t *config, size_t size, struct codec_aac *out);

/* One packet of AC-3 or E-AC-3 (ETSI TS 102 366, 4.3, E.1.2) with all its substreams. */
#define CODEC_AC3_SUBSTREAMS 8
struct codec_ac3 {
    struct codec_ac3_substream {
        uint8_t fscod, bsid, bsmod, acmod;
        bool lfe;
        uint8_t dependent;      /* how many depend on it */
        uint16_t chan_location; /* of those, Annex F.6 */
    } substreams[CODEC_AC3_SUBSTREAMS];
    unsigned count;
    uint32_t rate;
    uint32_t samples;       /* of the packet */
    uint32_t kbit_s;        /* E-AC-3: of this packet */
    unsigned bit_rate_code; /* AC-3 */
};
MUST_CHECK enum err codec_ac3_parse(const uint8_t *packet, size_t size, struct codec_ac3 *out);
MUST_CHECK enum err codec_eac3_parse(const uint8_t *packet, size_t size, struct codec_ac3 *out);
/* How many objects an E-AC-3 packet's sound has beside its channels (Atmos; complexity_index_type_a of
 * ETSI TS 103 420); 0: none, or it is no E-AC-3. */
uint8_t codec_eac3_objects(const uint8_t *packet, size_t size);

/* MPEG audio layer III: samples a packet; `is_mpeg1` false for the halved rates. */
MUST_CHECK enum err codec_mp3_parse(const uint8_t *packet, size_t size, uint32_t *samples,
                                    bool *is_mpeg1);

/* Samples at 48 kHz of an Opus packet (RFC 6716 3.1). */
MUST_CHECK enum err codec_opus_parse(const uint8_t *packet, size_t size, uint32_t *samples);

/* STREAMINFO's 34 bytes (RFC 9639 8.2) within a FLAC header of any container; NOT_FOUND. */
MUST_CHECK enum err codec_flac_find(const uint8_t *config, size_t size, const uint8_t **info);
/* Samples a block; 0 where they are not all alike. */
uint32_t codec_flac_block(const uint8_t *info);

/* A VP9 key frame's uncompressed header (VP9 specification 6.2, 7.2.2). */
struct codec_vp9 {
    uint8_t profile, bit_depth, color_space;
    bool is_full_range, is_420;
};
MUST_CHECK enum err codec_vp9_parse(const uint8_t *packet, size_t size, struct codec_vp9 *out);
/* The level (10 = 1.0) for a picture size and rate (VP9 levels, webmproject.org/vp9/levels). */
unsigned codec_vp9_level(uint32_t width, uint32_t height, uint32_t fps);
