/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shifts at which many items are equal in most of their bits are candidates. Along each of them a
 * stretch is what has the largest sum of (EDGE_BITS - bits that differ): positive where the films are
 * alike, negative elsewhere. Its edges then go to where the bits that differ change the most. An item
 * hears a window of 2.7 s, and its bits are of parts of that: where in it an edge stands was measured,
 * of tunes between silence, noise and other tunes. */
#include "hls/intro_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    EDGE_BITS = 8,   /* half of what differs by chance */
    WORST_BITS = 16, /* more is no worse */
    ALIKE_BITS = 10, /* still alike */
    START_MS = 720,  /* of the window of a stretch's first item, before the stretch (measured) */
    END_MS = 1350,   /* of that of its last item, until its end */
    EDGE_ITEMS = 24, /* three seconds on both sides of an edge */
    GAP_MS = 3500,   /* the longest pause in a stretch */
    STILL_ITEMS = 8, /* a second of the same sound is none that tells */
    STILL_BITS = 1,  /* that change from one item of it to the next */
    SHIFTS = 24,     /* candidates */
    LEAST_VOTES = 4,
    MOST_EQUALS = 64,  /* an item that stands so often in a film tells nothing */
    FOUND = 4,         /* stretches of two films */
    NOTHING_MS = 5000, /* so little behind the credits is none of the film */
};

/* Bits of an item by which shifts are found: two thirds of them are equal three times as often as all,
 * after another coder (measured), and still never by chance. */
static const uint32_t vote_mask = 0xFFFFF000U;

/* A stretch along a diagonal, in items. */
struct run {
    uint32_t at, other_at, count;
    int64_t score;
};

struct pair {
    const struct fingerprint_part *part, *other;
    bool *is_still, *is_other_still;
    int64_t longest_ms;
    struct run *runs;
    size_t run_count, run_room;
};

static uint32_t bits_of(uint32_t word)
{
    return (uint32_t) __builtin_popcount(word);
}

/* --- what tells nothing --- */

static bool *find_still(const struct fingerprint_part *part)
{
    bool *is_still = mem_new_array(bool, (size_t) part->count + 1);
    for (uint32_t begin = 0, end; begin < part->count; begin = end) {
        for (end = begin + 1; end < part->count; end++)
            if (bits_of(part->items[end] ^ part->items[end - 1]) > STILL_BITS)
                break;
        for (uint32_t i = begin; i < end && end - begin >= STILL_ITEMS; i++)
            is_still[i] = true;
    }
    return is_still;
}

/* --- candidates --- */

struct entry {
    uint32_t value, at;
};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* What tells, by value. */
static struct entry *sort_items(const struct fingerprint_part *part, const bool *is_still,
                                size_t *count)
{
    struct entry *entries = mem_new_array(struct entry, (size_t) part->count + 1);
    *count = 0;
    for (uint32_t i = 0; i < part->count; i++)
        if (!is_still[i])
            entries[(*count)++] = (struct entry){part->items[i] & vote_mask, i};
    qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

static size_t end_of_equals(const struct entry *entries, size_t count, size_t at)
{
    size_t end = at + 1;
    while (end < count && entries[end].value == entries[at].value)
        end++;
    return end;
}

/* votes[at - other_at + other->count]: how many items are equal there. */
static uint32_t *count_votes(const struct pair *pair)
{
    size_t a_count, b_count, a = 0, b = 0;
    uint32_t *votes = mem_new_array(uint32_t, (size_t) pair->part->count + pair->other->count + 2);
    struct entry *as = sort_items(pair->part, pair->is_still, &a_count);
    struct entry *bs = sort_items(pair->other, pair->is_other_still, &b_count);
    while (a < a_count && b < b_count) {
        size_t a_end = end_of_equals(as, a_count, a), b_end = end_of_equals(bs, b_count, b);
        bool is_equal = as[a].value == bs[b].value;
        bool is_telling = a_end - a <= MOST_EQUALS && b_end - b <= MOST_EQUALS;
        for (size_t i = a; i < a_end && is_equal && is_telling; i++)
            for (size_t k = b; k < b_end; k++)
                votes[as[i].at + pair->other->count - bs[k].at]++;
        bool is_a_less = as[a].value < bs[b].value;
        a = is_equal || is_a_less ? a_end : a;
        b = is_equal || !is_a_less ? b_end : b;
    }
    mem_free(as);
    mem_free(bs);
    return votes;
}

/* --- stretches along one shift --- */

static int64_t run_start_ms(const struct pair *pair, const struct run *run)
{
    int64_t begin_ms = pair->part->begin_ms + fingerprint_item_ms(run->at);
    /* Where one of the films begins, all of the window is in common. */
    return run->at == 0 || run->other_at == 0 ? begin_ms : begin_ms + START_MS;
}

static int64_t run_end_ms(const struct pair *pair, const struct run *run)
{
    const int64_t window_ms = (int64_t) FINGERPRINT_WINDOW * 1000 / FINGERPRINT_RATE;
    int64_t last_ms = pair->part->begin_ms + fingerprint_item_ms(run->at + run->count - 1);
    bool is_at_end = run->at + run->count == pair->part->count ||
                     run->other_at + run->count == pair->other->count;
    int64_t end_ms = last_ms + (is_at_end ? window_ms : END_MS);
    return end_ms < pair->part->end_ms ? end_ms : pair->part->end_ms;
}

/* Most of it is alike, and tells something. */
static bool is_alike(const struct pair *pair, const struct run *run)
{
    uint32_t alike = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t at = run->at + i, other = run->other_at + i;
        if (!(pair->is_still[at] && pair->is_other_still[other]))
            alike += bits_of(pair->part->items[at] ^ pair->other->items[other]) <= ALIKE_BITS;
    }
    return alike >= run->count / 2;
}

static uint32_t bits_at(const struct pair *pair, int64_t at, int64_t other)
{
    uint32_t differ = bits_of(pair->part->items[at] ^ pair->other->items[other]);
    return differ < WORST_BITS ? differ : WORST_BITS;
}

/* Where along the diagonal, near item `at`, the bits that differ change the most: EDGE_ITEMS on both
 * sides are parted where the means of the two parts stand farthest from each other. */
static int64_t find_edge(const struct pair *pair, int64_t at, int64_t other)
{
    int64_t low = at < other ? at : other, begin = low < EDGE_ITEMS ? -low : -EDGE_ITEMS;
    int64_t room = pair->part->count - at, other_room = pair->other->count - other;
    int64_t end = room < other_room ? room : other_room;
    double sum = 0, before = 0, most = 0;
    int64_t edge = at;
    end = end < EDGE_ITEMS ? end : EDGE_ITEMS;
    for (int64_t i = begin; i < end; i++)
        sum += bits_at(pair, at + i, other + i);
    for (int64_t i = begin + 1; i < end; i++) {
        before += bits_at(pair, at + i - 1, other + i - 1);
        double count = (double) (i - begin), rest = (double) (end - i);
        double apart = before / count - (sum - before) / rest;
        double weight = apart * apart * count * rest;
        if (weight <= most)
            continue;
        most = weight;
        edge = at + i;
    }
    return edge;
}

static void move_edges(const struct pair *pair, struct run *run)
{
    int64_t shift = (int64_t) run->other_at - run->at;
    int64_t begin = run->at, end = (int64_t) run->at + run->count;
    if (run->at > 0 && run->other_at > 0)
        begin = find_edge(pair, begin, begin + shift);
    if (end < pair->part->count && end + shift < pair->other->count)
        end = find_edge(pair, end, end + shift);
    run->at = (uint32_t) begin;
    run->other_at = (uint32_t) (begin + shift);
    run->count = end > begin ? (uint32_t) (end - begin) : 0;
}

static void take_run(struct pair *pair, const struct run *found)
{
    struct run run = *found;
    if (run.count > 0)
        move_edges(pair, &run);
    if (run.count == 0)
        return;
    int64_t length_ms = run_end_ms(pair, &run) - run_start_ms(pair, &run);
    if (length_ms < MARKER_LEAST_MS || length_ms > pair->longest_ms || !is_alike(pair, &run))
        return;
    mem_grow(pair->runs, pair->run_count, pair->run_room);
    pair->runs[pair->run_count++] = run;
}

/* What an item adds to the sum; 0: it tells nothing. */
static int64_t worth(const struct pair *pair, uint32_t at, uint32_t other)
{
    if (pair->is_still[at] && pair->is_other_still[other])
        return 0;
    uint32_t differ = bits_of(pair->part->items[at] ^ pair->other->items[other]);
    return EDGE_BITS - (int64_t) (differ < WORST_BITS ? differ : WORST_BITS);
}

/* The stretches of the diagonal that goes through (at, other). */
static void walk(struct pair *pair, uint32_t at, uint32_t other)
{
    const uint32_t most_gap = GAP_MS * FINGERPRINT_RATE / (FINGERPRINT_STEP * 1000);
    struct run best = {0};
    int64_t sum = 0;
    uint32_t begin = 0, gap = 0;
    for (uint32_t i = 0; at + i < pair->part->count && other + i < pair->other->count; i++) {
        int64_t step = worth(pair, at + i, other + i);
        gap = step > 0 ? 0 : gap + 1;
        if (sum + step <= 0 || gap > most_gap) {
            take_run(pair, &best);
            best = (struct run){0};
            sum = 0;
            begin = i + 1;
            continue;
        }
        sum += step;
        if (sum > best.score)
            best = (struct run){at + begin, other + begin, i + 1 - begin, sum};
    }
    take_run(pair, &best);
}

/* --- the best of them --- */

static int compare_runs(const void *left, const void *right)
{
    const struct run *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static bool overlaps(const struct match_stretch *a, const struct match_stretch *b)
{
    return a->start_ms < b->end_ms && b->start_ms < a->end_ms;
}

static size_t choose_runs(struct pair *pair, struct match_stretch *out, size_t most)
{
    size_t count = 0;
    if (pair->run_count > 0)
        qsort(pair->runs, pair->run_count, sizeof *pair->runs, compare_runs);
    for (size_t i = 0; i < pair->run_count && count < most; i++) {
        struct match_stretch stretch = {run_start_ms(pair, &pair->runs[i]),
                                        run_end_ms(pair, &pair->runs[i])};
        bool is_new = true;
        for (size_t k = 0; k < count; k++)
            is_new = is_new && !overlaps(&stretch, &out[k]);
        if (is_new)
            out[count++] = stretch;
    }
    return count;
}

/* Walks along the shift with the most votes, which it takes out. False: too few voted for any. */
static bool walk_next(struct pair *pair, uint32_t *votes)
{
    uint32_t count = pair->part->count + pair->other->count, best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (votes[i] > votes[best])
            best = i;
    if (votes[best] < LEAST_VOTES)
        return false;
    votes[best] = 0;
    bool is_later = best >= pair->other->count;
    walk(pair, is_later ? best - pair->other->count : 0, is_later ? 0 : pair->other->count - best);
    return true;
}

size_t match_find(const struct fingerprint_part *part, const struct fingerprint_part *other,
                  int64_t longest_ms, struct match_stretch *out, size_t most)
{
    struct pair pair = {.part = part, .other = other, .longest_ms = longest_ms};
    pair.is_still = find_still(part);
    pair.is_other_still = find_still(other);
    uint32_t *votes = count_votes(&pair);
    unsigned walked = 0;
    while (walked < SHIFTS && walk_next(&pair, votes))
        walked++;
    size_t count = choose_runs(&pair, out, most);
    mem_free(votes);
    mem_free(pair.runs);
    mem_free(pair.is_still);
    mem_free(pair.is_other_still);
    return count;
}

/* --- what the others agree on --- */

/* What a film has in common with each of the others. */
struct finds {
    struct match_stretch items[MATCH_OTHERS][FOUND];
    size_t counts[MATCH_OTHERS];
    size_t others;
};

/* They are one: at least half of the longer of them is in both. */
static bool is_same(const struct match_stretch *a, const struct match_stretch *b)
{
    int64_t start_ms = a->start_ms > b->start_ms ? a->start_ms : b->start_ms;
    int64_t end_ms = a->end_ms < b->end_ms ? a->end_ms : b->end_ms;
    int64_t a_ms = a->end_ms - a->start_ms, b_ms = b->end_ms - b->start_ms;
    return 2 * (end_ms - start_ms) >= (a_ms > b_ms ? a_ms : b_ms);
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *) left, b = *(const int64_t *) right;
    return (a > b) - (a < b);
}

/* How many of the others have it, and where they say it is: the middle of what they say. */
static size_t ask_others(const struct finds *finds, const struct match_stretch *stretch,
                         struct match_stretch *out)
{
    int64_t starts[MATCH_OTHERS], ends[MATCH_OTHERS];
    size_t count = 0;
    for (size_t i = 0; i < finds->others; i++) {
        for (size_t k = 0; k < finds->counts[i]; k++) {
            if (!is_same(stretch, &finds->items[i][k]))
                continue;
            starts[count] = finds->items[i][k].start_ms;
            ends[count++] = finds->items[i][k].end_ms;
            break;
        }
    }
    qsort(starts, count, sizeof *starts, compare_times);
    qsort(ends, count, sizeof *ends, compare_times);
    *out = (struct match_stretch){starts[count / 2], ends[count / 2]};
    return count;
}

/* The one that most of them have, of those the longest; half of them at least. */
static bool agree(const struct finds *finds, struct match_stretch *out)
{
    size_t most = 0;
    for (size_t i = 0; i < finds->others; i++) {
        for (size_t k = 0; k < finds->counts[i]; k++) {
            struct match_stretch said;
            size_t votes = ask_others(finds, &finds->items[i][k], &said);
            bool is_longer = said.end_ms - said.start_ms > out->end_ms - out->start_ms;
            if (votes < most || (votes == most && !is_longer))
                continue;
            most = votes;
            *out = said;
        }
    }
    return most > 0 && 2 * most >= finds->others;
}

static bool find_intro(const struct fingerprint *film, const struct fingerprint *const *others,
                       size_t count, struct match_stretch *out)
{
    struct finds finds = {.others = count};
    for (size_t i = 0; i < count; i++)
        finds.counts[i] =
            match_find(&film->first, &others[i]->first, INTRO_MOST_MS, finds.items[i], FOUND);
    return agree(&finds, out);
}

static bool find_credits(const struct fingerprint *film, const struct fingerprint *const *others,
                         size_t count, struct match_stretch *out)
{
    const int64_t end_ms = film->last.end_ms;
    struct finds finds = {.others = count};
    for (size_t i = 0; i < count; i++) {
        struct match_stretch found[FOUND];
        size_t all = match_find(&film->last, &others[i]->last, FINGERPRINT_LAST_MS, found, FOUND);
        for (size_t k = 0; k < all; k++)
            if (found[k].end_ms >= end_ms - CREDITS_TAIL_MS)
                finds.items[i][finds.counts[i]++] = found[k];
    }
    if (!agree(&finds, out))
        return false;
    if (end_ms - out->end_ms < NOTHING_MS)
        out->end_ms = end_ms;
    return true;
}

size_t match_markers(const struct fingerprint *film, const struct fingerprint *const *others,
                     size_t count, struct marker out[MARKERS_MOST])
{
    struct match_stretch found = {0};
    size_t made = 0;
    if (count > MATCH_OTHERS)
        count = MATCH_OTHERS;
    if (find_intro(film, others, count, &found))
        out[made++] = (struct marker){MARKER_INTRO, found.start_ms, found.end_ms};
    found = (struct match_stretch){0};
    if (find_credits(film, others, count, &found))
        out[made++] = (struct marker){MARKER_CREDITS, found.start_ms, found.end_ms};
    return made;
}
