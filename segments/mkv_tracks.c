/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tracks (RFC 9559 5.1.4). */
#include "segments/mkv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Elements of a TrackEntry (5.1.4.1). */
enum {
    NUMBER = 0xD7,
    TYPE = 0x83,
    FLAG_DEFAULT = 0x88,
    FLAG_FORCED = 0x55AA,
    FLAG_HEARING_IMPAIRED = 0x55AB,
    FLAG_VISUAL_IMPAIRED = 0x55AC,
    FLAG_COMMENTARY = 0x55AF,
    DEFAULT_DURATION = 0x23E383,
    TIMESTAMP_SCALE = 0x23314F,
    NAME = 0x536E,
    LANGUAGE = 0x22B59C,
    LANGUAGE_BCP47 = 0x22B59D,
    CODEC_ID = 0x86,
    CODEC_PRIVATE = 0x63A2,
    CODEC_DELAY = 0x56AA,
    VIDEO = 0xE0,
    FLAG_INTERLACED = 0x9A,
    STEREO_MODE = 0x53B8,
    PIXEL_WIDTH = 0xB0,
    PIXEL_HEIGHT = 0xBA,
    CROP_BOTTOM = 0x54AA,
    CROP_TOP = 0x54BB,
    CROP_LEFT = 0x54CC,
    CROP_RIGHT = 0x54DD,
    DISPLAY_WIDTH = 0x54B0,
    DISPLAY_HEIGHT = 0x54BA,
    DISPLAY_UNIT = 0x54B2,
    COLOUR = 0x55B0,
    COLOUR_MATRIX = 0x55B1,
    COLOUR_BITS = 0x55B2,
    COLOUR_RANGE = 0x55B9,
    COLOUR_TRANSFER = 0x55BA,
    COLOUR_PRIMARIES = 0x55BB,
    PROJECTION = 0x7670,
    PROJECTION_TYPE = 0x7671,
    PROJECTION_ROLL = 0x7675,
    AUDIO = 0xE1,
    SAMPLING_FREQUENCY = 0xB5,
    OUTPUT_SAMPLING_FREQUENCY = 0x78B5,
    CHANNELS = 0x9F,
    ADDITION_MAPPING = 0x41E4,
    ADDITION_TYPE = 0x41E7,
    ADDITION_DATA = 0x41ED,
    ENCODINGS = 0x6D80,
    ENCODING = 0x6240,
    ENCODING_SCOPE = 0x5032,
    ENCODING_TYPE = 0x5033,
    ENCODING_COMPRESSION = 0x5034,
    COMPRESSION_ALGORITHM = 0x4254,
    COMPRESSION_SETTINGS = 0x4255,
};

/* TrackType (5.1.4.1.3). */
enum { TYPE_VIDEO = 1, TYPE_AUDIO = 2, TYPE_SUBTITLE = 17, TYPE_METADATA = 33 };
/* A stripped header is some bytes long; more than this is no header. */
#define PREFIX_LIMIT 1024
/* A size no codec of ours can have. */
#define SIDE_LIMIT 65535
#define RATE_LIMIT 1536000.0
/* What nearly all Opus packets last; only asked where a laced block says nothing. */
#define OPUS_FRAME_NS (20 * NS_PER_MS)

/* A TrackEntry as it is read, before its kind is known. */
struct entry {
    uint64_t number, type, default_ns, delay_ns;
    bool is_default, is_forced, is_sdh, is_descriptive, is_commentary, has_bcp47;
    double time_scale;
    struct ebml_element name, language, codec_id, codec_private, video, audio, encodings, dolby;
};

static void read_flag(const struct ebml_element *element, bool *flag)
{
    *flag = ebml_uint(element, *flag) != 0;
}

static void read_entry_field(struct entry *entry, const struct ebml_element *element)
{
    switch (element->id) {
    case NUMBER:
        entry->number = ebml_uint(element, 0);
        break;
    case TYPE:
        entry->type = ebml_uint(element, 0);
        break;
    case FLAG_DEFAULT:
        read_flag(element, &entry->is_default);
        break;
    case FLAG_FORCED:
        read_flag(element, &entry->is_forced);
        break;
    case FLAG_HEARING_IMPAIRED:
        read_flag(element, &entry->is_sdh);
        break;
    case FLAG_VISUAL_IMPAIRED:
        read_flag(element, &entry->is_descriptive);
        break;
    case FLAG_COMMENTARY:
        read_flag(element, &entry->is_commentary);
        break;
    case DEFAULT_DURATION:
        entry->default_ns = ebml_uint(element, 0);
        break;
    case TIMESTAMP_SCALE:
        entry->time_scale = ebml_float(element, 1.0);
        break;
    case CODEC_DELAY:
        entry->delay_ns = ebml_uint(element, 0);
        break;
    default:
        break;
    }
}

/* BlockAdditionMapping (5.1.4.1.17): of those in use, Dolby Vision's two speak of the pictures
 * themselves. */
static void read_mapping(struct entry *entry, const struct ebml_element *mapping)
{
    enum { DVCC = 0x64766343, DVVC = 0x64767643 };
    struct ebml_span span = ebml_children(mapping);
    struct ebml_element field, data = {0};
    uint64_t type = 0;
    while (ebml_next(&span, &field)) {
        if (field.id == ADDITION_TYPE)
            type = ebml_uint(&field, 0);
        else if (field.id == ADDITION_DATA)
            data = field;
    }
    if (type == DVCC || type == DVVC)
        entry->dolby = data;
}

static void read_entry_part(struct entry *entry, const struct ebml_element *element)
{
    switch (element->id) {
    case NAME:
        entry->name = *element;
        break;
    case LANGUAGE_BCP47:
        entry->language = *element;
        entry->has_bcp47 = true;
        break;
    case LANGUAGE:
        if (!entry->has_bcp47)
            entry->language = *element;
        break;
    case CODEC_ID:
        entry->codec_id = *element;
        break;
    case CODEC_PRIVATE:
        entry->codec_private = *element;
        break;
    case VIDEO:
        entry->video = *element;
        break;
    case AUDIO:
        entry->audio = *element;
        break;
    case ENCODINGS:
        entry->encodings = *element;
        break;
    case ADDITION_MAPPING:
        read_mapping(entry, element);
        break;
    default:
        break;
    }
}

static void read_colour(struct plan_track *track, const struct ebml_element *colour)
{
    struct ebml_element field;
    struct ebml_span span = ebml_children(colour);
    while (ebml_next(&span, &field)) {
        uint64_t value = ebml_uint(&field, 0);
        uint8_t point = value <= UINT8_MAX ? (uint8_t) value : 0;
        if (field.id == COLOUR_MATRIX)
            track->color_matrix = point;
        else if (field.id == COLOUR_TRANSFER)
            track->color_transfer = point;
        else if (field.id == COLOUR_PRIMARIES)
            track->color_primaries = point;
        else if (field.id == COLOUR_BITS && point <= 16)
            track->bit_depth = point;
        else if (field.id == COLOUR_RANGE)
            track->is_full_range = value == 2;
    }
}

/* Projection (5.1.4.1.28.41): a flat picture turned by quarters; the roll counts
 * counter-clockwise. */
static void read_projection(struct plan_track *track, const struct ebml_element *projection)
{
    struct ebml_element field;
    struct ebml_span span = ebml_children(projection);
    uint64_t type = 0;
    double roll = 0;
    while (ebml_next(&span, &field)) {
        if (field.id == PROJECTION_TYPE)
            type = ebml_uint(&field, 0);
        else if (field.id == PROJECTION_ROLL)
            roll = ebml_float(&field, 0);
    }
    if (type != 0 || !isfinite(roll) || fabs(roll) > 180)
        return;
    int quarters = (int) lround(-roll / 90.0);
    track->rotation = ((quarters % 4) + 4) % 4 * 90;
}

static uint32_t read_side(const struct ebml_element *field)
{
    uint64_t value = ebml_uint(field, 0);
    return value <= SIDE_LIMIT ? (uint32_t) value : 0;
}

/* StereoMode (5.1.4.1.28.3): a display size is that of one eye. Both stand side by side in modes 1
 * and 11 and by columns in 8 and 9, one above the other in 2 and 3 and by rows in 6 and 7. */
static void widen_for_both_eyes(uint64_t mode, uint64_t *width, uint64_t *height)
{
    if (mode == 1 || mode == 8 || mode == 9 || mode == 11)
        *width *= 2;
    else if (mode == 2 || mode == 3 || mode == 6 || mode == 7)
        *height *= 2;
}

struct crop {
    uint64_t left, right, top, bottom;
};

static void read_crop(struct crop *crop, const struct ebml_element *field)
{
    if (field->id == CROP_LEFT)
        crop->left = ebml_uint(field, 0);
    else if (field->id == CROP_RIGHT)
        crop->right = ebml_uint(field, 0);
    else if (field->id == CROP_TOP)
        crop->top = ebml_uint(field, 0);
    else if (field->id == CROP_BOTTOM)
        crop->bottom = ebml_uint(field, 0);
}

/* Display sizes are those of the picture that is left of the cropped one (5.1.4.1.28.12); mkvmerge
 * leaves them at those of the whole one when it is told to crop, and means square pixels. */
static void shape_pixels(struct plan_track *track, uint64_t display_width, uint64_t display_height)
{
    if (display_width == track->width && display_height == track->height)
        display_width = display_height = 0;
    uint64_t width = track->width - track->crop_left - track->crop_right;
    uint64_t height = track->height - track->crop_top - track->crop_bottom;
    display_width = display_width != 0 ? display_width : width;
    display_height = display_height != 0 ? display_height : height;
    container_set_sar(track, display_width * height, display_height * width);
}

/* Video (5.1.4.1.28). Display sizes in pixels (0), centimetres, inches or as a ratio (3) all give
 * the shape of a pixel; unit 4 says that nothing is known. */
static void read_video(struct plan_track *track, const struct ebml_element *video)
{
    struct ebml_element field;
    struct ebml_span span = ebml_children(video);
    uint64_t display_width = 0, display_height = 0, unit = 0, stereo = 0;
    struct crop crop = {0};
    while (ebml_next(&span, &field)) {
        if (field.id == PIXEL_WIDTH)
            track->width = read_side(&field);
        else if (field.id == PIXEL_HEIGHT)
            track->height = read_side(&field);
        else if (field.id == DISPLAY_WIDTH)
            display_width = ebml_uint(&field, 0);
        else if (field.id == DISPLAY_HEIGHT)
            display_height = ebml_uint(&field, 0);
        else if (field.id == DISPLAY_UNIT)
            unit = ebml_uint(&field, 0);
        else if (field.id == STEREO_MODE)
            stereo = ebml_uint(&field, 0);
        else if (field.id == FLAG_INTERLACED)
            track->is_interlaced = ebml_uint(&field, 0) == 1;
        else if (field.id == COLOUR)
            read_colour(track, &field);
        else if (field.id == PROJECTION)
            read_projection(track, &field);
        read_crop(&crop, &field);
    }
    container_set_crop(track, crop.left, crop.right, crop.top, crop.bottom);
    if (unit >= 4 || display_width > UINT32_MAX || display_height > UINT32_MAX)
        return;
    widen_for_both_eyes(stereo, &display_width, &display_height);
    shape_pixels(track, display_width, display_height);
}

static uint32_t read_rate(const struct ebml_element *field)
{
    double rate = ebml_float(field, 0);
    return rate >= 1 && rate <= RATE_LIMIT ? (uint32_t) lround(rate) : 0;
}

/* Audio (5.1.4.1.29). With SBR the output rate is twice the sampling rate, and a packet twice as
 * many samples. */
static void read_audio(struct plan_track *track, const struct ebml_element *audio)
{
    struct ebml_element field;
    struct ebml_span span = ebml_children(audio);
    uint32_t rate = 8000, output_rate = 0; /* 8000: RFC 9559's default */
    track->channels = 1;
    while (ebml_next(&span, &field)) {
        uint64_t value = ebml_uint(&field, 0);
        if (field.id == SAMPLING_FREQUENCY)
            rate = read_rate(&field);
        else if (field.id == OUTPUT_SAMPLING_FREQUENCY)
            output_rate = read_rate(&field);
        else if (field.id == CHANNELS && value > 0 && value <= 255)
            track->channels = (uint32_t) value;
    }
    track->rate = output_rate != 0 ? output_rate : rate;
    track->frame_size = container_frame_size(track);
    if (track->codec == CODEC_AAC && rate != 0 && output_rate == 2 * rate)
        track->frame_size *= 2;
}

static void take_prefix(struct mkv_track *own, const struct ebml_element *settings)
{
    if (settings->size == 0)
        return;
    own->prefix = mem_dup(settings->data, settings->size);
    own->prefix_size = (uint32_t) settings->size;
}

/* One ContentEncoding (5.1.4.1.31.1). Header stripping we undo; compressed packets libavformat
 * reads; nobody here reads encrypted ones. */
static void read_encoding(struct mkv *mkv, uint32_t index, const struct ebml_element *encoding)
{
    struct ebml_span span = ebml_children(encoding);
    struct ebml_element field, inner, settings = {0};
    uint64_t scope = 1, type = 0, algorithm = 0;
    while (ebml_next(&span, &field)) {
        if (field.id == ENCODING_SCOPE)
            scope = ebml_uint(&field, 1);
        else if (field.id == ENCODING_TYPE)
            type = ebml_uint(&field, 0);
        struct ebml_span fields = ebml_children(&field);
        while (field.id == ENCODING_COMPRESSION && ebml_next(&fields, &inner)) {
            if (inner.id == COMPRESSION_ALGORITHM)
                algorithm = ebml_uint(&inner, 0);
            else if (inner.id == COMPRESSION_SETTINGS)
                settings = inner;
        }
    }
    struct plan_track *track = &mkv->base.tracks[index];
    struct mkv_track *own = &mkv->tracks[index];
    if (type == 1) {
        snprintf(track->refused, sizeof track->refused, "the track is encrypted");
        own->is_readable = false;
    } else if (algorithm == 3 && scope == 1 && own->prefix == NULL &&
               settings.size <= PREFIX_LIMIT) {
        take_prefix(own, &settings);
    } else {
        container_object(&mkv->base, index, "its packets are compressed in the Matroska file");
        own->is_deflated = algorithm == 0 && scope == 1 && own->is_readable && own->prefix == NULL;
        own->is_readable = false;
    }
}

static void read_encodings(struct mkv *mkv, uint32_t index, const struct ebml_element *encodings)
{
    struct ebml_span span = ebml_children(encodings);
    struct ebml_element encoding;
    mkv->tracks[index].is_readable = true;
    while (ebml_next(&span, &encoding))
        if (encoding.id == ENCODING)
            read_encoding(mkv, index, &encoding);
}

/* CodecPrivate in the form that libavcodec takes: FLAC's without its magic and header (the
 * STREAMINFO block alone), all others as they stand. */
static void take_private(struct plan_track *track, const struct ebml_element *private)
{
    static const uint8_t flac[4] = {'f', 'L', 'a', 'C'};
    if (track->codec == CODEC_FLAC && private->size >= 42 &&
        memcmp(private->data, flac, sizeof flac) == 0)
        container_set_extradata(track, private->data + 8, 34);
    else
        container_set_extradata(track, private->data, private->size);
}

/* The old AAC IDs ("A_AAC/MPEG4/LC") have no CodecPrivate: an AudioSpecificConfig is made of what
 * the track says (ISO 14496-3 1.6.2.1). */
static void make_aac_config(struct plan_track *track, const char *id)
{
    static const uint32_t rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                     22050, 16000, 12000, 11025, 8000,  7350};
    unsigned object = strstr(id, "/MAIN") != NULL ? 1 : strstr(id, "/SSR") != NULL ? 3 : 2;
    unsigned index = 0, channels = track->channels == 8 ? 7 : track->channels;
    while (index < 12 && rates[index] != track->rate)
        index++;
    if (channels == 0 || channels > 7 || rates[index] != track->rate)
        return;
    uint8_t config[2] = {(uint8_t) (object << 3 | index >> 1),
                         (uint8_t) ((index & 1) << 7 | channels << 3)};
    container_set_extradata(track, config, sizeof config);
}

static void read_codec(struct plan_track *track, const struct entry *entry)
{
    char id[64];
    container_set_text(id, sizeof id, (const char *) entry->codec_id.data, entry->codec_id.size);
    container_set_codec(track, mkv_name_codec(id, &entry->codec_private));
    if (track->kind == PLAN_VIDEO)
        read_video(track, &entry->video);
    else if (track->kind == PLAN_AUDIO)
        read_audio(track, &entry->audio);
    struct ebml_element private = mkv_unwrap_private(id, &entry->codec_private);
    if (private.size > 0)
        take_private(track, &private);
    else if (track->codec == CODEC_AAC)
        make_aac_config(track, id);
}

static void add_track(struct mkv *mkv, const struct entry *entry, enum plan_kind kind,
                      uint32_t stream_index)
{
    struct plan_track *track = container_add_track(&mkv->base, kind);
    if (track == NULL)
        return;
    uint32_t index = mkv->base.track_count - 1;
    struct mkv_track *own = &mkv->tracks[index];
    track->container_id = entry->number <= UINT32_MAX ? (uint32_t) entry->number : 0;
    track->stream_index = stream_index;
    track->is_default = entry->is_default;
    track->is_forced = entry->is_forced;
    track->is_sdh = entry->is_sdh;
    track->is_commentary = entry->is_commentary;
    track->is_descriptive = entry->is_descriptive;
    ebml_text(&entry->name, track->title, sizeof track->title);
    if (entry->language.data != NULL)
        container_set_language(track, (const char *) entry->language.data, entry->language.size);
    else
        container_set_language(track, "eng", 3); /* the default of 5.1.4.1.19 */
    read_codec(track, entry);
    own->number = entry->number;
    own->is_old_webvtt =
        entry->codec_id.size >= 8 && memcmp(entry->codec_id.data, "D_WEBVTT", 8) == 0;
    own->default_ns = entry->default_ns < NS_PER_S * 60 ? (int64_t) entry->default_ns : 0;
    own->delay_ns = entry->delay_ns < NS_PER_S * 60 ? (int64_t) entry->delay_ns : 0;
    read_encodings(mkv, index, &entry->encodings);
    if (!(fabs(entry->time_scale - 1.0) < 1e-6))
        container_object(&mkv->base, index, "its TrackTimestampScale is not 1");
    container_fill_from_extradata(&mkv->base, index);
    container_set_dolby(track, entry->dolby.data, entry->dolby.size);
    if (track->rate > 0)
        own->frame_ns = container_scale(track->frame_size, NS_PER_S, track->rate);
    if (track->codec == CODEC_OPUS)
        own->frame_ns = OPUS_FRAME_NS;
}

void mkv_parse_tracks(struct mkv *mkv, struct ebml_span tracks)
{
    struct ebml_element element, field;
    uint32_t stream_index = 0;
    while (ebml_next(&tracks, &element)) {
        if (element.id != MKV_TRACK_ENTRY)
            continue;
        struct entry entry = {.is_default = true, .time_scale = 1.0};
        struct ebml_span fields = ebml_children(&element);
        while (ebml_next(&fields, &field)) {
            read_entry_field(&entry, &field);
            read_entry_part(&entry, &field);
        }
        if (entry.codec_id.size == 0)
            continue;
        if (entry.type == TYPE_VIDEO)
            add_track(mkv, &entry, PLAN_VIDEO, stream_index++);
        else if (entry.type == TYPE_AUDIO)
            add_track(mkv, &entry, PLAN_AUDIO, stream_index++);
        else if (entry.type == TYPE_SUBTITLE || entry.type == TYPE_METADATA)
            add_track(mkv, &entry, PLAN_SUBTITLE, stream_index++);
    }
}
