/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first two MiB of the film: the first packet of each track, the distance of pictures, whether
 * sound stands on a grid. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "segments/init.h"
#include "segments/packet.h"
#include "segments/planner.h"

/* Larger than any first packet that a header is read from; a key picture's head is enough. */
#define FIRST_PACKET_BYTES (64 * 1024)
#define HEAD_PACKETS       20000

/* A packet off its place by more than this part of a frame is not on the grid. */
#define GRID_SLACK 4

static uint64_t needed_tracks(const struct planner *p)
{
    uint64_t needed = 0;

    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        const struct plan_track *t = &p->plan->tracks[i];
        if (t->kind == PLAN_AUDIO || (int) i == p->video)
            needed |= UINT64_C(1) << i;
    }
    return needed;
}

/* Of Matroska's subtitles we want to know how much of a cluster is theirs. */
static uint64_t subtitle_tracks(const struct planner *p)
{
    uint64_t tracks = 0;

    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        if (p->plan->tracks[i].kind == PLAN_SUBTITLE && p->plan->container == CONTAINER_MKV)
            tracks |= UINT64_C(1) << i;
    }
    return tracks;
}

static enum err keep_first(struct planner *p, struct head *head, const struct packet *packet)
{
    CLEANUP(str_fini) struct str bytes = {0};
    enum err err = packet_read(&p->reader, packet, FIRST_PACKET_BYTES, &bytes);

    if (err != OK)
        return err;
    head->packet_size = bytes.length;
    head->packet = (uint8_t *) str_take(&bytes);
    head->first_ns = packet->pts_ns;
    head->last_index = -1;
    return OK;
}

/* The grid is known with the first packet. */
static void learn_grid(struct plan_track *track, const struct head *head)
{
    struct init_track form;
    uint32_t samples;

    init_track_of(track, &form);
    form.packet = head->packet;
    form.packet_size = head->packet_size;
    if (init_frame_size(&form, &samples, NULL) == OK)
        track->frame_size = samples;
}

static void check_grid(const struct plan_track *track, struct head *head, int64_t pts_ns)
{
    int64_t frame_ns, past = pts_ns - head->first_ns, index;

    if (track->frame_size == 0 || track->rate == 0)
        return;
    frame_ns = (int64_t) track->frame_size * PLANNER_NS_PER_S / track->rate;
    if (frame_ns == 0 || past < 0) {
        head->irregular++;
        return;
    }
    index = (past + frame_ns / 2) / frame_ns;
    if (index != head->last_index + 1 || llabs(past - index * frame_ns) > frame_ns / GRID_SLACK)
        head->irregular++;
    head->last_index = index;
}

static enum err take_packet(struct planner *p, const struct packet *packet)
{
    struct plan_track *track = &p->plan->tracks[packet->track];
    struct head *head = &p->heads[packet->track];
    uint32_t size = packet->size + packet->prefix_size;
    enum err err;

    if (head->packet == NULL && track->kind != PLAN_SUBTITLE) {
        err = keep_first(p, head, packet);
        if (err != OK)
            return err;
        if (track->kind == PLAN_AUDIO)
            learn_grid(track, head);
    }
    if (track->kind == PLAN_AUDIO)
        check_grid(track, head, packet->pts_ns);
    else if ((int) packet->track == p->video && p->time_count < HEAD_FRAMES)
        p->times[p->time_count++] = packet->pts_ns;
    head->last_ns =
        packet->pts_ns > head->last_ns || head->count == 0 ? packet->pts_ns : head->last_ns;
    head->bytes += size;
    head->largest = size > head->largest ? size : head->largest;
    head->count++;
    return OK;
}

static bool has_seen_all(const struct planner *p, uint64_t needed)
{
    for (uint32_t i = 0; i < p->plan->track_count; i++) {
        if ((needed >> i & 1) != 0 && p->heads[i].packet == NULL)
            return false;
    }
    return true;
}

enum err plan_head_read(struct planner *p)
{
    uint64_t needed = needed_tracks(p), begin = 0;
    struct cursor *cursor = NULL;
    struct packet packet;
    enum err err = cursor_open(p->container, &p->reader, needed | subtitle_tracks(p), 0, &cursor);

    if (err != OK)
        return err;
    p->times = mem_new_array(int64_t, HEAD_FRAMES);
    for (uint32_t i = 0; i < HEAD_PACKETS; i++) {
        err = cursor_next(cursor, &packet);
        if (err != OK)
            break;
        begin = i == 0 ? packet.offset : begin;
        if (packet.offset > begin + HEAD_BYTES_MOST ||
            (packet.offset > begin + HEAD_BYTES && has_seen_all(p, needed)))
            break;
        err = take_packet(p, &packet);
        if (err != OK)
            break;
    }
    cursor_close(&cursor);
    /* what is broken further on is told when it is played */
    return err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA || err == ERR_GONE ? OK : err;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}

/* The last pictures of a head cut off in the middle of a group have gaps between them. */
static uint32_t steady_count(const struct planner *p, uint16_t reorder)
{
    return p->time_count > 2u * reorder + 2u ? p->time_count - reorder : p->time_count;
}

static int64_t median_distance(struct planner *p)
{
    uint32_t count = steady_count(p, planner_video(p)->reorder);
    CLEANUP(mem_free_at) int64_t *sorted = NULL;

    if (count < 2)
        return 0;
    sorted = mem_dup(p->times, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_times);
    for (uint32_t i = 0; i + 1 < count; i++)
        sorted[i] = sorted[i + 1] - sorted[i];
    qsort(sorted, count - 1, sizeof *sorted, compare_times);
    return sorted[(count - 1) / 2];
}

/* Millisecond stamps make distances of 41 and 42: the mean of those near the median is finer. */
static int64_t mean_near(struct planner *p, int64_t median)
{
    uint32_t count = steady_count(p, planner_video(p)->reorder), near = 0;
    CLEANUP(mem_free_at) int64_t *sorted = mem_dup(p->times, count * sizeof *sorted);
    int64_t sum = 0;

    qsort(sorted, count, sizeof *sorted, compare_times);
    for (uint32_t i = 0; i + 1 < count; i++) {
        int64_t distance = sorted[i + 1] - sorted[i];
        if (llabs(distance - median) <= 1000000) {
            sum += distance;
            near++;
        }
    }
    return near > 0 ? sum / near : median;
}

static const uint32_t grids[][2] = {{12, 1}, {25, 2},       {15, 1},       {20, 1}, {24000, 1001},
                                    {24, 1}, {25, 1},       {30000, 1001}, {30, 1}, {48, 1},
                                    {50, 1}, {60000, 1001}, {60, 1}};
#define GRID_COUNT (sizeof grids / sizeof *grids)
/* Those below decision 10's, which are for pictures that keep to them. */
#define SLOW_GRIDS 4
#define LEAST_FPS  23.0

static double grid_fps(size_t i)
{
    return (double) grids[i][0] / grids[i][1];
}

/* Of films slower than that (old and drawn ones, small cameras) the slowest on which each picture
 * stands for equally long: at 24, of 15 pictures a second every other one would stand twice as long as
 * its neighbour. -1: there is none. */
static int choose_slow_grid(double fps)
{
    static const double drifts[] = {0.0002, 0.01}; /* of a picture, each: exact, or nearly so */

    for (size_t d = 0; d < sizeof drifts / sizeof *drifts; d++) {
        for (size_t i = 0; i < GRID_COUNT; i++) {
            double times = grid_fps(i) / fps;
            if (times > 1 - drifts[d] && fabs(times - round(times)) < drifts[d] * times)
                return (int) i;
        }
    }
    return -1;
}

/* Decision 10. */
static int choose_grid(double fps)
{
    int best = SLOW_GRIDS;

    for (int i = SLOW_GRIDS; i < (int) GRID_COUNT; i++) {
        if (fabs(fps - grid_fps((size_t) i)) < fabs(fps - grid_fps((size_t) best)))
            best = i;
    }
    return best;
}

#define DEFAULT_FPS      25.0
#define LEAST_FIELD_RATE 47.0

/* Nearly all pictures seen are one distance apart. */
static bool is_steady(struct planner *p)
{
    uint32_t count = p->time_count > 0 ? steady_count(p, planner_video(p)->reorder) : 0;
    CLEANUP(mem_free_at) int64_t *sorted = NULL;
    uint32_t near = 0;

    if (count < 8)
        return false;
    sorted = mem_dup(p->times, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_times);
    for (uint32_t i = 0; i + 1 < count; i++)
        near += llabs(sorted[i + 1] - sorted[i] - p->frame_ns) <= p->frame_ns / 20 ? 1 : 0;
    return near * 10 >= (count - 1) * 9;
}

void plan_head_judge(struct planner *p)
{
    struct plan_track *track = planner_video(p);
    double fps = DEFAULT_FPS;
    int grid;

    p->plan->fps_num = 0;
    p->plan->fps_den = 1;
    p->plan->timescale = 90000;
    if (track == NULL)
        return;
    if (p->frame_ns == 0 && p->time_count > 1) {
        p->frame_ns = median_distance(p);
        p->frame_ns = p->frame_ns > 0 ? mean_near(p, p->frame_ns) : 0;
    }
    if (p->frame_ns > 0)
        fps = (double) PLANNER_NS_PER_S / (double) p->frame_ns;
    if (track->is_interlaced && fps > LEAST_FIELD_RATE)
        fps /= 2; /* fields */
    grid = fps < LEAST_FPS && is_steady(p) ? choose_slow_grid(fps) : -1;
    grid = grid >= 0 ? grid : choose_grid(fps);
    track->fps_num = grids[grid][0];
    track->fps_den = grids[grid][1];
    p->plan->fps_num = track->fps_num;
    p->plan->fps_den = track->fps_den;
    if (track->fps_den == 1001)
        p->plan->timescale = track->fps_num;
    if (p->frame_ns == 0)
        p->frame_ns = PLANNER_NS_PER_S * track->fps_den / track->fps_num;
}

int64_t plan_head_delay_ns(const struct planner *p)
{
    uint32_t count = p->time_count;
    CLEANUP(mem_free_at) int64_t *sorted = NULL;
    int64_t delay = 0;

    if (count == 0)
        return 0;
    sorted = mem_dup(p->times, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_times);
    for (uint32_t i = 0; i < count; i++)
        delay = sorted[i] - p->times[i] > delay ? sorted[i] - p->times[i] : delay;
    return delay;
}
