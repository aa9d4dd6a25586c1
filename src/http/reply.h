/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What replies are made of; the face is in http.h. Worker's loop. */
#pragma once

#include "http/server.h"

/* Status, type (may be NULL) and the headers that follow from them. */
void reply_begin(struct request *request, int status, const char *content_type);
/* Begins and sends. `body` lives as long as the request. */
void reply_lent(struct request *request, int status, const char *content_type, struct slice body);
/* To a request that was given up: nobody is likely to read it. */
void reply_last_words(struct request *request);
/* For h2o: adds the headers that all replies bear, h2o's own too. */
void reply_add_common(h2o_filter_t *filter, h2o_req_t *h2o, h2o_ostream_t **slot);
/* True when a header was set before. */
bool reply_has_header(const struct request *request, const char *name);
/* 304 with `etag` when If-None-Match has it. */
bool reply_not_modified(struct request *request, const char *etag);
/* Part or all of `body`, as the range asked for says: 200, 206 or 416. */
void reply_ranged(struct request *request, const char *content_type, const char *etag,
                  struct slice body);
