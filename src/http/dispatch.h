/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way of a request: address, guard, route or page, handler. Worker's loop. */
#pragma once

#include "http/server.h"

void dispatch(struct request *request);
