/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/bandwidth.h"

#include "base/mem.h"
#include "segments/codec.h"

/* What the headers of a part take, and those of a sample in it (mux.c). */
#define PART_BYTES 128
/* The same of a segment that is one picture, styp and all. */
#define KEY_PART_BYTES     160
#define VIDEO_SAMPLE_BYTES 16
#define AUDIO_SAMPLE_BYTES 8

/* A head's sound may be quiet: coders of variable rate go up to twice as high. */
#define HEAD_TO_PEAK 2
/* And where the head is silent, up to what they are commonly given, bit/s of a channel. */
#define COMMON_RATE 64000

/* Where nothing tells how a film's bits are spread: over some seconds as much more than on average. */
#define AVERAGE_TO_PEAK 2

#define MAX_RATE UINT32_MAX

static uint64_t rate_of(uint64_t bytes, int64_t ticks, uint32_t timescale)
{
    return ticks > 0 ? (uint64_t) ((double) bytes * 8 * timescale / (double) ticks + 1) : 0;
}

uint64_t bandwidth_peak(const uint64_t *bytes, const int64_t *starts, uint32_t count,
                        uint32_t timescale, uint32_t target_s)
{
    int64_t least = (int64_t) target_s * timescale / 2;
    int64_t most = least * 3;
    uint64_t peak = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t sum = 0;
        for (uint32_t j = i; j < count && (j == i || starts[j + 1] - starts[i] <= most); j++) {
            int64_t length = starts[j + 1] - starts[i];
            uint64_t rate;
            sum += bytes[j];
            rate = rate_of(sum, length, timescale);
            if ((length >= least || count == 1) && rate > peak)
                peak = rate;
        }
    }
    return peak;
}

struct pieces {
    uint64_t *bytes;
    int64_t *starts; /* one more than pieces */
    uint32_t count;
};

static struct pieces pieces_new(const struct plan *plan, uint32_t rendition)
{
    struct pieces pieces = {.count = plan_segment_count(plan, rendition)};

    pieces.bytes = mem_new_array(uint64_t, pieces.count);
    pieces.starts = mem_new_array(int64_t, pieces.count + 1);
    for (uint32_t n = 0; n <= pieces.count; n++)
        pieces.starts[n] = plan_segment_start(plan, rendition, n);
    return pieces;
}

static void pieces_fini(struct pieces *pieces)
{
    mem_free(pieces->bytes);
    mem_free(pieces->starts);
}

static void set_rates(struct planner *p, uint32_t rendition, const struct pieces *pieces,
                      uint32_t target_s)
{
    struct plan_rendition *r = &p->plan->renditions[rendition];
    uint64_t sum = 0, peak, average;

    for (uint32_t n = 0; n < pieces->count; n++)
        sum += pieces->bytes[n];
    average = rate_of(sum, pieces->starts[pieces->count] - pieces->starts[0], r->timescale);
    peak = bandwidth_peak(pieces->bytes, pieces->starts, pieces->count, r->timescale, target_s);
    peak = peak > average ? peak : average;
    r->bandwidth = (uint32_t) (peak < MAX_RATE ? peak : MAX_RATE);
    r->average_bandwidth = (uint32_t) (average < MAX_RATE ? average : MAX_RATE);
}

/* The first source time that rounds to `ticks` of a rendition (plan_source_to_ticks). */
static int64_t source_time_of(const struct plan *plan, int64_t ticks, uint32_t timescale)
{
    const int64_t half_s = PLANNER_NS_PER_S / 2;
    int64_t whole = ticks / timescale * PLANNER_NS_PER_S;
    int64_t rest = 2 * (ticks % timescale) - 1;
    int64_t past = rest * half_s / timescale;

    return plan->t0_ns + whole + past + (past * timescale < rest * half_s ? 1 : 0);
}

/* Where each piece begins in the tables, and the last one ends. */
static void place_pieces(const struct plan *plan, const struct plan_rendition *r,
                         const struct pieces *pieces, int64_t *times_ns, uint64_t *places)
{
    for (uint32_t n = 0; n <= pieces->count; n++) {
        times_ns[n] = source_time_of(plan, pieces->starts[n], r->timescale);
        places[n] = n < plan->copy_count ? plan->copy_pos[n] : UINT64_MAX;
    }
    places[0] = 0;
}

/* MP4: every sample's size is in the tables, which are in memory. */
static bool add_samples(struct planner *p, uint32_t rendition, struct pieces *pieces)
{
    const struct plan_rendition *r = &p->plan->renditions[rendition];
    bool is_video = r->kind == PLAN_VIDEO;
    uint64_t head = is_video ? VIDEO_SAMPLE_BYTES : AUDIO_SAMPLE_BYTES;
    uint32_t count = pieces->count + 1;
    CLEANUP(mem_free_at) int64_t *times_ns = mem_new_array(int64_t, count);
    CLEANUP(mem_free_at) uint64_t *places = mem_new_array(uint64_t, count);
    CLEANUP(mem_free_at) struct packet_sum *sums = mem_new_array(struct packet_sum, count);

    place_pieces(p->plan, r, pieces, times_ns, places);
    if (container_sums(p->container, &p->reader, r->track, is_video ? NULL : times_ns, places,
                       count, sums) != OK)
        return false;
    for (uint32_t n = 0; n < pieces->count; n++)
        pieces->bytes[n] +=
            sums[n + 1].bytes - sums[n].bytes + (sums[n + 1].packets - sums[n].packets) * head;
    return true;
}

/* Bytes a second of the sound beside the picture, by the head: of tracks whose frames are all of one
 * size, which is surely not picture, or of the others, which may be less elsewhere. */
static double sound_rate(const struct planner *p, bool is_constant)
{
    double sum = 0;

    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        const struct plan_track *t = &p->plan->tracks[i];
        const struct head *head = &p->heads[i];
        if (t->kind == PLAN_AUDIO && (t->codec == CODEC_AC3) == is_constant && t->frame_size > 0 &&
            head->count > 0)
            sum += (double) head->bytes / head->count * t->rate / t->frame_size;
    }
    return sum;
}

/* Bytes a second of the subtitles, as far as the head shows: those that are pictures weigh. */
static double subtitle_rate(const struct planner *p)
{
    const struct head *video = p->video >= 0 ? &p->heads[p->video] : NULL;
    double sum = 0, length_ns;

    if (video == NULL || video->count == 0)
        return 0;
    length_ns = (double) (video->last_ns - video->first_ns + p->frame_ns);
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        if (p->plan->tracks[i].kind == PLAN_SUBTITLE)
            sum += (double) p->heads[i].bytes;
    }
    return length_ns > 0 ? sum * PLANNER_NS_PER_S / length_ns : 0;
}

/* Where the piece's bytes end at the latest: at the next key's cluster, or behind it when they share
 * one. */
static uint64_t piece_end(const struct planner *p, uint32_t n)
{
    const struct plan *plan = p->plan;

    if (n + 1 == plan->copy_count)
        return plan->source_size;
    if (plan->copy_pos[n + 1] > plan->copy_pos[n])
        return plan->copy_pos[n + 1];
    for (size_t i = 0; i < p->key_count; i++) {
        if (p->keys[i].pos > plan->copy_pos[n])
            return p->keys[i].pos;
    }
    return plan->source_size;
}

/* Matroska: from the cluster of a key to that of the next stand the picture and all the rest. */
static void add_clusters(struct planner *p, struct pieces *pieces)
{
    const struct plan *plan = p->plan;
    double other = sound_rate(p, true);
    double frames_s = (double) plan->fps_num / plan->fps_den;

    for (uint32_t n = 0; n < pieces->count; n++) {
        uint64_t next = piece_end(p, n);
        double length = (double) (pieces->starts[n + 1] - pieces->starts[n]) / plan->timescale;
        uint64_t bytes = next > plan->copy_pos[n] ? next - plan->copy_pos[n] : 0;
        double sound = other * length;
        bytes = sound < (double) bytes ? bytes - (uint64_t) sound : bytes;
        pieces->bytes[n] = bytes + (uint64_t) (frames_s * length * VIDEO_SAMPLE_BYTES);
    }
}

/* The bound holds what else stands between the pictures; the average need not. */
static void take_others_off_average(const struct planner *p, struct plan_rendition *r)
{
    double others = 8 * (sound_rate(p, false) + subtitle_rate(p)), average = r->average_bandwidth;

    if (others < average / 2)
        r->average_bandwidth = (uint32_t) (average - others);
}

/* Matroska has no index of sound: what the head shows, and room for what it does not. */
static void guess_sound(struct planner *p, uint32_t rendition)
{
    struct plan_rendition *r = &p->plan->renditions[rendition];
    const struct plan_track *t = &p->plan->tracks[r->track];
    const struct head *head = &p->heads[r->track];
    double frames_s = (double) t->rate / t->frame_size;
    double mean = head->count > 0 ? (double) head->bytes / head->count : 0;
    bool is_constant = t->codec == CODEC_AC3 || t->codec == CODEC_EAC3;
    double peak = is_constant ? head->largest : mean * HEAD_TO_PEAK;
    double common = (double) COMMON_RATE / 8 * t->channels / frames_s;

    if (!is_constant && peak < common)
        peak = common;
    if (t->codec == CODEC_FLAC) /* never more than what it packs, here taken as 24 bit */
        peak = (double) t->frame_size * t->channels * 3;
    r->average_bandwidth = (uint32_t) ((mean + AUDIO_SAMPLE_BYTES) * frames_s * 8) + PART_BYTES * 8;
    r->bandwidth = (uint32_t) ((peak + AUDIO_SAMPLE_BYTES) * frames_s * 8) + PART_BYTES * 8;
    if (r->bandwidth < r->average_bandwidth)
        r->bandwidth = r->average_bandwidth;
}

void bandwidth_of_copy(struct planner *p, uint32_t rendition)
{
    struct plan_rendition *r = &p->plan->renditions[rendition];
    struct pieces pieces;

    if (r->kind == PLAN_AUDIO && p->plan->container == CONTAINER_MKV) {
        guess_sound(p, rendition);
        return;
    }
    pieces = pieces_new(p->plan, rendition);
    for (uint32_t n = 0; n < pieces.count; n++) /* a part a second, styp in the first */
        pieces.bytes[n] =
            PART_BYTES * (uint64_t) (2 + (pieces.starts[n + 1] - pieces.starts[n]) / r->timescale);
    if (p->plan->container == CONTAINER_MKV || !add_samples(p, rendition, &pieces))
        add_clusters(p, &pieces);
    set_rates(p, rendition, &pieces, plan_target_duration(p->plan));
    if (r->kind == PLAN_VIDEO && p->plan->container == CONTAINER_MKV)
        take_others_off_average(p, r);
    pieces_fini(&pieces);
}

/* Where key `n`'s bytes end at the latest: at the next cluster that begins with another. */
static uint64_t key_end(const struct plan *plan, uint32_t n)
{
    for (uint32_t i = n + 1; i < plan->key_count; i++) {
        if (plan->key_pos[i] > plan->key_pos[n])
            return plan->key_pos[i];
    }
    return plan->source_size;
}

/* MP4: the tables know the size of each. False: they do not. */
static bool add_key_sizes(const struct planner *p, struct pieces *pieces)
{
    size_t at = 0;

    for (uint32_t n = 0; n < pieces->count; n++) {
        while (at < p->key_count && p->keys[at].pos < p->plan->key_pos[n])
            at++;
        if (at == p->key_count || p->keys[at].pos != p->plan->key_pos[n] || p->keys[at].size == 0)
            return false;
        pieces->bytes[n] += p->keys[at].size;
    }
    return true;
}

/* Copies: as the tables say; a Matroska index knows but where the cluster of a key begins, and all up
 * to the next one's bounds it. Transcodes: the bound that each of them keeps. */
void bandwidth_of_iframes(struct planner *p, uint32_t rendition)
{
    struct plan_rendition *r = &p->plan->renditions[rendition];
    struct pieces pieces = pieces_new(p->plan, rendition);
    bool is_known;

    for (uint32_t n = 0; n < pieces.count; n++)
        pieces.bytes[n] = KEY_PART_BYTES + r->bitrate / 8;
    is_known = !r->is_copy || add_key_sizes(p, &pieces);
    for (uint32_t n = 0; !is_known && n < pieces.count; n++)
        pieces.bytes[n] = KEY_PART_BYTES + key_end(p->plan, n) - p->plan->key_pos[n];
    set_rates(p, rendition, &pieces, plan_target_duration_of(p->plan, rendition));
    pieces_fini(&pieces);
}

/* All bytes of the film over all its time, less its sound. */
static uint64_t average_of_picture(const struct planner *p)
{
    const struct plan *plan = p->plan;
    double all = (double) plan->source_size * 8 * plan->timescale / (double) plan->end;
    double sound = 8 * (sound_rate(p, true) + sound_rate(p, false));

    return (uint64_t) (sound < all / 2 ? all - sound : all / 2);
}

uint64_t bandwidth_of_source(const struct planner *p)
{
    for (uint32_t i = 0; i < p->plan->rendition_count; i++) {
        const struct plan_rendition *r = &p->plan->renditions[i];
        if (r->kind == PLAN_VIDEO && r->is_copy)
            return r->bandwidth;
    }
    return average_of_picture(p) * AVERAGE_TO_PEAK;
}
