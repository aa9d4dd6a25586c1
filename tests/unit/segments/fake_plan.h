/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small valid plan for tests of processes: 40 s, ten segments, two rungs of video and a sound. */
#pragma once

#include "segments/plan.h"

enum { FAKE_VIDEO_720, FAKE_VIDEO_480, FAKE_SOUND, FAKE_RENDITIONS, FAKE_SEGMENTS = 10 };

struct plan *fake_plan(uint64_t source_size);
