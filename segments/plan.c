/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The choice of cuts and the grids on which renditions stand (decisions 6, 7, 10). All integers:
 * sums of rounded durations drift, positions rounded one by one do not. */
#include "segments/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NS_PER_S 1000000000

/* Decision 6, in seconds. */
#define PIECE_MIN_S  4
#define PIECE_MAX_S  12
#define TAIL_MIN_S   1
#define SPLIT_OVER_S 6
#define PART_MAX_S   4

/* Decision 7: a copy that starts later than a tenth of a second is not offered. */
#define LATE_START_PARTS 10

struct plan *plan_new(void)
{
    return mem_new(struct plan);
}

void plan_free(struct plan **plan)
{
    struct plan *p = *plan;

    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->track_count; i++)
        mem_free(p->tracks[i].extradata);
    for (uint32_t i = 0; i < p->rendition_count; i++)
        mem_free(p->renditions[i].init);
    mem_free(p->tracks);
    mem_free(p->renditions);
    mem_free(p->chapters);
    mem_free(p->copy_cuts);
    mem_free(p->copy_pos);
    mem_free(p->cuts);
    mem_free(p->keys);
    mem_free(p->key_pos);
    mem_free(p);
    *plan = NULL;
}

int plan_find(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->rendition_count; i++) {
        if (strcmp(plan->renditions[i].name, name) == 0)
            return (int) i;
    }
    return -1;
}

static const char burn_mark[] = "-burn-";

uint32_t plan_burnt(const struct plan_rendition *rendition)
{
    const char *at = rendition->kind == PLAN_VIDEO ? strstr(rendition->name, burn_mark) : NULL;

    return at != NULL ? (uint32_t) strtoul(at + sizeof burn_mark - 1, NULL, 10) : 0;
}

uint32_t plan_unburnt(const struct plan *plan, uint32_t rendition)
{
    char name[sizeof plan->renditions->name];
    int found;

    if (plan_burnt(&plan->renditions[rendition]) == 0)
        return rendition;
    memcpy(name, plan->renditions[rendition].name, sizeof name);
    *strstr(name, burn_mark) = '\0';
    found = plan_find(plan, name);
    return found >= 0 ? (uint32_t) found : rendition;
}

static int64_t floor_of(int64_t value, int64_t den)
{
    int64_t quotient = value / den;

    return quotient * den > value ? quotient - 1 : quotient;
}

/* `value * num / den`, rounded down, where the product may not fit 64 bits but the result does. */
static int64_t scale_floor(int64_t value, uint64_t num, uint64_t den)
{
    __extension__ typedef __int128 wide;
    int64_t small;
    if (den <= INT64_MAX && !__builtin_mul_overflow(value, num, &small)) /* nearly always */
        return floor_of(small, (int64_t) den);
    wide product = (wide) value * (wide) num;
    wide quotient = product / (wide) den;

    if (quotient * (wide) den > product)
        quotient--;
    return (int64_t) quotient;
}

static int64_t scale_round(int64_t value, uint64_t num, uint64_t den)
{
    __extension__ typedef __int128 wide;
    int64_t small;
    if (den <= INT64_MAX / 2 && !__builtin_mul_overflow(value, num, &small) &&
        !__builtin_mul_overflow(small, 2, &small) &&
        !__builtin_add_overflow(small, (int64_t) den, &small))
        return floor_of(small, (int64_t) den * 2);
    wide product = (wide) value * (wide) num * 2 + (wide) den;
    wide quotient = product / ((wide) den * 2);

    if (quotient * (wide) den * 2 > product)
        quotient--;
    return (int64_t) quotient;
}

int64_t plan_ticks_to_frame(const struct plan *plan, int64_t ticks)
{
    return scale_round(ticks, plan->fps_num, (uint64_t) plan->timescale * plan->fps_den);
}

int64_t plan_frame_to_ticks(const struct plan *plan, int64_t frame)
{
    return scale_round(frame, (uint64_t) plan->timescale * plan->fps_den, plan->fps_num);
}

int64_t plan_time_ns(const struct plan *plan, int64_t ticks)
{
    return plan->t0_ns + scale_round(ticks, NS_PER_S, plan->timescale);
}

int64_t plan_source_to_ticks(const struct plan *plan, int64_t source_ns, uint32_t rate)
{
    return scale_round(source_ns - plan->t0_ns, rate, NS_PER_S);
}

static uint32_t frame_size(const struct plan *plan, const struct plan_rendition *rendition)
{
    return rendition->is_copy ? plan->tracks[rendition->track].frame_size : PLAN_AAC_FRAME;
}

/* Position of frame 0: the copy's first packet; the transcode begins at T0. */
static int64_t audio_anchor(const struct plan *plan, const struct plan_rendition *rendition)
{
    if (!rendition->is_copy)
        return 0;
    return plan_source_to_ticks(plan, plan->tracks[rendition->track].first_ns,
                                rendition->timescale);
}

int64_t plan_frame_position(const struct plan *plan, uint32_t rendition, int64_t index)
{
    const struct plan_rendition *r = &plan->renditions[rendition];

    return audio_anchor(plan, r) + index * (int64_t) frame_size(plan, r);
}

int64_t plan_frame_at_or_after(const struct plan *plan, uint32_t rendition, int64_t position)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    int64_t past = position - audio_anchor(plan, r);

    return -scale_floor(-past, 1, frame_size(plan, r));
}

/* Where the audio ends, in ticks of the plan: a copy with its track, all else at E. */
static int64_t audio_end(const struct plan *plan, const struct plan_rendition *rendition)
{
    const struct plan_track *track = &plan->tracks[rendition->track];
    int64_t end;

    if (!rendition->is_copy || track->end_ns <= track->first_ns)
        return plan->end;
    end = plan_source_to_ticks(plan, track->end_ns, plan->timescale);
    return end < plan->end ? end : plan->end;
}

/* The last frame of a track that ends early may end a rounding before its grid says: half a frame
 * of slack keeps the ceil from inventing one more. */
static int64_t audio_end_frame(const struct plan *plan, uint32_t rendition)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    int64_t end = audio_end(plan, r);
    int64_t samples = scale_floor(end, r->timescale, plan->timescale);

    if (end < plan->end) {
        int64_t past = samples - audio_anchor(plan, r);
        return scale_round(past, 1, frame_size(plan, r));
    }
    samples = -scale_floor(-end, r->timescale, plan->timescale);
    return plan_frame_at_or_after(plan, rendition, samples);
}

static int64_t audio_start(const struct plan *plan, uint32_t rendition, uint32_t n)
{
    const struct plan_rendition *r = &plan->renditions[rendition];
    int64_t samples;

    if (n >= plan->cut_count)
        return plan_frame_position(plan, rendition, audio_end_frame(plan, rendition));
    samples = -scale_floor(-plan->cuts[n], r->timescale, plan->timescale);
    return plan_frame_position(plan, rendition, plan_frame_at_or_after(plan, rendition, samples));
}

/* A film shorter than half a frame still is one frame. */
static int64_t transcode_start(const struct plan *plan, uint32_t n)
{
    int64_t frame, last;

    if (n < plan->cut_count)
        return plan_frame_to_ticks(plan, plan_ticks_to_frame(plan, plan->cuts[n]));
    frame = plan_ticks_to_frame(plan, plan->end);
    last = plan_ticks_to_frame(plan, plan->cuts[plan->cut_count - 1]);
    return plan_frame_to_ticks(plan, frame > last ? frame : last + 1);
}

/* Without a copy, subtitles skip the cuts that only make a start fast. */
static bool is_subtitle_cut(const struct plan *plan, uint32_t i, int64_t last)
{
    return i == 0 || plan->cuts[i] - last >= (int64_t) PIECE_MIN_S * plan->timescale;
}

static uint32_t subtitle_count(const struct plan *plan)
{
    int64_t last = 0;
    uint32_t count = 0;

    if (plan->copy_count > 0)
        return plan->copy_count;
    for (uint32_t i = 0; i < plan->cut_count; i++) {
        if (is_subtitle_cut(plan, i, last)) {
            last = plan->cuts[i];
            count++;
        }
    }
    return count;
}

static int64_t subtitle_start(const struct plan *plan, uint32_t n)
{
    int64_t last = 0;
    uint32_t count = 0;

    if (plan->copy_count > 0)
        return n < plan->copy_count ? plan->copy_cuts[n] : plan->end;
    for (uint32_t i = 0; i < plan->cut_count; i++) {
        if (!is_subtitle_cut(plan, i, last))
            continue;
        last = plan->cuts[i];
        if (count++ == n)
            return last;
    }
    return plan->end;
}

static int64_t iframe_start(const struct plan *plan, uint32_t n)
{
    if (plan->key_count == 0)
        return transcode_start(plan, n);
    return n < plan->key_count ? plan->keys[n] : plan->end;
}

uint32_t plan_segment_count(const struct plan *plan, uint32_t rendition)
{
    const struct plan_rendition *r = &plan->renditions[rendition];

    if (plan_is_subtitle(r->kind))
        return subtitle_count(plan);
    if (r->kind == PLAN_IFRAMES && plan->key_count > 0)
        return plan->key_count;
    return r->kind == PLAN_VIDEO && r->is_copy ? plan->copy_count : plan->cut_count;
}

int64_t plan_segment_start(const struct plan *plan, uint32_t rendition, uint32_t n)
{
    const struct plan_rendition *r = &plan->renditions[rendition];

    switch (r->kind) {
    case PLAN_AUDIO:
        return audio_start(plan, rendition, n);
    case PLAN_SUBTITLE:
    case PLAN_PICTURES:
        return subtitle_start(plan, n);
    case PLAN_IFRAMES:
        return iframe_start(plan, n);
    case PLAN_VIDEO:
        break;
    }
    if (r->is_copy)
        return n < plan->copy_count ? plan->copy_cuts[n] : plan->end;
    return transcode_start(plan, n);
}

static void subtitle_starts(const struct plan *plan, int64_t *starts)
{
    int64_t last = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < plan->cut_count; i++) {
        if (!is_subtitle_cut(plan, i, last))
            continue;
        last = plan->cuts[i];
        starts[count++] = last;
    }
    starts[count] = plan->end;
}

void plan_segment_starts(const struct plan *plan, uint32_t rendition, int64_t **out,
                         uint32_t *count)
{
    uint32_t segments = plan_segment_count(plan, rendition);

    *count = segments;
    *out = mem_new_array(int64_t, (size_t) segments + 1);
    if (plan_is_subtitle(plan->renditions[rendition].kind) && plan->copy_count == 0) {
        subtitle_starts(plan, *out);
        return;
    }
    for (uint32_t n = 0; n <= segments; n++)
        (*out)[n] = plan_segment_start(plan, rendition, n);
}

uint32_t plan_segment_at(const struct plan *plan, uint32_t rendition, int64_t ms)
{
    uint32_t low = 0, high = plan_segment_count(plan, rendition);
    int64_t position = scale_floor(ms, plan->renditions[rendition].timescale, 1000);

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (plan_segment_start(plan, rendition, middle) <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Whether an earlier rendition's segments begin in the same places: transcodes differ in size alone, and
 * sound on one grid is cut alike. */
static bool is_cut_alike(const struct plan_rendition *a, const struct plan_rendition *b)
{
    bool is_same = a->kind == b->kind && a->is_copy == b->is_copy && a->timescale == b->timescale;

    return is_same && (a->kind == PLAN_VIDEO || !a->is_copy || a->track == b->track);
}

static bool is_cut_like_earlier(const struct plan *plan, uint32_t rendition)
{
    for (uint32_t i = 0; i < rendition; i++) {
        if (is_cut_alike(&plan->renditions[i], &plan->renditions[rendition]))
            return true;
    }
    return false;
}

/* No piece but the last rounds to more seconds: the longest cut, and a frame more for the grid. */
static int64_t longest_s(const struct plan *plan, const struct plan_rendition *r)
{
    bool is_copy = r->kind == PLAN_VIDEO && r->is_copy;
    const int64_t *cuts = is_copy ? plan->copy_cuts : plan->cuts;
    uint32_t count = is_copy ? plan->copy_count : plan->cut_count;
    int64_t longest = 0, frame = 0;

    for (uint32_t n = 0; n + 1 < count; n++)
        longest = cuts[n + 1] - cuts[n] > longest ? cuts[n + 1] - cuts[n] : longest;
    if (r->kind == PLAN_AUDIO)
        frame = scale_round(frame_size(plan, r), plan->timescale, r->timescale) + 1;
    else if (!is_copy)
        frame = plan_frame_to_ticks(plan, 1) + 1;
    return scale_round(longest + frame, 1, plan->timescale);
}

uint32_t plan_target_duration_of(const struct plan *plan, uint32_t rendition)
{
    uint32_t count = plan_segment_count(plan, rendition);
    int64_t begin = plan_segment_start(plan, rendition, 0), target = 1;

    for (uint32_t n = 1; n <= count; n++) {
        int64_t end = plan_segment_start(plan, rendition, n);
        int64_t seconds = scale_round(end - begin, 1, plan->renditions[rendition].timescale);
        target = seconds > target ? seconds : target;
        begin = end;
    }
    return (uint32_t) target;
}

/* The last piece alone can be longer than the cuts say. */
static uint32_t last_s(const struct plan *plan, uint32_t rendition)
{
    uint32_t count = plan_segment_count(plan, rendition);
    int64_t begin = plan_segment_start(plan, rendition, count - 1);
    int64_t end = plan_segment_start(plan, rendition, count);

    return (uint32_t) scale_round(end - begin, 1, plan->renditions[rendition].timescale);
}

uint32_t plan_target_duration(const struct plan *plan)
{
    uint32_t target = 1;

    for (uint32_t r = 0; r < plan->rendition_count; r++) {
        const struct plan_rendition *rendition = &plan->renditions[r];
        uint32_t own;
        if ((rendition->kind != PLAN_VIDEO && rendition->kind != PLAN_AUDIO) ||
            is_cut_like_earlier(plan, r))
            continue;
        own = target >= longest_s(plan, rendition) ? last_s(plan, r)
                                                   : plan_target_duration_of(plan, r);
        target = own > target ? own : target;
    }
    return target;
}

/* A last piece under a second joins the one before. */
static uint32_t drop_short_tail(const int64_t *cuts, uint32_t count, int64_t end, int64_t second)
{
    if (count > 1 && end - cuts[count - 1] < TAIL_MIN_S * second)
        return count - 1;
    return count;
}

/* The first of the keys, then each at least 4 s after the last: fills `indexes` and `cuts`. */
static enum err pick_keys(const int64_t *keys, size_t key_count, int64_t end, int64_t second,
                          uint32_t *indexes, int64_t *cuts, uint32_t *count, struct why *why)
{
    *count = 1;
    indexes[0] = 0;
    cuts[0] = 0;
    for (size_t i = 1; i < key_count && keys[i] < end; i++) {
        if (keys[i] - cuts[*count - 1] < PIECE_MIN_S * second)
            continue;
        if (*count == PLAN_MAX_CUTS)
            return why_set(why, ERR_LIMIT, NULL, "it has more than %d pieces", PLAN_MAX_CUTS);
        indexes[*count] = (uint32_t) i;
        cuts[(*count)++] = keys[i];
    }
    *count = drop_short_tail(cuts, *count, end, second);
    return OK;
}

static enum err check_pieces(const int64_t *cuts, uint32_t count, int64_t end, int64_t second,
                             struct why *why)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t next = i + 1 < count ? cuts[i + 1] : end;
        if (next - cuts[i] > PIECE_MAX_S * second)
            return why_set(why, ERR_NOT_FOUND, NULL,
                           "its key frames stand more than %d s apart (at %lld s)", PIECE_MAX_S,
                           (long long) (cuts[i] / second));
    }
    return OK;
}

enum err plan_choose_copy_cuts(const int64_t *keys, size_t key_count, int64_t end,
                               uint32_t timescale, uint32_t **out_indexes, uint32_t *out_count,
                               struct why *why)
{
    CLEANUP(mem_free_at) uint32_t *indexes = NULL;
    CLEANUP(mem_free_at) int64_t *cuts = NULL;
    uint32_t count = 0;
    enum err err;

    *out_indexes = NULL;
    *out_count = 0;
    if (key_count == 0)
        return why_set(why, ERR_NOT_FOUND, NULL, "it has no key frame to cut at");
    if (keys[0] > (int64_t) timescale / LATE_START_PARTS || keys[0] >= end)
        return why_set(why, ERR_NOT_FOUND, NULL, "its first key frame comes %.1f s late",
                       (double) keys[0] / timescale);
    /* each piece has at least 4 s, and a plan at most 48 hours */
    indexes = mem_new_array(uint32_t, key_count < PLAN_MAX_CUTS ? key_count : PLAN_MAX_CUTS);
    cuts = mem_new_array(int64_t, key_count < PLAN_MAX_CUTS ? key_count : PLAN_MAX_CUTS);
    err = pick_keys(keys, key_count, end, timescale, indexes, cuts, &count, why);
    if (err == OK)
        err = check_pieces(cuts, count, end, timescale, why);
    if (err != OK)
        return err;
    *out_indexes = indexes;
    *out_count = count;
    indexes = NULL;
    return OK;
}

struct cut_list {
    int64_t *cuts;
    uint32_t count, room;
};

static void cut_add(struct cut_list *list, int64_t cut)
{
    mem_grow(list->cuts, list->count, list->room);
    list->cuts[list->count++] = cut;
}

/* Equal parts of at most 4 s, where the piece is over 6 s. */
static void split_piece(struct cut_list *list, int64_t begin, int64_t end, int64_t second)
{
    int64_t length = end - begin;
    int64_t parts = 1;

    if (length > SPLIT_OVER_S * second)
        parts = (length + PART_MAX_S * second - 1) / (PART_MAX_S * second);
    for (int64_t i = 0; i < parts; i++)
        cut_add(list, begin + length * i / parts);
}

/* The free grid of a film without a copy: every 4 s from 0. */
static void free_grid(struct cut_list *list, int64_t end, int64_t second)
{
    for (int64_t at = 0; at == 0 || at < end; at += PART_MAX_S * second)
        cut_add(list, at);
    list->count = drop_short_tail(list->cuts, list->count, end, second);
}

/* Cuts at 1 s and 2 s, where every part keeps a second: the first picture comes sooner. */
static void add_short_start(struct cut_list *list, int64_t end, int64_t second)
{
    int64_t first_end = list->count > 1 ? list->cuts[1] : end;
    uint32_t extra = first_end >= 3 * second ? 2 : first_end >= 2 * second ? 1 : 0;

    if (extra == 0)
        return;
    for (uint32_t i = 0; i < extra; i++)
        cut_add(list, 0);
    memmove(list->cuts + 1 + extra, list->cuts + 1, (list->count - 1 - extra) * sizeof *list->cuts);
    for (uint32_t i = 1; i <= extra; i++)
        list->cuts[i] = i * second;
}

void plan_choose_cuts(const int64_t *copy_cuts, uint32_t copy_count, int64_t end,
                      uint32_t timescale, int64_t **out_cuts, uint32_t *out_count)
{
    struct cut_list list = {0};

    for (uint32_t i = 0; i < copy_count; i++)
        split_piece(&list, copy_cuts[i], i + 1 < copy_count ? copy_cuts[i + 1] : end, timescale);
    if (copy_count == 0)
        free_grid(&list, end, timescale);
    add_short_start(&list, end, timescale);
    *out_cuts = list.cuts;
    *out_count = list.count;
}

/* Half of what a plan holds, so that all cuts find room beside them. */
#define KEYS_MOST (PLAN_MAX_CUTS / 2)

/* No nearer than `step` to the one chosen before it, and to what must be chosen after it. */
static bool has_room(int64_t key, int64_t last, int64_t next, int64_t step)
{
    return key - last >= step && next - key >= step;
}

void plan_choose_keys(const int64_t *keys, size_t key_count, int64_t end, uint32_t timescale,
                      const uint32_t *cuts, uint32_t cut_count, uint32_t **out_indexes,
                      uint32_t *out_count)
{
    int64_t step = end / KEYS_MOST > timescale ? end / KEYS_MOST : timescale;
    int64_t last = INT64_MIN / 2;
    uint32_t *indexes = NULL;
    uint32_t count = 0, room = 0, cut = 0;

    for (uint32_t i = 0; i < key_count && keys[i] < end; i++) {
        int64_t next = cut < cut_count ? keys[cuts[cut]] : end;
        bool is_cut = cut < cut_count && cuts[cut] == i;
        if (is_cut)
            cut++;
        else if (!has_room(keys[i], last, next, step))
            continue;
        last = keys[i];
        mem_grow(indexes, count, room);
        indexes[count++] = i;
    }
    *out_indexes = indexes;
    *out_count = count;
}
