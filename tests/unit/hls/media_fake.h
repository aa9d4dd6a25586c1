/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stage (media_stage.h) with the engine that misbehaves when told to (fake_engine.c). */
#pragma once

#include "../segments/fake_deeds.h"
#include "../segments/fake_plan.h"
#include "media_stage.h"
#include "segments/input.h"

#define FAKE_PROGRAM MATINEE_BINARY_DIR "/tests/matinee-media-fake"

enum { FAKE_FILM_BYTES = 20 * INPUT_BLOCK_BYTES };

/* For cmocka; *state is a struct stage. */
void fake_set_up_with(void **state, const struct media_options *options);
int fake_set_up(void **state);
int fake_set_up_impatient(void **state); /* what is silent for 0.6 s hangs */
int fake_tear_down(void **state);

/* A film that tells the engine what to do in segment FAKE_BAD. */
void fake_write_film(struct stage *stage, const char *deed);
enum err fake_open_with(struct stage *stage, bool with_plan, bool fresh);
void fake_open_film(struct stage *stage, const char *deed);
/* What a plain segment reads as. */
void fake_assert_segment(const struct heard *heard, uint32_t rendition, uint32_t n);
/* Runs until the zygote has told of the birth: by another socket, it may come after a segment. */
void fake_until_born(struct stage *stage);
/* Asks for a segment of sound and waits for it. */
void fake_make_one(struct stage *stage);
