/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Range headers (RFC 9110 14.2), apart from requests. Pure. Threads: any. */
#pragma once

#include "http/http.h"

/* As request_range, for the text of the header; absent = the whole. */
MUST_CHECK enum err range_parse(struct slice header, uint64_t size, struct range *out);
