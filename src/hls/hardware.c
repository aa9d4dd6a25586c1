/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/hardware.h"

#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hls/hub.h"

enum {
    MOST_DEVICES = 16, /* that are tried */
    MOST_FILMS = 256,  /* that go without, remembered; then the oldest has another try */
    MOST_FAILED = 3,   /* films, one after the other: then it is the device, not they */
};

struct hardware {
    struct hls *hls;
    /* the hub's loop */
    char *names[MOST_DEVICES];
    size_t count, next;
    bool is_waiting; /* for a zygote, to try the next one */
    bool is_off;     /* fixed after new */
    /* under lock */
    pthread_mutex_t lock;
    unsigned failed; /* films, since it made a segment of any */
    bool is_on;
    struct film_device device;
    struct str words;
    char without[MOST_FILMS][FILM_ID_SIZE];
    size_t without_count, without_next;
};

/* Of each node what is likely to be there, the surest first. */
static const struct {
    const char *nodes, *kind;
} usual[] = {
    {"/dev/nvidia[0-9]*", "nvenc"},
    {"/dev/dri/renderD*", "vaapi"},
    {"/dev/dri/renderD*", "qsv"},
    {"/dev/video1[0-9]", "v4l2m2m"},
};

static void add(struct hardware *hardware, const char *name, size_t length)
{
    if (length > 0 && length < sizeof hardware->device.name && hardware->count < MOST_DEVICES)
        hardware->names[hardware->count++] = mem_strndup(name, length);
}

static void find_devices(struct hardware *hardware, const char *mark)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        glob_t found;
        if (glob(usual[i].nodes, 0, NULL, &found) != 0)
            continue;
        for (size_t n = 0; n < found.gl_pathc; n++) {
            CLEANUP(str_fini) struct str name = {0};
            str_printf(&name, "%s%s:%s", usual[i].kind, mark, found.gl_pathv[n]);
            add(hardware, str_text(&name), name.length);
        }
        globfree(&found);
    }
}

struct hardware *hardware_new(struct hls *hls, const char *setting)
{
    struct hardware *hardware = mem_new(struct hardware);
    hardware->hls = hls;
    MUST(pthread_mutex_init(&hardware->lock, NULL) == 0);
    if (setting == NULL || strcmp(setting, "off") == 0) {
        hardware->is_off = true;
        str_puts(&hardware->words, "off");
        return hardware;
    }
    str_puts(&hardware->words, "not tried yet");
    if (strcmp(setting, "auto") == 0 || strcmp(setting, "auto+hevc") == 0) {
        find_devices(hardware, setting + strlen("auto"));
        return hardware;
    }
    for (const char *at = setting; *at != '\0';) {
        size_t length = strcspn(at, ",");
        add(hardware, at, length);
        at += length + (at[length] == ',');
    }
    return hardware;
}

void hardware_free(struct hardware **hardware)
{
    struct hardware *gone = *hardware;
    *hardware = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < gone->count; i++)
        mem_free(gone->names[i]);
    str_fini(&gone->words);
    pthread_mutex_destroy(&gone->lock);
    mem_free(gone);
}

/* --- trying --- */

static void set_words(struct hardware *hardware, const char *words)
{
    pthread_mutex_lock(&hardware->lock);
    str_clear(&hardware->words);
    str_append_utf8(&hardware->words, words, strlen(words));
    pthread_mutex_unlock(&hardware->lock);
}

static void try_next(struct hardware *hardware);

static void on_tried(void *ctx, const struct media_device *device, const struct why *why)
{
    struct hardware *hardware = ctx;
    const char *name = hardware->names[hardware->next++];
    if (device == NULL) {
        MUST(why != NULL);
        log_info("hardware.no", log_str("device", name), log_str("why", why->text));
        set_words(hardware, why->text);
        try_next(hardware);
        return;
    }
    log_info("hardware", log_str("encoder", device->words),
             log_int("samples_per_s", (int64_t) device->plan.speed));
    set_words(hardware, device->words);
    pthread_mutex_lock(&hardware->lock);
    snprintf(hardware->device.name, sizeof hardware->device.name, "%s", name);
    memcpy(hardware->device.words, device->words, sizeof hardware->device.words);
    hardware->device.plan = device->plan;
    hardware->is_on = true;
    pthread_mutex_unlock(&hardware->lock);
}

static void try_next(struct hardware *hardware)
{
    hardware->is_waiting = false;
    if (hardware->next < hardware->count &&
        media_host_try(hardware->hls->host, hardware->names[hardware->next], on_tried, hardware) !=
            OK) {
        hardware->is_waiting = true;
        set_words(hardware, "the media process is being started again");
    }
}

void hardware_start(struct hardware *hardware)
{
    if (hardware->is_off)
        return;
    if (hardware->count == 0) {
        log_info("hardware.no", log_str("why", "there is no device"));
        set_words(hardware, "there is no device");
    }
    try_next(hardware);
}

void hardware_tick(struct hardware *hardware)
{
    if (hardware->is_waiting)
        try_next(hardware);
}

/* --- using --- */

static bool goes_without(const struct hardware *hardware, const char *file)
{
    for (size_t i = 0; i < hardware->without_count; i++)
        if (strcmp(hardware->without[i], file) == 0)
            return true;
    return false;
}

bool hardware_for(struct hardware *hardware, const char *file, struct film_device *out)
{
    pthread_mutex_lock(&hardware->lock);
    bool is_on = hardware->is_on && !goes_without(hardware, file);
    if (is_on)
        *out = hardware->device;
    pthread_mutex_unlock(&hardware->lock);
    return is_on;
}

/* Under the lock. */
static void turn_off(struct hardware *hardware)
{
    hardware->is_on = false;
    str_clear(&hardware->words);
    str_printf(&hardware->words, "%s failed %u films, one after the other", hardware->device.words,
               hardware->failed);
    log_error("hardware.off", log_str("why", str_text(&hardware->words)));
}

void hardware_give_up(struct hardware *hardware, const char *file)
{
    pthread_mutex_lock(&hardware->lock);
    if (!goes_without(hardware, file)) {
        snprintf(hardware->without[hardware->without_next], FILM_ID_SIZE, "%s", file);
        hardware->without_next = (hardware->without_next + 1) % MOST_FILMS;
        hardware->without_count += hardware->without_count < MOST_FILMS ? 1 : 0;
    }
    if (++hardware->failed >= MOST_FAILED && hardware->is_on)
        turn_off(hardware);
    pthread_mutex_unlock(&hardware->lock);
}

void hardware_worked(struct hardware *hardware)
{
    pthread_mutex_lock(&hardware->lock);
    hardware->failed = 0;
    pthread_mutex_unlock(&hardware->lock);
}

void hardware_words(struct hardware *hardware, struct str *out)
{
    pthread_mutex_lock(&hardware->lock);
    str_append(out, hardware->words.at, hardware->words.length);
    pthread_mutex_unlock(&hardware->lock);
}
