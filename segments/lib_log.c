/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "segments/lib_log.h"

#include <fcntl.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "segments/wire.h"

/* libav's callback is the process's and has no context: the one state of this program that hangs on
 * nothing. */
static struct {
    /* fixed after start */
    int socket;
    /* under lock */
    pthread_mutex_t lock;
    int64_t second;
    unsigned said, left_out;
} mouth = {.socket = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Whether a line may be said now; `left_out` tells how many were not since the last. */
static bool may_speak(unsigned *left_out)
{
    pthread_mutex_lock(&mouth.lock);
    int64_t second = clock_mono_ms() / 1000;
    if (second != mouth.second) {
        mouth.second = second;
        mouth.said = 0;
    }
    bool may = mouth.said < LIB_LOG_A_SECOND;
    *left_out = 0;
    if (may) {
        mouth.said++;
        *left_out = mouth.left_out;
        mouth.left_out = 0;
    } else {
        mouth.left_out++;
    }
    pthread_mutex_unlock(&mouth.lock);
    return may;
}

__attribute__((format(printf, 3, 0))) static void on_line(void *object, int level,
                                                          const char *format, va_list args)
{
    unsigned left_out;
    if (level > AV_LOG_WARNING || mouth.socket < 0 || !may_speak(&left_out))
        return;
    struct wire_message message = {.kind = WIRE_LOG};
    message.log.level = level > AV_LOG_ERROR ? LOG_DEBUG : LOG_INFO;
    char line[WIRE_TEXT], text[WIRE_TEXT + 48];
    int prefix = 1;
    int length = av_log_format_line2(object, level, format, args, line, sizeof line, &prefix);
    while (length > 0 && length < (int) sizeof line && line[length - 1] == '\n')
        line[--length] = '\0';
    if (left_out > 0)
        snprintf(text, sizeof text, "(%u lines left out before) %s", left_out, line);
    else
        snprintf(text, sizeof text, "%s", line);
    wire_text(message.log.text, text);
    /* A server that does not listen has closed the socket: the main thread sees that too. */
    enum err kind UNUSED = wire_send(mouth.socket, &message);
}

void lib_log_start(int socket)
{
    mouth.socket = socket;
    av_log_set_callback(on_line);
}

void lib_log_silence_stderr(void)
{
#ifndef MATINEE_SANITIZE
    CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
#endif
}
