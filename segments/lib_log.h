/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libav and its libraries say, sent to the server as LOG messages: a process in the sandbox
 * has no other mouth. At most LIB_LOG_A_SECOND lines a second; what is left out is counted. */
#pragma once

enum { LIB_LOG_A_SECOND = 10 };

/* From now on, for the rest of the process. -1: says nothing, on stderr neither. */
void lib_log_start(int socket);
/* What drivers and other libraries write on stderr goes nowhere. Sanitizers say what they found there, all
 * others say it by the wire: not in their builds. */
void lib_log_silence_stderr(void);
