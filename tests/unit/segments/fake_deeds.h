/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What fake_engine.c can be told to do, and in which segment it does it. */
#pragma once

enum { FAKE_BAD = 1 };

#define FAKE_DEEDS(D)                                                                              \
    D(plain)                                                                                       \
    D(crash)                                                                                       \
    D(abort)                                                                                       \
    D(hang)                                                                                        \
    D(memory)                                                                                      \
    D(slow)                                                                                        \
    D(fail)                                                                                        \
    D(verdict)                                                                                     \
    D(open)                                                                                        \
    D(socket)                                                                                      \
    D(exec)                                                                                        \
    D(fork)                                                                                        \
    D(garbage)                                                                                     \
    D(unknown_job)                                                                                 \
    D(opened_twice)                                                                                \
    D(lying_want)                                                                                  \
    D(unwritten)                                                                                   \
    D(outside)                                                                                     \
    D(pass_fd)                                                                                     \
    D(big)                                                                                         \
    D(chatter)                                                                                     \
    D(read)
