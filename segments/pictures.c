/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The grid's phase is that of the track's first frame: times that round to the middle between two
 * slots (a film that begins half a frame after T0) would else fall to either side by the
 * milliseconds' rounding of its container. */
#include "segments/pictures.h"

#include <libavutil/frame.h>
#include <libavutil/mathematics.h>

#include "base/mem.h"

#define NS_PER_S 1000000000
#define NOWHERE  INT64_MIN

/* How much earlier the search for a key begins, try by try: what is sought is where decoding can
 * start and has, by then, shown a frame at or before the wanted one. After these: the start. */
static const int64_t back_ns[] = {0, 2ll * NS_PER_S, 8ll * NS_PER_S, 30ll * NS_PER_S,
                                  120ll * NS_PER_S};
#define BACK_COUNT (sizeof back_ns / sizeof *back_ns)

/* Frames nobody refers to are not decoded up to this long before the wanted one: longer than the
 * distance of two frames, so that the one held is known. */
#define HURRY_SPARES_NS (NS_PER_S / 2)

/* Frames in a row that are older than what is shown: beyond, the film's clock was set back, and
 * nothing of what follows has a place on the timeline. */
#define MAX_LATE_FRAMES 600

struct pictures {
    /* fixed after open */
    const struct plan *plan;
    uint32_t track;
    int64_t first_slot; /* of the track's first frame */

    struct decoder *decoder;
    AVFrame *held;  /* what the slot before `next` shows; blank: nothing yet */
    AVFrame *ahead; /* the frame after it; blank: the end, or not decoded yet */
    int64_t held_slot, ahead_slot;
    int64_t next; /* the slot to show next; NOWHERE */
    bool is_ended;
    bool is_shown; /* what is shown next was shown already */
    bool is_fresh; /* nothing was read yet: stands at the start */
};

static bool is_blank(const AVFrame *frame)
{
    return frame->buf[0] == NULL;
}

static int64_t slot_of(const struct pictures *pictures, int64_t ns)
{
    const struct plan *plan = pictures->plan;
    int64_t since = ns - plan->tracks[pictures->track].first_ns;
    return pictures->first_slot +
           av_rescale(since, plan->fps_num, (int64_t) plan->fps_den * NS_PER_S);
}

/* The last time that falls into `slot`. */
static int64_t end_of_slot(const struct pictures *pictures, int64_t slot)
{
    const struct plan *plan = pictures->plan;
    int64_t halves = 2 * (slot - pictures->first_slot) + 1;
    return plan->tracks[pictures->track].first_ns - 1 +
           av_rescale(halves, (int64_t) plan->fps_den * NS_PER_S, 2 * (int64_t) plan->fps_num);
}

enum err pictures_open(struct input *input, const struct plan *plan, uint32_t track,
                       uint32_t threads, const struct asker *asker, struct pictures **out,
                       struct why *why)
{
    struct decoder *decoder = NULL;
    enum err err = decoder_open(input, plan, track, threads, asker, &decoder, why);
    if (err != OK)
        return err;
    struct pictures *pictures = mem_new(struct pictures);
    int64_t first_ns = plan->tracks[track].first_ns - plan->t0_ns;
    int64_t first_ticks = av_rescale(first_ns, plan->timescale, NS_PER_S);
    *pictures = (struct pictures){.plan = plan, .track = track, .decoder = decoder};
    pictures->first_slot = plan_ticks_to_frame(plan, first_ticks);
    pictures->held = av_frame_alloc();
    pictures->ahead = av_frame_alloc();
    pictures->next = NOWHERE;
    pictures->is_fresh = true;
    MUST(pictures->held != NULL && pictures->ahead != NULL);
    *out = pictures;
    return OK;
}

void pictures_close(struct pictures **pictures)
{
    struct pictures *old = *pictures;
    *pictures = NULL;
    if (old == NULL)
        return;
    av_frame_free(&old->held);
    av_frame_free(&old->ahead);
    decoder_close(&old->decoder);
    mem_free(old);
}

void pictures_set_asker(struct pictures *pictures, const struct asker *asker)
{
    decoder_set_asker(pictures->decoder, asker);
}

uint32_t pictures_track(const struct pictures *pictures)
{
    return pictures->track;
}

int64_t pictures_next_slot(const struct pictures *pictures)
{
    return pictures->next;
}

/* Fills `ahead` with the next frame that is not older than the one held. */
static enum err look_ahead(struct pictures *pictures)
{
    int late = 0;
    while (!pictures->is_ended && is_blank(pictures->ahead)) {
        int64_t ns = 0;
        enum err err = decoder_next(pictures->decoder, pictures->ahead, &ns);
        if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA || late > MAX_LATE_FRAMES)
            pictures->is_ended = true;
        else if (err != OK)
            return err;
        pictures->ahead_slot = slot_of(pictures, ns);
        bool is_late = !is_blank(pictures->held) && pictures->ahead_slot < pictures->held_slot;
        if (is_late || pictures->is_ended)
            av_frame_unref(pictures->ahead);
        late += is_late;
    }
    return OK;
}

/* Makes `held` what `slot` shows, as far as frames at or before it were decoded. */
static enum err advance(struct pictures *pictures, int64_t slot)
{
    for (;;) {
        enum err err = look_ahead(pictures);
        if (err != OK)
            return err;
        if (is_blank(pictures->ahead) || pictures->ahead_slot > slot)
            return OK;
        av_frame_unref(pictures->held);
        av_frame_move_ref(pictures->held, pictures->ahead);
        pictures->held_slot = pictures->ahead_slot;
        pictures->is_shown = false;
    }
}

static void forget(struct pictures *pictures)
{
    av_frame_unref(pictures->held);
    av_frame_unref(pictures->ahead);
    pictures->is_ended = false;
    pictures->next = NOWHERE;
}

/* Decodes up to `slot` from a key at or before `ns`. AGAIN: nothing at or before it came. */
static enum err try_from(struct pictures *pictures, int64_t ns, int64_t slot, bool hurry)
{
    forget(pictures);
    enum err err = decoder_seek(pictures->decoder, ns, end_of_slot(pictures, slot));
    if (err != OK)
        return err;
    int64_t exact_ns = end_of_slot(pictures, slot) - HURRY_SPARES_NS;
    if (hurry)
        decoder_hurry_until(pictures->decoder, exact_ns);
    err = advance(pictures, slot);
    if (err != OK)
        return err;
    if (is_blank(pictures->held))
        return ERR_AGAIN;
    /* Held across a gap, it may be older than a frame that was left out. */
    if (hurry && pictures->held_slot <= slot_of(pictures, exact_ns))
        return try_from(pictures, ns, slot, false);
    return OK;
}

static enum err try_from_start(struct pictures *pictures, int64_t slot)
{
    forget(pictures);
    enum err err = decoder_rewind(pictures->decoder);
    return err == OK ? advance(pictures, slot) : err;
}

static enum err find_slot(struct pictures *pictures, int64_t slot)
{
    bool is_fresh = pictures->is_fresh;
    pictures->is_fresh = false;
    if (is_fresh && slot <= pictures->first_slot)
        return try_from_start(pictures, slot);
    int64_t ns = end_of_slot(pictures, slot);
    enum err err = ERR_AGAIN;
    for (size_t i = 0; i < BACK_COUNT && (err == ERR_AGAIN || err == ERR_NOT_FOUND); i++)
        err = try_from(pictures, ns - back_ns[i], slot, true);
    return err == ERR_AGAIN || err == ERR_NOT_FOUND ? try_from_start(pictures, slot) : err;
}

enum err pictures_start(struct pictures *pictures, int64_t slot, struct why *why)
{
    bool is_there = pictures->next == slot || pictures->next == slot + 1;
    pictures->is_shown = false;
    if (is_there && pictures->next != NOWHERE) {
        pictures->next = slot;
        return OK;
    }
    /* What is shown before the first frame is the first frame. */
    int64_t shown = slot > pictures->first_slot ? slot : pictures->first_slot;
    enum err err = find_slot(pictures, shown);
    if (err == OK && is_blank(pictures->held) && is_blank(pictures->ahead))
        return why_set(why, ERR_BAD_MEDIA, NULL, "no picture could be decoded");
    if (err == OK)
        pictures->next = slot;
    return err;
}

enum err pictures_show(struct pictures *pictures, const struct AVFrame **out, bool *is_new)
{
    MUST(pictures->next != NOWHERE);
    enum err err = advance(pictures, pictures->next);
    if (err != OK)
        return err;
    *out = is_blank(pictures->held) ? pictures->ahead : pictures->held;
    *is_new = !pictures->is_shown;
    pictures->is_shown = true;
    pictures->next++;
    return OK;
}

const struct AVFrame *pictures_peek(const struct pictures *pictures)
{
    bool is_next = !is_blank(pictures->ahead) && pictures->ahead_slot <= pictures->next;
    return is_next || is_blank(pictures->held) ? pictures->ahead : pictures->held;
}
