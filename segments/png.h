/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures with a palette as PNG (ISO 15948). Threads: any. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Appends the file. `palette`: 0xAARRGGBB. BAD_MEDIA: no encoder takes such a picture. */
MUST_CHECK enum err png_write(const uint8_t *pixels, uint32_t width, uint32_t height,
                              const uint32_t palette[256], struct str *out);
