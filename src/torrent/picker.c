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
    /* Who reads nothing for so long is no viewer, but the last one to read. */
    GRACE_MS = 2000,
    EMERGENCY_PIECES = 4,
    RESERVE_S = 6,
};
static const uint64_t START_BYTES = 4 * 1024 * 1024;
/* Of a file that is opened: its end is read as well, before the first picture. */
static const uint64_t HEAD_BYTES = 2 * 1024 * 1024;
static const uint64_t WINDOW_BYTES = 16 * 1024 * 1024;
static const uint64_t BACK_BYTES = 4 * 1024 * 1024;
/* With less than this left behind the viewers, peers would run dry. */
static const uint64_t RESERVE_BYTES = 24 * 1024 * 1024;

/* Life: reads something far from the others (begins: its first pieces have deadlines) -> goes on ->
 * reads nothing for a while. */
struct viewer {
    uint64_t at;       /* where it read last */
    struct span start; /* what has deadlines; empty when all of it came */
    int64_t seen_ms;
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

static struct viewer *begin_viewer(struct picker *picker, uint64_t at, bool is_start)
{
    const uint64_t two = 2 * (uint64_t) picker->piece_bytes;
    const uint64_t bytes = is_start ? HEAD_BYTES : START_BYTES;
    if (picker->viewer_count < VIEWERS)
        picker->viewer_count++;
    struct viewer *viewer = bring_forward(picker, picker->viewer_count - 1);
    *viewer = (struct viewer){
        .at = at,
        .start = {at, least(at + (bytes > two ? bytes : two), picker->size)},
    };
    return viewer;
}

static void note_read(struct picker *picker, const struct picker_read *read, int64_t now_ms)
{
    uint64_t at = read->span.begin;
    size_t i = 0;
    while (i < picker->viewer_count && !goes_on(picker, &picker->viewers[i], at))
        i++;
    bool is_new = i == picker->viewer_count;
    struct viewer *viewer =
        is_new ? begin_viewer(picker, at, read->is_start) : bring_forward(picker, i);
    if (is_new || viewer->at != at || now_ms - viewer->seen_ms > GRACE_MS)
        viewer->since_ms = now_ms;
    viewer->at = at;
    viewer->seen_ms = now_ms;
    viewer->is_waiting = true;
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
    size_t kept = 0;
    for (size_t i = 0; i < picker->viewer_count; i++)
        if (i == 0 || now_ms - picker->viewers[i].seen_ms <= GRACE_MS)
            picker->viewers[kept++] = picker->viewers[i];
    picker->viewer_count = kept;
}

/* --- the plan --- */

static void plan_first(struct picker *picker, struct span span, uint32_t most, bool is_due)
{
    uint32_t end;
    for (uint32_t i = pieces_of(picker, span, most, &end); i < end; i++) {
        struct piece *piece = &picker->pieces[i];
        if (piece->is_here)
            continue;
        piece->planned = FIRST;
        piece->is_due |= is_due;
    }
}

static bool is_starting(struct picker *picker, struct viewer *viewer)
{
    if (viewer->start.begin < viewer->start.end && is_all_here(picker, viewer->start))
        viewer->start.begin = viewer->start.end;
    return viewer->start.begin < viewer->start.end;
}

/* Windows would be fetched in any order, beside what somebody needs to begin: they wait for that. */
static void plan_viewer(struct picker *picker, struct viewer *viewer, bool has_window,
                        int64_t now_ms)
{
    const struct span window = {viewer->at, viewer->at + WINDOW_BYTES};
    if (has_window)
        plan_first(picker, window, UINT32_MAX, false);
    if (is_starting(picker, viewer)) {
        plan_first(picker, viewer->start, UINT32_MAX, true);
    } else if (viewer->is_waiting && now_ms - viewer->since_ms >= PATIENCE_MS) {
        plan_first(picker, window, EMERGENCY_PIECES, true);
    }
}

/* The pieces before all viewers wait, while there is enough behind. */
static void plan_order(struct picker *picker, int64_t rate)
{
    uint64_t lowest = picker->size;
    for (size_t i = 0; i < picker->viewer_count; i++)
        lowest = least(lowest, picker->viewers[i].at);
    uint64_t reserve = (uint64_t) rate * RESERVE_S;
    if (reserve < RESERVE_BYTES)
        reserve = RESERVE_BYTES;
    uint64_t behind = 0;
    uint32_t cursor = piece_at(picker, lowest);
    for (uint32_t i = cursor; i < picker->count && behind < reserve; i++)
        if (picker->pieces[i].is_wanted && !picker->pieces[i].is_here)
            behind += picker->piece_bytes;
    if (behind < reserve)
        return;
    for (uint32_t i = 0; i < cursor; i++)
        picker->pieces[i].planned = UNWANTED;
}

/* --- what to tell --- */

static void tell_deadlines(struct picker *picker, struct picker_moves *out)
{
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

void picker_plan(struct picker *picker, const struct picker_read *reads, size_t count,
                 bool is_watched, int64_t rate, int64_t now_ms, struct picker_moves *out)
{
    *out = (struct picker_moves){
        .set = picker->set, .cleared = picker->cleared, .priorities = picker->priorities};
    for (uint32_t i = 0; i < picker->count; i++) {
        picker->pieces[i].is_due = false;
        picker->pieces[i].planned = picker->pieces[i].is_wanted ? USUAL : UNWANTED;
    }
    if (is_watched)
        note_reads(picker, reads, count, now_ms);
    else
        picker->viewer_count = 0;
    out->is_sequential = picker->viewer_count > 0;
    if (picker->viewer_count > 0)
        plan_order(picker, rate);
    bool has_window = picker->viewer_count > 1;
    for (size_t i = 0; i < picker->viewer_count; i++)
        has_window &= !is_starting(picker, &picker->viewers[i]);
    for (size_t i = 0; i < picker->viewer_count; i++)
        plan_viewer(picker, &picker->viewers[i], has_window, now_ms);
    for (size_t i = 0; i < count; i++)
        plan_first(picker, reads[i].span, UINT32_MAX, false);
    tell_deadlines(picker, out);
    tell_priorities(picker, out);
}
