/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "torrent/picker.h"

#include <string.h>

#include "base/mem.h"

enum {
    UNWANTED = 0,
    AFTER_DEADLINE = 1, /* where libtorrent leaves a piece whose deadline is taken back */
    USUAL = 4,
    FIRST = 7,
    VIEWERS = 8,
    /* Deadlines of a viewer that begins are so far apart. */
    DEADLINE_STEP_MS = 100,
    /* Who waited so long for a piece gets a deadline for it. */
    PATIENCE_MS = 1000,
    /* Who reads nothing for so long is no viewer, but the last one to read; */
    GRACE_MS = 2000,
    /* and who falls silent about when another one begins has become that one: it was a seek. */
    SEEK_MS = 300,
    EMERGENCY_PIECES = 4,
    /* Pieces of one priority come in any order: what has the first one lasts about so long. */
    START_S = 2,
    WINDOW_S = 4, /* peers are asked for 3 s ahead (shim.cpp, request_queue_time) */
    RESERVE_S = 4,
};
static const uint64_t LEAST_START_BYTES = 1024 * 1024;
static const uint64_t START_BYTES = 4 * 1024 * 1024;
/* Of a file that is opened: its end is read as well, before the first picture. */
static const uint64_t HEAD_BYTES = 2 * 1024 * 1024;
static const uint64_t WINDOW_BYTES = 16 * 1024 * 1024;
static const uint64_t BACK_BYTES = 4 * 1024 * 1024;
/* With less than this left behind the viewers, peers would run dry: as long as nothing is known of their
 * rate, and at least. */
static const uint64_t RESERVE_BYTES = 24 * 1024 * 1024;
static const uint64_t LEAST_RESERVE_BYTES = 4 * 1024 * 1024;

/* Several reads side by side, picture and sound, are one viewer.
 * Life: reads something far from the others (begins: its first pieces have deadlines) -> goes on ->
 * reads nothing for a while. */
struct viewer {
    uint64_t at;       /* the lowest byte it waits for, or waited for last */
    uint64_t lowest;   /* that of this plan */
    struct span start; /* what has deadlines; empty when all of it came */
    int64_t began_ms, seen_ms;
    int64_t since_ms; /* it waits at `at` since then */
    bool is_waiting;
};

struct piece {
    bool is_wanted, is_here;
    bool has_deadline, is_due; /* as told; as planned */
    uint8_t told, planned;     /* priorities */
};

struct picker {
    uint32_t count, piece_bytes;
    uint64_t size;
    int64_t best_rate; /* that was seen; 0: none was */
    bool is_urged;
    struct piece *pieces;
    struct viewer viewers[VIEWERS]; /* the one that read last is the first */
    size_t viewer_count;
    struct picker_deadline *set;
    uint32_t *cleared;
    struct shim_priority *priorities;
};

struct picker *picker_new(uint32_t pieces, uint32_t piece_bytes, uint64_t size)
{
    struct picker *picker = mem_new(struct picker);
    picker->count = pieces;
    picker->piece_bytes = piece_bytes;
    picker->size = size;
    picker->pieces = mem_new_array(struct piece, pieces);
    picker->set = mem_new_array(struct picker_deadline, pieces);
    picker->cleared = mem_new_array(uint32_t, pieces);
    picker->priorities = mem_new_array(struct shim_priority, pieces);
    return picker;
}

void picker_free(struct picker **picker)
{
    struct picker *gone = *picker;
    *picker = NULL;
    if (gone == NULL)
        return;
    mem_free(gone->pieces);
    mem_free(gone->set);
    mem_free(gone->cleared);
    mem_free(gone->priorities);
    mem_free(gone);
}

void picker_want(struct picker *picker, uint32_t piece, bool is_wanted)
{
    picker->pieces[piece].is_wanted = is_wanted;
}

void picker_urge(struct picker *picker)
{
    picker->is_urged = true;
}

void picker_begin(struct picker *picker)
{
    for (uint32_t i = 0; i < picker->count; i++) {
        picker->pieces[i].told = picker->pieces[i].is_wanted ? USUAL : UNWANTED;
        picker->pieces[i].has_deadline = false;
    }
}

void picker_have(struct picker *picker, uint32_t piece, bool is_here)
{
    picker->pieces[piece].is_here = is_here;
    if (is_here)
        picker->pieces[piece].has_deadline = false; /* libtorrent forgets it by itself */
}

/* --- viewers --- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint32_t piece_at(const struct picker *picker, uint64_t byte)
{
    return (uint32_t) (byte / picker->piece_bytes);
}

/* The pieces of the span, at most `most`; behind the last one of them in *end. */
static uint32_t pieces_of(const struct picker *picker, struct span span, uint32_t most,
                          uint32_t *end)
{
    uint64_t last = least(span.end, picker->size);
    uint32_t first = piece_at(picker, span.begin);
    *end = last > span.begin ? piece_at(picker, last - 1) + 1 : first;
    if (*end - first > most)
        *end = first + most;
    return first;
}

static bool is_all_here(const struct picker *picker, struct span span)
{
    uint32_t end;
    for (uint32_t i = pieces_of(picker, span, UINT32_MAX, &end); i < end; i++)
        if (!picker->pieces[i].is_here)
            return false;
    return true;
}

/* Who reads on leaves nothing out; who seeks does. */
static bool goes_on(const struct picker *picker, const struct viewer *viewer, uint64_t at)
{
    const struct span between = {viewer->at, at};
    return at + BACK_BYTES >= viewer->at &&
           (at <= viewer->at + START_BYTES || is_all_here(picker, between));
}

/* To the front of the list. */
static struct viewer *bring_forward(struct picker *picker, size_t index)
{
    struct viewer viewer = picker->viewers[index];
    memmove(&picker->viewers[1], &picker->viewers[0], index * sizeof viewer);
    picker->viewers[0] = viewer;
    return &picker->viewers[0];
}

/* What comes in so many seconds. */
static uint64_t bytes_in(const struct picker *picker, unsigned seconds, uint64_t least_bytes,
                         uint64_t most_bytes)
{
    uint64_t bytes = (uint64_t) picker->best_rate * seconds;
    if (picker->best_rate == 0 || bytes > most_bytes)
        return most_bytes;
    return bytes < least_bytes ? least_bytes : bytes;
}

static struct viewer *begin_viewer(struct picker *picker, uint64_t at, bool is_start,
                                   int64_t now_ms)
{
    const uint64_t two = 2 * (uint64_t) picker->piece_bytes;
    uint64_t bytes = bytes_in(picker, START_S, LEAST_START_BYTES, START_BYTES);
    if (is_start)
        bytes = least(bytes, HEAD_BYTES);
    if (picker->viewer_count < VIEWERS)
        picker->viewer_count++;
    struct viewer *viewer = bring_forward(picker, picker->viewer_count - 1);
    *viewer = (struct viewer){
        .at = at,
        .began_ms = now_ms,
        .start = {at, least(at + (bytes > two ? bytes : two), picker->size)},
    };
    return viewer;
}

static bool is_begun(const struct viewer *viewer)
{
    return viewer->start.begin == viewer->start.end;
}

/* It reads before where it was, as sound does beside a picture: that is part of its beginning. */
static void begin_earlier(const struct picker *picker, struct viewer *viewer, uint64_t at)
{
    if (at >= viewer->at || picker->pieces[piece_at(picker, at)].is_here)
        return;
    if (is_begun(viewer))
        viewer->start = (struct span){at, viewer->at};
    else if (at < viewer->start.begin)
        viewer->start.begin = at;
}

static void note_read(struct picker *picker, const struct picker_read *read, int64_t now_ms)
{
    uint64_t at = read->span.begin;
    size_t i = 0;
    while (i < picker->viewer_count && !goes_on(picker, &picker->viewers[i], at))
        i++;
    struct viewer *viewer = i == picker->viewer_count
                                ? begin_viewer(picker, at, read->is_start, now_ms)
                                : bring_forward(picker, i);
    begin_earlier(picker, viewer, at);
    viewer->lowest = viewer->is_waiting ? least(viewer->lowest, at) : at;
    viewer->is_waiting = true;
}

static void note_waiting(struct viewer *viewer, int64_t now_ms)
{
    if (viewer->at != viewer->lowest || now_ms - viewer->seen_ms > GRACE_MS)
        viewer->since_ms = now_ms;
    viewer->at = viewer->lowest;
    viewer->seen_ms = now_ms;
}

/* What is made ahead of a viewer that waits for nothing: it still watches. False: of none. */
static bool note_ahead(struct picker *picker, uint64_t at, int64_t now_ms)
{
    bool is_of_viewer = false;
    for (size_t i = 0; i < picker->viewer_count; i++) {
        if (!goes_on(picker, &picker->viewers[i], at))
            continue;
        picker->viewers[i].seen_ms = now_ms;
        is_of_viewer = true;
    }
    return is_of_viewer;
}

/* The first one stays until another one reads. */
static bool is_gone(const struct picker *picker, size_t index, int64_t now_ms)
{
    const struct viewer *viewer = &picker->viewers[index];
    if (index == 0 || viewer->is_waiting)
        return false;
    for (size_t i = 0; i < picker->viewer_count; i++)
        if (picker->viewers[i].began_ms > viewer->began_ms &&
            picker->viewers[i].began_ms > viewer->seen_ms - SEEK_MS)
            return true;
    return now_ms - viewer->seen_ms > GRACE_MS;
}

static void note_reads(struct picker *picker, const struct picker_read *reads, size_t count,
                       int64_t now_ms)
{
    for (size_t i = 0; i < picker->viewer_count; i++)
        picker->viewers[i].is_waiting = false;
    /* The most urgent comes first, and shall be the first viewer. */
    for (size_t i = count; i > 0; i--)
        if (reads[i - 1].is_now)
            note_read(picker, &reads[i - 1], now_ms);
    for (size_t i = 0; i < picker->viewer_count; i++)
        if (picker->viewers[i].is_waiting)
            note_waiting(&picker->viewers[i], now_ms);
    struct viewer stay[VIEWERS];
    size_t kept = 0;
    for (size_t i = 0; i < picker->viewer_count; i++)
        if (!is_gone(picker, i, now_ms))
            stay[kept++] = picker->viewers[i];
    memcpy(picker->viewers, stay, kept * sizeof *stay);
    picker->viewer_count = kept;
}

/* --- the plan --- */

static void plan_first(struct picker *picker, struct span span, uint32_t most, bool is_due)
{
    uint32_t end;
    for (uint32_t i = pieces_of(picker, span, most, &end); i < end; i++) {
        struct piece *piece = &picker->pieces[i];
        if (piece->is_here ||
            !piece->is_wanted) /* the last one of a file may be of the next, too */
            continue;
        piece->planned = FIRST;
        piece->is_due |= is_due;
    }
}

static void note_starts(struct picker *picker)
{
    for (size_t i = 0; i < picker->viewer_count; i++)
        if (is_all_here(picker, picker->viewers[i].start))
            picker->viewers[i].start.begin = picker->viewers[i].start.end;
}

static bool is_anyone_starting(const struct picker *picker)
{
    for (size_t i = 0; i < picker->viewer_count; i++)
        if (!is_begun(&picker->viewers[i]))
            return true;
    return false;
}

static uint64_t lowest_viewer(const struct picker *picker)
{
    uint64_t lowest = picker->size;
    for (size_t i = 0; i < picker->viewer_count; i++)
        lowest = least(lowest, picker->viewers[i].at);
    return lowest;
}

static bool is_enough_behind(const struct picker *picker, uint32_t cursor, bool is_starting)
{
    uint64_t reserve = bytes_in(picker, RESERVE_S, LEAST_RESERVE_BYTES, UINT64_MAX);
    if (picker->best_rate == 0)
        reserve = RESERVE_BYTES;
    if (is_starting) /* for the moment that takes */
        reserve = least(reserve, 2 * START_BYTES);
    uint64_t behind = 0;
    for (uint32_t i = cursor; i < picker->count && behind < reserve; i++)
        if (picker->pieces[i].is_wanted && !picker->pieces[i].is_here)
            behind += picker->piece_bytes;
    return behind >= reserve;
}

/* The pieces before all viewers wait, while there is enough behind. True: what comes in order begins at
 * the lowest viewer. */
static bool plan_order(struct picker *picker, uint64_t lowest, bool is_starting)
{
    bool is_led = true;
    uint32_t cursor = piece_at(picker, lowest);
    if (is_enough_behind(picker, cursor, is_starting)) {
        for (uint32_t i = 0; i < cursor; i++)
            picker->pieces[i].planned = UNWANTED;
        return true;
    }
    for (uint32_t i = 0; i < cursor; i++)
        is_led &= !picker->pieces[i].is_wanted || picker->pieces[i].is_here;
    return is_led;
}

/* The first missing piece of the span, as a span up to its end. */
static struct span missing_of(const struct picker *picker, struct span span)
{
    uint32_t end;
    uint32_t first = pieces_of(picker, span, UINT32_MAX, &end);
    while (first < end && picker->pieces[first].is_here)
        first++;
    uint64_t begin = (uint64_t) first * picker->piece_bytes;
    return (struct span){begin > span.begin ? begin : span.begin, span.end};
}

/* A few pieces have deadlines; what the order leads comes behind them by itself, and in order. */
static void plan_start(struct picker *picker, const struct viewer *viewer, bool is_led)
{
    const uint64_t two = 2 * (uint64_t) picker->piece_bytes;
    struct span span = missing_of(picker, viewer->start);
    if (is_led)
        span.end =
            least(span.end, span.begin + (LEAST_START_BYTES > two ? LEAST_START_BYTES : two));
    plan_first(picker, span, UINT32_MAX, true);
}

/* What a viewer is given beside what it reads. */
struct share {
    bool is_led;     /* what comes in order begins with it */
    bool has_window; /* the next pieces come before all else */
};

static void plan_viewer(struct picker *picker, const struct viewer *viewer, struct share share,
                        int64_t now_ms)
{
    const uint64_t bytes = bytes_in(picker, WINDOW_S, LEAST_START_BYTES, WINDOW_BYTES);
    const struct span window = {viewer->at, viewer->at + bytes};
    if (share.has_window)
        plan_first(picker, window, UINT32_MAX, false);
    if (!is_begun(viewer))
        plan_start(picker, viewer, share.is_led);
    else if (viewer->is_waiting && now_ms - viewer->since_ms >= PATIENCE_MS)
        plan_first(picker, window, EMERGENCY_PIECES, true);
}

/* Whom the order does not lead has a window, and so has each of several. Windows are fetched in any
 * order, beside what somebody needs to begin: they wait for that. */
static void plan_viewers(struct picker *picker, int64_t now_ms)
{
    bool is_starting = is_anyone_starting(picker);
    bool is_alone = picker->viewer_count == 1;
    uint64_t lowest = lowest_viewer(picker);
    bool is_led = plan_order(picker, lowest, is_starting);
    for (size_t i = 0; i < picker->viewer_count; i++) {
        const struct viewer *viewer = &picker->viewers[i];
        const struct share share = {.is_led = is_led && viewer->at == lowest,
                                    .has_window = is_alone ? !is_led : !is_starting};
        plan_viewer(picker, viewer, share, now_ms);
    }
}

/* --- what to tell --- */

/* As if none had a deadline: the first one of the new ones cancels what was asked for elsewhere. */
static void take_deadlines(struct picker *picker, struct picker_moves *out)
{
    for (uint32_t i = 0; i < picker->count; i++) {
        struct piece *piece = &picker->pieces[i];
        if (piece->is_here || !piece->has_deadline)
            continue;
        picker->cleared[out->cleared_count++] = i;
        piece->told = AFTER_DEADLINE;
        piece->has_deadline = false;
    }
}

static void tell_deadlines(struct picker *picker, struct picker_moves *out)
{
    if (picker->is_urged)
        take_deadlines(picker, out);
    picker->is_urged = false;
    for (uint32_t i = 0; i < picker->count; i++) {
        struct piece *piece = &picker->pieces[i];
        if (piece->is_here || piece->is_due == piece->has_deadline)
            continue;
        if (piece->is_due) {
            picker->set[out->set_count] =
                (struct picker_deadline){i, (int) out->set_count * DEADLINE_STEP_MS};
            out->set_count++;
            piece->told = FIRST;
        } else {
            picker->cleared[out->cleared_count++] = i;
            piece->told = AFTER_DEADLINE;
        }
        piece->has_deadline = piece->is_due;
    }
}

static void tell_priorities(struct picker *picker, struct picker_moves *out)
{
    for (uint32_t i = 0; i < picker->count; i++) {
        struct piece *piece = &picker->pieces[i];
        if (piece->is_here || piece->planned == piece->told)
            continue;
        piece->told = piece->planned;
        picker->priorities[out->priority_count++] = (struct shim_priority){i, piece->planned};
    }
}

/* What a viewer reads soon comes in order: out of it, it would only delay what somebody waits for. */
static void plan_reads(struct picker *picker, const struct picker_read *reads, size_t count,
                       int64_t now_ms)
{
    bool is_waiting = false;
    for (size_t i = 0; i < count; i++)
        is_waiting |= reads[i].is_now;
    for (size_t i = 0; i < count; i++) {
        const struct span span = reads[i].span;
        bool is_first = reads[i].is_now || reads[i].is_index ||
                        (!note_ahead(picker, span.begin, now_ms) && !is_waiting);
        if (is_first)
            plan_first(picker, span, UINT32_MAX, false);
    }
}

void picker_plan(struct picker *picker, const struct picker_read *reads, size_t count,
                 bool is_watched, int64_t rate, int64_t now_ms, struct picker_moves *out)
{
    *out = (struct picker_moves){
        .set = picker->set, .cleared = picker->cleared, .priorities = picker->priorities};
    for (uint32_t i = 0; i < picker->count; i++) {
        picker->pieces[i].is_due = false;
        picker->pieces[i].planned = picker->pieces[i].is_wanted ? USUAL : UNWANTED;
    }
    picker->best_rate = rate > picker->best_rate ? rate : picker->best_rate;
    if (is_watched)
        note_reads(picker, reads, count, now_ms);
    else
        picker->viewer_count = 0;
    note_starts(picker);
    out->is_sequential = picker->viewer_count > 0;
    if (picker->viewer_count > 0)
        plan_viewers(picker, now_ms);
    plan_reads(picker, reads, count, now_ms);
    tell_deadlines(picker, out);
    tell_priorities(picker, out);
}
