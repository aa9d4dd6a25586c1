/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each case locks a child down and lets it try one thing. */
#include "segments/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fd.h"

enum { FINE = 42 };

/* The status of a locked-down child that runs `act`; its exit code is what `act` answers. */
static int in_sandbox(int (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        sandbox_enter();
        _exit(act());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_killed(int (*act)(void))
{
    int status = in_sandbox(act);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
        fail_msg("it lived on: status %x", (unsigned) status);
}

/* `act` answers with an errno, or 0 when it succeeded. */
static void assert_refused(int (*act)(void), int number)
{
    int status = in_sandbox(act);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != number)
        fail_msg("status %x instead of %d", (unsigned) status, number);
}

static int answer(long result)
{
    return result < 0 ? errno : 0;
}

static int try_socket(void)
{
    return answer(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_unix_socket(void)
{
    return answer(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_exec(void)
{
    return answer(execl("/bin/true", "true", (char *) NULL));
}

static int try_fork(void)
{
    return answer(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int try_clone_vm(void)
{
    return answer(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
}

static int try_kill_parent(void)
{
    return answer(kill(1, 0));
}

static int try_ptrace(void)
{
    return answer(syscall(SYS_ptrace, 0, 0, 0, 0));
}

static int try_mount(void)
{
    return answer(syscall(SYS_unshare, 0x10000000));
}

static int try_unlink(void)
{
    return answer(unlink("/tmp/nothing-that-is-there"));
}

static int try_io_uring(void)
{
    return answer(syscall(SYS_io_uring_setup, 1, NULL));
}

static void case_24_kills_who_reaches_out(void **state UNUSED)
{
    assert_killed(try_socket);
    assert_killed(try_unix_socket);
    assert_killed(try_exec);
    assert_killed(try_fork);
    assert_killed(try_clone_vm);
    assert_killed(try_kill_parent);
    assert_killed(try_ptrace);
    assert_killed(try_mount);
    assert_killed(try_unlink);
    assert_killed(try_io_uring);
}

static int try_open(void)
{
    return answer(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int try_create(void)
{
    return answer(open("/tmp/matinee-sandbox-test", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int try_stat(void)
{
    struct stat status;
    return answer(stat("/etc/passwd", &status));
}

static int try_clone3(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    return answer(syscall(SYS_clone3, &args, sizeof args));
}

static int try_ioctl(void)
{
    return isatty(0) ? 0 : errno;
}

/* All numbers but those of its name and of huge pages; 0: they are refused. */
static int try_prctl(void)
{
    for (int option = 0; option < 100; option++)
        if (option != PR_SET_NAME && option != PR_SET_THP_DISABLE &&
            answer(prctl(option, 1, 0, 0, 0)) != EINVAL)
            return option + 1;
    return answer(prctl(PR_SET_MM, 1, 0, 0, 0)) == EINVAL &&
                   answer(prctl(INT32_MAX, 1, 0, 0, 0)) == EINVAL
               ? 0
               : 101;
}

/* A descriptor is looked at, and nothing more; 0: so it is. */
static int try_fcntl(void)
{
    static const int no[] = {F_DUPFD,    F_GETFD,    F_SETFD,         F_SETFL,     F_SETOWN,
                             F_SETLEASE, F_GETLEASE, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GETPIPE_SZ};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (answer(fcntl(0, no[i], 0)) != EPERM)
            return (int) i + 1;
    return fcntl(0, F_GETFL) < 0 || answer(fcntl(0, F_GET_SEALS)) == EPERM ? 100 : 0;
}

static int try_allowed_prctl(void)
{
    int named = answer(prctl(PR_SET_NAME, "a name"));
    return named != 0 ? named : answer(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
}

static int try_signal_init(void)
{
    return answer(syscall(SYS_tgkill, 1, 1, 0));
}

static int try_code(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}

static int try_turn_to_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 1 : answer(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int try_more_files(void)
{
    const struct rlimit limit = {10000, 10000};
    return answer(setrlimit(RLIMIT_NOFILE, &limit));
}

static void case_24_refuses_what_libraries_try(void **state UNUSED)
{
    assert_refused(try_open, EACCES);
    assert_refused(try_create, EACCES);
    assert_refused(try_stat, EACCES);
    assert_refused(try_clone3, ENOSYS);
    assert_refused(try_ioctl, ENOTTY);
    assert_refused(try_prctl, 0);
    assert_refused(try_allowed_prctl, 0);
    assert_refused(try_fcntl, 0);
    assert_refused(try_signal_init, EPERM);
#ifndef MATINEE_SANITIZE
    assert_refused(try_code, EACCES);
    assert_refused(try_turn_to_code, EACCES);
    assert_refused(try_more_files, EPERM);
#else
    (void) try_code;
    (void) try_turn_to_code;
    (void) try_more_files;
#endif
}

static void *add_one(void *arg)
{
    pthread_setname_np(pthread_self(), "worker");
    char *memory = malloc(1 << 20);
    memset(memory, 1, 1 << 20);
    free(memory);
    ++*(int *) arg;
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}

/* What every decoder does all day. */
static int work(void)
{
    int count = 0;
    for (int i = 0; i < 8; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, add_one, &count) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    static int numbers[100000];
    for (int i = 0; i < 100000; i++)
        numbers[i] = (i * 7919) % 100003;
    qsort(numbers, 100000, sizeof *numbers, compare);
    struct timespec nap = {.tv_nsec = 1000};
    nanosleep(&nap, NULL);
    return count == 8 && numbers[0] <= numbers[1] ? FINE : 2;
}

static void lets_work_be_done(void **state UNUSED)
{
    assert_refused(work, FINE);
}

static int file_of_work; /* given to the child by the fork */

static int use_files(void)
{
    char bytes[16];
    struct stat status;
    size_t got;
    if (fd_write_at(file_of_work, "hello", 5, 0) != OK ||
        fd_read_at(file_of_work, bytes, sizeof bytes, 0, &got) != OK || got != 5 ||
        fstat(file_of_work, &status) != 0)
        return 1;
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file_of_work, 0);
    return map != MAP_FAILED && memcmp(map, "hello", 5) == 0 ? FINE : 2;
}

static int write_too_much(void)
{
    return fd_write_at(file_of_work, "x", 1, (uint64_t) 256 << 20) == ERR_LIMIT ? FINE : 1;
}

static int grow_fds(void)
{
    return answer(ftruncate(file_of_work, 1 << 30));
}

static void lets_open_files_be_used(void **state UNUSED)
{
    assert_int_equal(fd_memory("work", &file_of_work), OK);
    assert_refused(use_files, FINE);
    assert_refused(write_too_much, FINE);
    assert_killed(grow_fds);
    fd_close(&file_of_work);
}

static int eat(void)
{
    const size_t step = (size_t) 1 << 30;
    int steps = 0;
    while (steps < 64 &&
           mmap(NULL, step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        steps++;
    return steps;
}

static void bounds_address_space(void **state UNUSED)
{
#ifdef MATINEE_SANITIZE
    (void) eat;
    skip();
#else
    int status = in_sandbox(eat);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 6, 8);
#endif
}

static int abort_it(void)
{
    abort();
}

static void lets_abort_be_abort(void **state UNUSED)
{
#ifndef MATINEE_SANITIZE
    int status = in_sandbox(abort_it);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
#else
    (void) abort_it;
#endif
}

static void tells_what_is_on(void **state UNUSED)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit((int) sandbox_enter());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    uint32_t layers = (uint32_t) WEXITSTATUS(status);
    const uint32_t always = WIRE_LAYER_NNP | WIRE_LAYER_RLIMIT | WIRE_LAYER_SECCOMP;
    assert_int_equal(layers & always, always);
    /* Landlock: as the kernel has it. */
    bool has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
    assert_int_equal((layers & WIRE_LAYER_LANDLOCK) != 0, has_landlock);
}

/* --- the process of a device: its node is /dev/null --- */

static const char *const nodes[] = {"/dev/null", NULL};

static int in_device_sandbox(int (*act)(void), bool is_begun_only)
{
    pid_t pid = fork();
    if (pid == 0) {
        sandbox_begin_device(nodes);
        if (!is_begun_only)
            sandbox_enter_device(nodes);
        _exit(act());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        fail_msg("it died: %x", (unsigned) status);
    return WEXITSTATUS(status);
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static int try_node(void)
{
    return answer(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int try_other_node(void)
{
    return answer(open("/dev/zero", O_RDONLY | O_CLOEXEC));
}

static int try_system(void)
{
    return answer(open("/usr/bin/env", O_RDONLY | O_CLOEXEC));
}

static int try_folder(void)
{
    return answer(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_other_process(void)
{
    return answer(open("/proc/1/environ", O_RDONLY | O_CLOEXEC));
}

static int try_device_ioctl(void)
{
    return answer(ioctl(0, _IO('d', 0))); /* of DRM, which /dev/null is not */
}

static int try_owner(void)
{
    return answer(ioctl(0, FIOSETOWN, &(int){1}));
}

static int try_signal_owner(void)
{
    return answer(fcntl(0, F_SETOWN, 1));
}

static int try_flags(void)
{
    return answer(fcntl(0, F_GETFD));
}

static int try_memory(void)
{
    return answer(syscall(SYS_memfd_create, "memory", 0));
}

static void a_device_has_its_node_and_nothing_else(void **state UNUSED)
{
    static const struct {
        int (*act)(void);
        int answer;
    } deeds[] = {{try_device_ioctl, ENOTTY},
                 {try_memory, 0},
                 {try_flags, 0},
                 {try_owner, ENOSYS},
                 {try_signal_owner, ENOSYS},
                 {try_open, EACCES},
                 {try_create, EACCES},
                 {try_other_node, EACCES},
                 {try_system, EACCES},
                 {try_folder, EACCES},
                 {try_other_process, EACCES},
                 {try_socket, ENOSYS},
                 {try_unix_socket, ENOSYS},
                 {try_exec, ENOSYS},
                 {try_fork, ENOSYS},
                 {try_clone_vm, ENOSYS},
                 {try_kill_parent, ENOSYS},
                 {try_ptrace, ENOSYS},
                 {try_mount, ENOSYS},
                 {try_unlink, ENOSYS},
                 {try_io_uring, ENOSYS},
                 {try_signal_init, EPERM}};
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        int got = in_device_sandbox(deeds[i].act, false);
        if (got != deeds[i].answer)
            fail_msg("deed %zu was answered with %d (%s)", i, got, strerror(got));
    }
    assert_int_equal(in_device_sandbox(try_node, false), has_landlock() ? 0 : EACCES);
    assert_refused(try_device_ioctl, ENOTTY); /* a film's has none */
}

/* While its driver is set up it reads of the system, and of nothing else. */
static void a_driver_finds_its_libraries(void **state UNUSED)
{
    if (!has_landlock())
        skip();
    assert_int_equal(in_device_sandbox(try_system, true), 0);
    assert_int_equal(in_device_sandbox(try_node, true), 0);
    assert_int_equal(in_device_sandbox(try_open, true), EACCES);
    assert_int_equal(in_device_sandbox(try_create, true), EACCES);
    assert_int_equal(in_device_sandbox(try_other_process, true), EACCES);
}

static void tells_what_a_device_has_on(void **state UNUSED)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit((int) sandbox_enter_device(nodes));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    const uint32_t always = WIRE_LAYER_NNP | WIRE_LAYER_RLIMIT | WIRE_LAYER_SECCOMP;
    assert_int_equal(WEXITSTATUS(status), always | (has_landlock() ? WIRE_LAYER_LANDLOCK : 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_24_kills_who_reaches_out),
        cmocka_unit_test(case_24_refuses_what_libraries_try),
        cmocka_unit_test(lets_work_be_done),
        cmocka_unit_test(lets_open_files_be_used),
        cmocka_unit_test(bounds_address_space),
        cmocka_unit_test(lets_abort_be_abort),
        cmocka_unit_test(tells_what_is_on),
        cmocka_unit_test(a_device_has_its_node_and_nothing_else),
        cmocka_unit_test(a_driver_finds_its_libraries),
        cmocka_unit_test(tells_what_a_device_has_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
