/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libuv closes descriptors by syscall(SYS_close), which ThreadSanitizer does not see: it would take the
 * number, used again, for the old descriptor, and tell of races between two that never met. Builds with
 * the sanitizer link this in place of the C library's function.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long syscall_fn(long number, long a, long b, long c, long d, long e, long f);

__attribute__((visibility("default"))) long syscall(long number, ...)
{
    static syscall_fn *next; /* two threads may both look: they find the same */
    long args[6];
    va_list list;
    va_start(list, number);
    for (unsigned i = 0; i < 6; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_close)
        return close((int) args[0]);
    syscall_fn *found = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (!found) {
        *(void **) &found = dlsym(RTLD_NEXT, "syscall");
        __atomic_store_n(&next, found, __ATOMIC_RELAXED);
    }
    return found(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
