/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles that lie beside a film, found by their names alone: "Film.srt", "Film.en.forced.srt",
 * "Film.sdh.ass", and those in Subs/ or Subtitles/. What is in them is for a media process to read.
 * Threads: any; a list is immutable and counted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { BESIDE_ID_SIZE = 16, BESIDE_MOST = 64 };
#define BESIDE_PREFIX "beside-"

struct beside_file {
    char id[BESIDE_ID_SIZE]; /* "beside-0a1b2c3d", of its name */
    char *name;              /* from the film's folder on: "Subs/2_English.srt" */
    char *path;
    char language[8]; /* BCP 47; "und" where the name says none */
    char *title;      /* what else the name says; UTF-8, may be "" */
    bool is_forced, is_sdh;
    char format[4]; /* "srt" "ass" "vtt": as its name ends */
    uint64_t size;
    int64_t mtime_ns;
};

struct beside;

/* Reads the folders. Never NULL; empty where nothing is found or can be read. Blocks. */
struct beside *beside_find(const char *film_path);
struct beside *beside_new_empty(void);
struct beside *beside_ref(struct beside *beside);
/* NULL is accepted. */
void beside_unref(struct beside **beside);

/* In order of name, lent. */
const struct beside_file *beside_files(const struct beside *beside, size_t *count);
/* NULL: there is none. */
const struct beside_file *beside_get(const struct beside *beside, struct slice id);
/* The film it was looked for beside; "" of an empty one. Lent. */
const char *beside_film(const struct beside *beside);

/* What a name says of a subtitle of the film whose name without its ending is `stem`. False: it is none
 * of that film's. `alone`: the folder is one of that film alone, and its name may be anything. For
 * tests. */
bool beside_read_name(const char *name, const char *stem, bool alone, struct beside_file *out);
void beside_file_fini(struct beside_file *file);
