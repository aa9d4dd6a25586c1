/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks whether loops, or what they look after, still answer; outlives its asker when one is slow.
 * Life: heartbeat_new -> heartbeat_answer by each party, once -> heartbeat_wait by the asker, once;
 * in any order. Threads: any; the asker's must be none that a party needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct heartbeat;

struct heartbeat *heartbeat_new(unsigned parties);
/* A party's word; *heartbeat is NULL afterwards. */
void heartbeat_answer(struct heartbeat **heartbeat, bool is_well);
/* True when all have answered within `timeout_ms`, and are well; *heartbeat is NULL afterwards. */
bool heartbeat_wait(struct heartbeat **heartbeat, int64_t timeout_ms);
