/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether one of our readers agrees with libavformat on whole films: those of the corpus, and films
 * made in a folder. Included by mkv_test.c and mp4_test.c only. */
#pragma once

#include "reference.h"

#define NS INT64_C(1000000000)

/* What made films are made of. */
#define PICTURES "-f lavfi -i testsrc2=s=320x180:r=24000/1001"
#define TONE     "-f lavfi -i sine=440:r=48000"
#define X264     "-c:v libx264 -preset ultrafast -bf 3 -g 24 -keyint_min 24 -sc_threshold 0"
#define FF       "ffmpeg -y -v error "

static UNUSED void path_of(const char *folder, char out[1024], const char *name)
{
    snprintf(out, 1024, "%s/%s", folder, name);
}

/* All tracks that `is_compared` (NULL: all), packet by packet. */
typedef bool film_track_fn(struct film *film, uint32_t track);
static UNUSED void compare_tracks(struct film *film, const char *path, film_track_fn *is_compared,
                                  struct comparison *comparison)
{
    uint32_t count;
    const struct plan_track *tracks = container_tracks(film->container, &count);
    for (uint32_t i = 0; i < count; i++) {
        compare_fields(film, path, i, comparison);
        if (tracks[i].kind != PLAN_SUBTITLE && (is_compared == NULL || is_compared(film, i)))
            compare_track(film, path, i, comparison);
    }
}

/* All files of the corpus with one of the endings; how many of them our reader did not open. */
static UNUSED unsigned compare_files(const char *const *endings, film_track_fn *is_compared)
{
    CLEANUP(mem_free_at) char *corpus = corpus_folder();
    if (corpus == NULL)
        skip();
    DIR *listing = opendir(corpus);
    const struct dirent *entry;
    struct comparison all = {0};
    unsigned refused = 0;
    while ((entry = readdir(listing)) != NULL) {
        char path[1024];
        struct film film;
        if (!has_ending(entry->d_name, endings))
            continue;
        path_of(corpus, path, entry->d_name);
        open_film(path, &film);
        if (film.result == OK) {
            compare_tracks(&film, path, is_compared, &all);
        } else {
            print_message("%s: %s %s\n", entry->d_name, err_name(film.result), film.why.text);
            refused++;
        }
        close_film(&film);
    }
    closedir(listing);
    print_message("%u packets, %u untimed\n", all.packets, all.untimed);
    assert_true(all.packets > 4000);
    assert_int_equal(all.differences, 0);
    return refused;
}

static UNUSED void open_made(const char *folder, const char *name, struct film *film)
{
    char path[1024];
    path_of(folder, path, name);
    open_film(path, film);
    assert_int_equal(film->result, OK);
}

/* A film made in the folder, of at least so many packets. */
static UNUSED void compare_film(const char *folder, const char *name, unsigned least_packets)
{
    char path[1024];
    struct film film;
    struct comparison all = {0};
    path_of(folder, path, name);
    open_made(folder, name, &film);
    compare_tracks(&film, path, NULL, &all);
    close_film(&film);
    assert_true(all.packets >= least_packets);
    assert_int_equal(all.differences, 0);
}
