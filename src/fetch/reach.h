/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which addresses may be asked on behalf of somebody who named a URL (decision 39): those that are
 * globally reachable by IANA's special-purpose registries (RFC 6890), and none of this machine.
 * Threads: any. */
#pragma once

#include <stdbool.h>

#include "http/address.h"

/* IPv4 inside of IPv6 (mapped, NAT64, 6to4) is judged as what it leads to. What the registries call
 * globally reachable only in part is not. */
bool reach_is_global(const struct address *address);
/* An interface of this machine has it; true too where the interfaces cannot be asked. */
bool reach_is_own(const struct address *address);
