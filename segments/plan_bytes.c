/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan as bytes: little-endian numbers of their fields' widths, texts and blobs behind their
 * lengths. One walk over the record serves both ways, so that writer and reader cannot differ.
 * What was read is judged by plan_check.c before anyone sees it. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "segments/plan_check.h"

#define MAGIC 0x4e414c50u /* "PLAN" */

/* Either `out` is set (writing) or `at` and `left` are (reading). */
struct walk {
    struct str *out;
    const uint8_t *at;
    size_t left;
    const char *fault; /* the first thing found wrong */
};

static void say_fault(struct walk *walk, const char *fault)
{
    if (walk->fault == NULL)
        walk->fault = fault;
}

static void walk_bytes(struct walk *walk, void *bytes, size_t size)
{
    if (size == 0)
        return;
    if (walk->out != NULL) {
        str_append(walk->out, bytes, size);
        return;
    }
    if (walk->fault != NULL || walk->left < size) {
        say_fault(walk, "it is cut off");
        memset(bytes, 0, size);
        return;
    }
    memcpy(bytes, walk->at, size);
    walk->at += size;
    walk->left -= size;
}

static uint64_t walk_number(struct walk *walk, uint64_t value, size_t size)
{
    uint8_t bytes[8] = {0};

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t) (value >> (8 * i));
    walk_bytes(walk, bytes, size);
    value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t) bytes[i] << (8 * i);
    return value;
}

/* Any integer field. */
#define WALK(walk, field)                                                                          \
    ((field) = (__typeof__(field)) walk_number((walk), (uint64_t) (field), sizeof(field)))

static void walk_flag(struct walk *walk, bool *flag)
{
    uint64_t value = walk_number(walk, *flag ? 1 : 0, 1);

    if (value > 1)
        say_fault(walk, "a flag is neither 0 nor 1");
    *flag = value == 1;
}

static int walk_choice(struct walk *walk, unsigned choice, unsigned limit)
{
    uint64_t value = walk_number(walk, choice, 1);

    if (value >= limit)
        say_fault(walk, "a kind is not known");
    return value < limit ? (int) value : 0;
}

/* A count of elements that take at least `element` bytes each: what is left bounds it. */
static uint32_t walk_count(struct walk *walk, uint32_t count, uint32_t limit, size_t element)
{
    count = (uint32_t) walk_number(walk, count, 4);
    if (walk->out == NULL && (count > limit || count > walk->left / element)) {
        say_fault(walk, "a count is too large");
        return 0;
    }
    return count;
}

static void walk_text(struct walk *walk, char *text, size_t room)
{
    size_t length = walk->out != NULL ? strnlen(text, room - 1) : 0;

    length = (size_t) walk_number(walk, length, 2);
    if (length >= room) {
        say_fault(walk, "a text is too long");
        length = 0;
    }
    walk_bytes(walk, text, length);
    if (walk->out == NULL) {
        memset(text + length, 0, room - length);
        if (!str_is_utf8(text, length) || strlen(text) != length)
            say_fault(walk, "a text is not UTF-8");
    }
}

static void walk_blob(struct walk *walk, uint8_t **bytes, uint32_t *size, uint32_t limit)
{
    uint32_t length = walk_count(walk, *size, limit, 1);

    if (walk->out == NULL && length > 0)
        *bytes = mem_zalloc(length);
    *size = length;
    walk_bytes(walk, *bytes, length);
}

static void walk_track(struct walk *walk, struct plan_track *t)
{
    t->kind = (enum plan_kind) walk_choice(walk, t->kind, PLAN_SUBTITLE + 1);
    t->codec = (enum plan_codec) walk_choice(walk, t->codec, CODEC_COUNT);
    WALK(walk, t->number);
    WALK(walk, t->container_id);
    WALK(walk, t->stream_index);
    walk_text(walk, t->codec_name, sizeof t->codec_name);
    walk_text(walk, t->profile, sizeof t->profile);
    walk_text(walk, t->language, sizeof t->language);
    walk_text(walk, t->title, sizeof t->title);
    walk_flag(walk, &t->is_default);
    walk_flag(walk, &t->is_forced);
    walk_flag(walk, &t->is_sdh);
    walk_flag(walk, &t->is_commentary);
    walk_flag(walk, &t->is_descriptive);
    walk_flag(walk, &t->is_cover);
    walk_text(walk, t->refused, sizeof t->refused);
    walk_text(walk, t->copy_refused, sizeof t->copy_refused);
    WALK(walk, t->first_ns);
    WALK(walk, t->end_ns);
    walk_blob(walk, &t->extradata, &t->extradata_size, PLAN_MAX_EXTRADATA);
}

static void walk_track_media(struct walk *walk, struct plan_track *t)
{
    WALK(walk, t->width);
    WALK(walk, t->height);
    WALK(walk, t->sar_num);
    WALK(walk, t->sar_den);
    WALK(walk, t->crop_left);
    WALK(walk, t->crop_right);
    WALK(walk, t->crop_top);
    WALK(walk, t->crop_bottom);
    WALK(walk, t->rotation);
    walk_flag(walk, &t->flip);
    WALK(walk, t->bit_depth);
    walk_flag(walk, &t->is_interlaced);
    walk_flag(walk, &t->is_full_range);
    WALK(walk, t->color_primaries);
    WALK(walk, t->color_transfer);
    WALK(walk, t->color_matrix);
    WALK(walk, t->dv_profile);
    WALK(walk, t->dv_compatibility);
    WALK(walk, t->reorder);
    WALK(walk, t->fps_num);
    WALK(walk, t->fps_den);
    WALK(walk, t->rate);
    WALK(walk, t->channels);
    WALK(walk, t->channel_mask);
    WALK(walk, t->frame_size);
    WALK(walk, t->joc_objects);
}

static void walk_rendition(struct walk *walk, struct plan_rendition *r)
{
    walk_text(walk, r->name, sizeof r->name);
    r->kind = (enum plan_kind) walk_choice(walk, r->kind, PLAN_PICTURES + 1);
    walk_flag(walk, &r->is_copy);
    walk_flag(walk, &r->is_night);
    WALK(walk, r->track);
    walk_text(walk, r->codecs, sizeof r->codecs);
    WALK(walk, r->timescale);
    WALK(walk, r->delay);
    WALK(walk, r->width);
    WALK(walk, r->height);
    WALK(walk, r->channels);
    WALK(walk, r->bandwidth);
    WALK(walk, r->average_bandwidth);
    WALK(walk, r->bitrate);
    walk_flag(walk, &r->is_independent);
    walk_text(walk, r->video_range, sizeof r->video_range);
    walk_blob(walk, &r->init, &r->init_size, PLAN_MAX_INIT);
}

static void walk_chapter(struct walk *walk, struct plan_chapter *c)
{
    WALK(walk, c->start_ms);
    WALK(walk, c->end_ms);
    walk_text(walk, c->title, sizeof c->title);
}

static void walk_head(struct walk *walk, struct plan *p)
{
    if (walk_number(walk, MAGIC, 4) != MAGIC)
        say_fault(walk, "it is no plan");
    WALK(walk, p->version);
    if (walk->out == NULL && p->version != PLAN_VERSION)
        say_fault(walk, "it is of another version");
    p->container = (enum plan_container) walk_choice(walk, p->container, CONTAINER_COUNT);
    walk_text(walk, p->format, sizeof p->format);
    WALK(walk, p->source_size);
    walk_flag(walk, &p->wants_scan);
    WALK(walk, p->t0_ns);
    WALK(walk, p->timescale);
    WALK(walk, p->end);
    WALK(walk, p->fps_num);
    WALK(walk, p->fps_den);
}

static void walk_cuts(struct walk *walk, struct plan *p)
{
    p->copy_count = walk_count(walk, p->copy_count, PLAN_MAX_CUTS, 16);
    if (walk->out == NULL) {
        p->copy_cuts = mem_new_array(int64_t, p->copy_count);
        p->copy_pos = mem_new_array(uint64_t, p->copy_count);
    }
    for (uint32_t i = 0; i < p->copy_count; i++) {
        WALK(walk, p->copy_cuts[i]);
        WALK(walk, p->copy_pos[i]);
    }
    p->cut_count = walk_count(walk, p->cut_count, PLAN_MAX_CUTS, 8);
    if (walk->out == NULL)
        p->cuts = mem_new_array(int64_t, p->cut_count);
    for (uint32_t i = 0; i < p->cut_count; i++)
        WALK(walk, p->cuts[i]);
}

static void walk_keys(struct walk *walk, struct plan *p)
{
    p->key_count = walk_count(walk, p->key_count, PLAN_MAX_CUTS, 16);
    if (walk->out == NULL) {
        p->keys = mem_new_array(int64_t, p->key_count);
        p->key_pos = mem_new_array(uint64_t, p->key_count);
    }
    for (uint32_t i = 0; i < p->key_count; i++) {
        WALK(walk, p->keys[i]);
        WALK(walk, p->key_pos[i]);
    }
}

static void walk_plan(struct walk *walk, struct plan *p)
{
    walk_head(walk, p);
    p->track_count = walk_count(walk, p->track_count, PLAN_MAX_TRACKS, 64);
    if (walk->out == NULL)
        p->tracks = mem_new_array(struct plan_track, p->track_count);
    for (uint32_t i = 0; i < p->track_count; i++) {
        walk_track(walk, &p->tracks[i]);
        walk_track_media(walk, &p->tracks[i]);
    }
    p->rendition_count = walk_count(walk, p->rendition_count, PLAN_MAX_RENDITIONS, 32);
    if (walk->out == NULL)
        p->renditions = mem_new_array(struct plan_rendition, p->rendition_count);
    for (uint32_t i = 0; i < p->rendition_count; i++)
        walk_rendition(walk, &p->renditions[i]);
    p->chapter_count = walk_count(walk, p->chapter_count, PLAN_MAX_CHAPTERS, 18);
    if (walk->out == NULL)
        p->chapters = mem_new_array(struct plan_chapter, p->chapter_count);
    for (uint32_t i = 0; i < p->chapter_count; i++)
        walk_chapter(walk, &p->chapters[i]);
    walk_cuts(walk, p);
    walk_keys(walk, p);
}

void plan_write(const struct plan *plan, uint8_t **out, size_t *out_size)
{
    struct str bytes = {0};
    struct walk walk = {.out = &bytes};
    struct plan copy = *plan; /* the walk rewrites each field with itself */

    walk_plan(&walk, &copy);
    MUST(walk.fault == NULL);
    *out_size = bytes.length;
    *out = (uint8_t *) str_take(&bytes);
}

enum err plan_read(const uint8_t *bytes, size_t size, struct plan **out, struct why *why)
{
    CLEANUP(plan_free) struct plan *plan = plan_new();
    struct walk walk = {.at = bytes, .left = size};
    enum err err;

    walk_plan(&walk, plan);
    if (walk.fault == NULL && walk.left > 0)
        walk.fault = "something follows its end";
    if (walk.fault != NULL)
        return why_set(why, ERR_BAD_INPUT, NULL, "the plan cannot be read: %s", walk.fault);
    err = plan_check(plan, why);
    if (err != OK)
        return err;
    *out = plan;
    plan = NULL;
    return OK;
}
