/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the picture can be copied, and where its copy is cut (decisions 6, 9, 11, 13). */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "segments/codec.h"
#include "segments/nal.h"
#include "segments/packet.h"
#include "segments/planner.h"

/* Keys that are looked at when the film is opened; the rest when produced. */
#define SAMPLES 5
/* A parameter set and the head of the picture after it; more only where SEI stand before. */
#define SAMPLE_BYTES      (4 * 1024)
#define SAMPLE_BYTES_MOST (256 * 1024)
#define KEY_SEARCH        4096

#define H264_BASELINE 66
#define H264_MAIN     77
#define H264_HIGH     100
#define H264_LEVEL    52
#define HEVC_MAIN     1
#define HEVC_MAIN10   2

static const char *judge_h264(const struct nal_video *video)
{
    bool is_known = video->profile == H264_BASELINE || video->profile == H264_MAIN ||
                    video->profile == H264_HIGH;

    if (!is_known || video->chroma_format != 1 || video->bit_depth != 8)
        return "its H.264 is not 8 bit 4:2:0 of the Baseline, Main or High profile";
    if (!video->is_frames_only)
        return "it is interlaced";
    if (video->level > H264_LEVEL)
        return "its H.264 level is above 5.2";
    return NULL;
}

static const char *judge_hevc(const struct nal_video *video)
{
    if ((video->profile != HEVC_MAIN && video->profile != HEVC_MAIN10) ||
        video->chroma_format != 1 || video->bit_depth > 10)
        return "its HEVC is not of the Main or Main 10 profile";
    if (!video->is_frames_only)
        return "it is interlaced";
    return NULL;
}

static const char *judge_nal(struct plan_track *track)
{
    struct nal_config config;

    if (nal_config_read(track->codec, track->extradata, track->extradata_size, &config) != OK)
        return "its headers cannot be read";
    if (config.set_count == 0 || !config.has_video)
        return "its parameter sets stand between the pictures, not in the header";
    return track->codec == CODEC_H264 ? judge_h264(&config.video) : judge_hevc(&config.video);
}

/* av1C: Main profile is 4:2:0, 8 or 10 bit. */
static const char *judge_av1(const struct plan_track *track)
{
    if (track->extradata_size < 4 || track->extradata[0] != 0x81)
        return "its headers cannot be read";
    return track->extradata[1] >> 5 == 0 ? NULL : "its AV1 is not of the Main profile";
}

static const char *judge_vp9(struct planner *p)
{
    const struct head *head = &p->heads[p->video];
    struct codec_vp9 vp9;

    if (head->packet == NULL || codec_vp9_parse(head->packet, head->packet_size, &vp9) != OK)
        return "its first frame is no key frame";
    return vp9.is_420 ? NULL : "its VP9 is not 4:2:0";
}

static const char *judge_codec(struct planner *p)
{
    struct plan_track *track = planner_video(p);

    switch (track->codec) {
    case CODEC_H264:
    case CODEC_HEVC:
        return judge_nal(track);
    case CODEC_AV1:
        return judge_av1(track);
    case CODEC_VP9:
        return judge_vp9(p);
    case CODEC_OTHER:
    case CODEC_AAC:
    case CODEC_AC3:
    case CODEC_EAC3:
    case CODEC_FLAC:
    case CODEC_OPUS:
    case CODEC_MP3:
    case CODEC_COUNT:
        break;
    }
    return "no browser plays its codec";
}

static const char *judge_track(struct planner *p)
{
    const struct plan_track *track = planner_video(p);
    const char *objection = container_copy_objection(p->container, (uint32_t) p->video);

    if (objection[0] != '\0')
        return objection;
    if (track->rotation != 0 || track->flip)
        return "it must be turned to stand upright";
    if (track->crop_left + track->crop_right + track->crop_top + track->crop_bottom > 0)
        return "its edges are to be cut off";
    if (track->is_interlaced)
        return "it is interlaced";
    return judge_codec(p);
}

static enum err fetch_keys(struct planner *p)
{
    uint32_t video = (uint32_t) p->video;
    struct why why = {0};
    enum err err = container_keys(p->container, &p->reader, video, &p->keys, &p->key_count, &why);

    if (err != ERR_NOT_FOUND)
        return err;
    p->plan->wants_scan = true;
    if (!input_is_whole(p->reader.input)) {
        planner_refuse_copy(planner_video(p), "it has no index, and is not all there yet");
        return ERR_NOT_FOUND;
    }
    if (!p->job->scan) {
        planner_refuse_copy(planner_video(p),
                            "it has no index: it is read through for one, and copied after that");
        return ERR_NOT_FOUND;
    }
    p->plan->wants_scan = false;
    log_info("segments.scan", log_str("why", why.text));
    return container_scan(p->container, &p->reader, video, planner_scanned, p, &p->keys,
                          &p->key_count);
}

/* Ticks from T0; false where they do not rise with the file. */
static bool key_times(const struct planner *p, int64_t *ticks)
{
    const struct plan *plan = p->plan;

    for (size_t i = 0; i < p->key_count; i++) {
        ticks[i] = plan_source_to_ticks(plan, p->keys[i].pts_ns, plan->timescale);
        if (i > 0 && (ticks[i] <= ticks[i - 1] || p->keys[i].pos < p->keys[i - 1].pos))
            return false;
    }
    return true;
}

static enum err choose_cuts(struct planner *p)
{
    struct plan *plan = p->plan;
    CLEANUP(mem_free_at) int64_t *ticks = mem_new_array(int64_t, p->key_count + 1);
    CLEANUP(mem_free_at) uint32_t *indexes = NULL;
    CLEANUP(mem_free_at) uint32_t *chosen = NULL;
    struct why why = {0};

    if (!key_times(p, ticks)) {
        planner_refuse_copy(planner_video(p), "its timestamps jump back");
        return ERR_NOT_FOUND;
    }
    if (plan_choose_copy_cuts(ticks, p->key_count, plan->end, plan->timescale, &indexes,
                              &plan->copy_count, &why) != OK) {
        planner_refuse_copy(planner_video(p), "%s", why.text);
        return ERR_NOT_FOUND;
    }
    plan->copy_cuts = mem_new_array(int64_t, plan->copy_count);
    plan->copy_pos = mem_new_array(uint64_t, plan->copy_count);
    for (uint32_t i = 0; i < plan->copy_count; i++) {
        plan->copy_cuts[i] = i == 0 ? 0 : ticks[indexes[i]];
        plan->copy_pos[i] = p->keys[indexes[i]].pos;
    }
    plan_choose_keys(ticks, p->key_count, plan->end, plan->timescale, indexes, plan->copy_count,
                     &chosen, &plan->key_count);
    plan->keys = mem_new_array(int64_t, plan->key_count);
    plan->key_pos = mem_new_array(uint64_t, plan->key_count);
    for (uint32_t i = 0; i < plan->key_count; i++) {
        plan->keys[i] = i == 0 ? 0 : ticks[chosen[i]];
        plan->key_pos[i] = p->keys[chosen[i]].pos;
    }
    return OK;
}

/* The packet of cut `n`. NOT_FOUND: the index names a key that is not there. */
static enum err find_key(struct planner *p, uint32_t n, struct packet *out)
{
    const struct plan *plan = p->plan;
    struct cursor *cursor = NULL;
    enum err err =
        cursor_open(p->container, &p->reader, UINT64_C(1) << p->video, plan->copy_pos[n], &cursor);

    if (err != OK)
        return err;
    for (int i = 0; i < KEY_SEARCH; i++) {
        int64_t ticks;
        err = cursor_next(cursor, out);
        if (err != OK)
            break;
        ticks = plan_source_to_ticks(plan, out->pts_ns, plan->timescale);
        if (out->is_key && (n == 0 || ticks >= plan->copy_cuts[n])) {
            err = n == 0 || ticks == plan->copy_cuts[n] ? OK : ERR_NOT_FOUND;
            break;
        }
        err = ERR_NOT_FOUND;
    }
    cursor_close(&cursor);
    return err;
}

static enum err judge_key(struct planner *p, const struct nal_config *config,
                          const struct packet *packet)
{
    enum nal_key kind = NAL_KEY_NONE;
    size_t whole = (size_t) packet->size + packet->prefix_size;
    enum err err = ERR_AGAIN;

    for (size_t limit = SAMPLE_BYTES; limit <= SAMPLE_BYTES_MOST && err == ERR_AGAIN; limit *= 8) {
        CLEANUP(str_fini) struct str bytes = {0};
        const uint8_t *at;
        err = packet_read(&p->reader, packet, limit, &bytes);
        if (err != OK)
            return err;
        at = (const uint8_t *) str_text(&bytes);
        err = nal_key_type(config, at, bytes.length, whole, &kind);
        if (nal_sets_changed(config, at, bytes.length)) {
            planner_refuse_copy(planner_video(p), "its parameter sets change");
            return ERR_NOT_FOUND;
        }
    }
    if (err != OK || kind == NAL_KEY_NONE) {
        planner_refuse_copy(planner_video(p), "not every key frame is one to start from (IDR)");
        return ERR_NOT_FOUND;
    }
    p->is_open_gop = p->is_open_gop || kind == NAL_KEY_OPEN;
    return OK;
}

/* At once where the bytes are there; those of a download come with the segments. */
static enum err sample_key(struct planner *p, const struct nal_config *config, uint32_t n)
{
    struct packet packet;
    enum err err;

    if (n > 0 && !reader_has(&p->reader, p->plan->copy_pos[n], SAMPLE_BYTES) &&
        p->plan->container == CONTAINER_MKV)
        return OK;
    err = find_key(p, n, &packet);
    if (err == OK && n > 0 && !reader_has(&p->reader, packet.offset, SAMPLE_BYTES) &&
        !input_is_whole(p->reader.input))
        return OK;
    if (err == ERR_NOT_FOUND || err == ERR_BAD_MEDIA) {
        planner_refuse_copy(planner_video(p), "its index names key frames that are not there");
        return ERR_NOT_FOUND;
    }
    return err == OK && config != NULL ? judge_key(p, config, &packet) : err;
}

static enum err sample_keys(struct planner *p)
{
    const struct plan_track *track = planner_video(p);
    uint32_t count = p->plan->copy_count, last = count;
    bool is_nal = track->codec == CODEC_H264 || track->codec == CODEC_HEVC;
    struct nal_config config;

    if (is_nal &&
        nal_config_read(track->codec, track->extradata, track->extradata_size, &config) != OK)
        return ERR_BAD_MEDIA; /* was judged before */
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint32_t n = (uint32_t) ((uint64_t) (count - 1) * i / (SAMPLES - 1));
        enum err err = n == last ? OK : sample_key(p, is_nal ? &config : NULL, n);
        if (err != OK)
            return err;
        last = n;
    }
    return OK;
}

static void drop_copy(struct plan *plan)
{
    mem_free(plan->copy_cuts);
    mem_free(plan->copy_pos);
    mem_free(plan->keys);
    mem_free(plan->key_pos);
    plan->copy_cuts = plan->keys = NULL;
    plan->copy_pos = plan->key_pos = NULL;
    plan->copy_count = plan->key_count = 0;
}

enum err plan_keys_read(struct planner *p)
{
    const char *objection = judge_track(p);
    enum err err;

    if (objection != NULL) {
        planner_refuse_copy(planner_video(p), "%s", objection);
        return OK;
    }
    err = fetch_keys(p);
    if (err == OK)
        err = choose_cuts(p);
    if (err == OK)
        err = sample_keys(p);
    if (err == OK)
        return OK;
    drop_copy(p->plan);
    planner_refuse_copy(planner_video(p), "its index cannot be read");
    return err == ERR_CANCELLED || err == ERR_IO ? err : OK;
}
