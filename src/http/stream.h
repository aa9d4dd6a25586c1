/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies that are sent as they come to be; the face is in http.h. Worker's loop. */
#pragma once

#include "http/server.h"

/* The request is being freed: the source is told, the stream is freed. */
void stream_detach(struct stream *stream);
/* Nothing of it is on its way: the source has yet to write. */
bool stream_is_waiting(const struct stream *stream);
