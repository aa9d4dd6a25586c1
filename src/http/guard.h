/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask what (decisions 29, 33-36). Each rule answers the request itself when it refuses.
 * Worker's loop. */
#pragma once

#include "http/server.h"

/* Finds out who asks from where: peer, proxies, scheme. No rule yet. */
void guard_look(struct request *request);
/* Host, forwarding headers, length of the target. False: answered. */
bool guard_address(struct request *request);
/* The rules of a route that was found: origin, body, sign-in. False: answered. */
bool guard_route(struct request *request);
/* --auth key: a page asked for with the right ?key= is redirected to itself without it, with the
 * cookie. True: answered. */
bool guard_key(struct request *request);
/* No valid cookie or key in the headers of `h2o`, whose body is not whole yet. */
bool guard_is_stranger(struct http *http, const h2o_req_t *h2o);
