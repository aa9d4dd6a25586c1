/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a request; its accessors are in http.h. Worker's loop. */
#pragma once

#include "http/server.h"

/* For h2o: the handler of all requests. Never fails. */
/* As request_cookie. */
struct slice request_find_cookie(const h2o_req_t *h2o, const char *name);
int request_begin(h2o_handler_t *handler, h2o_req_t *h2o);
/* Ends those that are held while their client has left. h2o frees an HTTP/1 request only when it
 * sends or reads, and it does neither for one that is held. */
void requests_look(struct worker *worker);
/* Ends all of them. */
void requests_break(struct worker *worker);
