/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lab.h"

#include <fcntl.h>
#include <libavutil/log.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "segments/init.h"

extern char **environ;

#define MAX_WORDS 128

static void spawn(char *const words[])
{
    pid_t pid;
    int status = 0;
    assert_int_equal(posix_spawnp(&pid, words[0], NULL, NULL, words, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        print_error("%s ... %s\n", words[0], words[1]);
    assert_int_equal(status, 0);
}

void lab_init(struct lab *lab)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(lab->folder, sizeof lab->folder, "%s/matinee-lab-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(lab->folder));
    av_log_set_level(AV_LOG_FATAL);
}

void lab_fini(struct lab *lab)
{
    char rm[] = "rm", flags[] = "-rf";
    char *words[] = {rm, flags, lab->folder, NULL};
    spawn(words);
}

const char *lab_path(struct lab *lab, const char *name)
{
    snprintf(lab->path, sizeof lab->path, "%s/%s", lab->folder, name);
    return lab->path;
}

void lab_run(const struct lab *lab, const char *text)
{
    struct str words = {0};
    char *list[MAX_WORDS + 1];
    size_t count = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '@')
            str_puts(&words, lab->folder);
        else
            str_putc(&words, *at == ' ' ? '\0' : *at);
    }
    for (size_t at = 0; at < words.length && count < MAX_WORDS; at += strlen(words.at + at) + 1)
        if (words.at[at] != '\0')
            list[count++] = words.at + at;
    list[count] = NULL;
    spawn(list);
    str_fini(&words);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct str text = {0};
    char buffer[4096];
    size_t got;

    assert_non_null(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        str_append(&text, buffer, got);
    fclose(file);
    return str_take(&text);
}

char *lab_frame_hashes(const struct lab *lab, const char *name)
{
    char words[2 * LAB_MAX_PATH];
    char *text, *line, *save = NULL;
    struct str hashes = {0};

    snprintf(words, sizeof words,
             "ffmpeg -v error -nostdin -y -i @/%s -map 0:v:0 -fps_mode passthrough -f framehash "
             "@/hashes.txt",
             name);
    lab_run(lab, words);
    snprintf(words, sizeof words, "%s/hashes.txt", lab->folder);
    text = read_text(words);
    for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        const char *hash = strrchr(line, ',');
        if (line[0] != '#' && hash != NULL) {
            str_puts(&hashes, hash);
            str_putc(&hashes, '\n');
        }
    }
    mem_free(text);
    return str_take(&hashes);
}

void lab_write(const struct lab *lab, const char *name, const struct str *bytes)
{
    char path[2 * LAB_MAX_PATH];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", lab->folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->at, 1, bytes->length, file), bytes->length);
    fclose(file);
}

/* The plan's own renditions make room for the test's. */
static void drop_renditions(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->rendition_count; i++)
        mem_free(plan->renditions[i].init);
    mem_free(plan->renditions);
    plan->renditions = mem_new_array(struct plan_rendition, 8);
    plan->rendition_count = 0;
}

/* As a film's process has it: read from bytes. */
static struct plan *through_bytes(struct plan **plan)
{
    struct plan *again = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct why why = {{0}, {0}};
    plan_write(*plan, &bytes, &size);
    if (plan_read(bytes, size, &again, &why) != OK)
        fail_msg("%s", why.text);
    mem_free(bytes);
    plan_free(plan);
    return again;
}

void film_open(struct film *film, const struct lab *lab, const char *name, uint32_t fps_num,
               uint32_t fps_den, const struct engine_options *options)
{
    struct why why = {{0}, {0}};
    struct stat status;
    *film = (struct film){0};
    snprintf(film->path, sizeof film->path, "%.200s/%s", lab->folder, name);
    int file = open(film->path, O_RDONLY | O_CLOEXEC), map = -1;
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(input_open(&file, &map, (uint64_t) status.st_size, NULL, NULL, &film->input),
                     OK);
    const struct engine_plan_job job = {.scan = true};
    if (engine_plan(film->input, options, &job, &film->plan, &why) != OK)
        fail_msg("%s: %s", name, why.text);
    film->plan = through_bytes(&film->plan);
    assert_int_equal(film->plan->fps_num, fps_num);
    assert_int_equal(film->plan->fps_den, fps_den);
    drop_renditions(film->plan);
    assert_int_equal(transcoder_open(film->input, film->plan, options, &film->transcoder), OK);
}

void film_reopen(struct film *film, const struct engine_options *options)
{
    transcoder_close(&film->transcoder);
    assert_int_equal(transcoder_open(film->input, film->plan, options, &film->transcoder), OK);
}

void film_close(struct film *film)
{
    transcoder_close(&film->transcoder);
    input_close(&film->input);
    plan_free(&film->plan);
}

static uint32_t find_track(const struct plan *plan, enum plan_kind kind)
{
    for (uint32_t i = 0; i < plan->track_count; i++)
        if (plan->tracks[i].kind == kind)
            return i;
    fail_msg("no such track");
    return 0;
}

static uint32_t add_rendition(struct film *film, const struct plan_rendition *start)
{
    static const struct engine_options options = {.threads = 2, .runs = 2};
    struct plan *plan = film->plan;
    struct plan_rendition *rendition = &plan->renditions[plan->rendition_count];
    struct transcode_description description = {0};
    struct why why = {{0}, {0}};
    *rendition = *start;
    rendition->bitrate = start->kind == PLAN_VIDEO
                             ? transcode_video_bitrate(plan, start, 0)
                             : transcode_audio_bitrate(start, start->channels * 64000 + 64000);
    if (transcode_describe(plan, rendition, &options, &description, &why) != OK)
        fail_msg("%s", why.text);
    rendition->delay = description.delay;
    struct init_track track = {.kind = rendition->kind,
                               .codec = rendition->kind == PLAN_VIDEO ? CODEC_H264 : CODEC_AAC,
                               .config = description.extradata,
                               .config_size = description.extradata_size,
                               .timescale = rendition->timescale,
                               .width = rendition->width,
                               .height = rendition->height,
                               .sar_num = 1,
                               .sar_den = 1,
                               .rate = rendition->timescale,
                               .channels = rendition->channels};
    struct str init = {0};
    if (init_write(&track, &init, &why) != OK)
        fail_msg("%s", why.text);
    rendition->init_size = (uint32_t) init.length;
    rendition->init = (uint8_t *) str_take(&init);
    transcode_description_fini(&description);
    return plan->rendition_count++;
}

uint32_t film_add_video(struct film *film, uint32_t width, uint32_t height)
{
    const struct plan_rendition rendition = {.name = "video",
                                             .kind = PLAN_VIDEO,
                                             .track = find_track(film->plan, PLAN_VIDEO),
                                             .timescale = film->plan->timescale,
                                             .width = width,
                                             .height = height};
    return add_rendition(film, &rendition);
}

uint32_t film_add_sound(struct film *film, uint32_t channels, bool is_night)
{
    uint32_t track = find_track(film->plan, PLAN_AUDIO);
    const struct plan_rendition rendition = {.name = "audio",
                                             .kind = PLAN_AUDIO,
                                             .track = track,
                                             .channels = channels,
                                             .is_night = is_night,
                                             .timescale =
                                                 transcode_audio_rate(&film->plan->tracks[track])};
    return add_rendition(film, &rendition);
}

uint32_t film_add_audio(struct film *film)
{
    return film_add_sound(film, 2, false);
}

struct gathered {
    struct str *bytes;
    size_t flushes;
};

static enum err gather_bytes(void *ctx, const void *bytes, size_t size)
{
    struct gathered *gathered = ctx;
    str_append(gathered->bytes, bytes, size);
    return OK;
}

static enum err gather_extent(void *ctx, uint64_t offset, uint64_t length)
{
    (void) ctx;
    (void) offset;
    (void) length;
    return ERR_BAD_INPUT;
}

static enum err gather_flush(void *ctx)
{
    struct gathered *gathered = ctx;
    gathered->flushes++;
    return OK;
}

size_t film_segment_parts(const struct film *film, uint32_t rendition, uint32_t n, struct str *out)
{
    static const struct sink_ops ops = {gather_bytes, gather_extent, gather_flush};
    struct gathered gathered = {.bytes = out};
    struct engine_output output = {.rendition = rendition, .sink = {&ops, &gathered}};
    if (film->plan->renditions[rendition].kind == PLAN_VIDEO)
        transcoder_video(film->transcoder, n, &output, 1, NULL, NULL, NULL, NULL);
    else
        transcoder_audio(film->transcoder, n, &output, NULL, NULL, NULL);
    if (output.result != OK)
        fail_msg("segment %u: %s: %s", n, err_name(output.result), output.why.text);
    return gathered.flushes;
}

void film_segment(const struct film *film, uint32_t rendition, uint32_t n, struct str *out)
{
    film_segment_parts(film, rendition, n, out);
}

void film_join(const struct film *film, uint32_t rendition, uint32_t from, uint32_t to,
               struct str *out)
{
    const struct plan_rendition *r = &film->plan->renditions[rendition];
    if (out->length == 0)
        str_append(out, r->init, r->init_size);
    for (uint32_t n = from; n < to; n++)
        film_segment(film, rendition, n, out);
}
