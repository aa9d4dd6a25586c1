/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real zygotes: births, deaths, limits, and what processes see of us. */
#include "hls/media.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "media_fake.h"

static void can_be_made_afresh(void **state)
{
    struct stage *stage = *state;
    fake_write_film(stage, "plain");
    assert_int_equal(fake_open_with(stage, true, true), OK);
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, 4);
    run_until_end(stage, &heard);
    fake_assert_segment(&heard, FAKE_SOUND, 4);
    heard_fini(&heard);
}

static int set_up_two(void **state)
{
    fake_set_up_with(state, &(struct media_options){.process_limit = 2});
    return 0;
}

static void has_a_limit_of_processes(void **state)
{
    struct stage *stage = *state;
    struct media *media[2];
    for (int i = 0; i < 2; i++) {
        fake_open_film(stage, "plain");
        media[i] = stage->media;
    }
    assert_int_equal(fake_open_with(stage, true, false), ERR_BUSY);
    media_close(&media[0]);
    assert_int_equal(fake_open_with(stage, true, false), OK);
    media_close(&media[1]);
}

static unsigned count_fds(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int) pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    unsigned count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* The process below the zygote that waits for a film. */
static pid_t await_spare(struct stage *stage, pid_t zygote)
{
    static const char name[] = "matinee-spare";
    pid_t spare = 0;
    for (int i = 0; i < 1000 && spare == 0; i++) {
        run_for(stage, 10);
        spare = child_of(zygote, "comm", name, strlen(name));
    }
    assert_int_not_equal(spare, 0);
    return spare;
}

static void leaks_no_fds(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    uint32_t process = media_pid(stage->media);
    pid_t zygote = parent_of(process);
    media_close(&stage->media);
    for (int i = 0; i < 500 && kill((pid_t) process, 0) == 0; i++)
        run_for(stage, 10);
    run_for(stage, 300); /* what is held of it is closed as its end is heard of */
    await_spare(stage, zygote);
    unsigned ours = count_fds(getpid()), theirs = count_fds(zygote);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(fake_open_with(stage, true, false), OK);
        if (i % 2 == 0) /* half of them before they are born */
            fake_make_one(stage);
        media_close(&stage->media);
    }
    await_spare(stage, zygote);
    for (int i = 0; i < 100 && (count_fds(getpid()) != ours || count_fds(zygote) != theirs); i++)
        run_for(stage, 100);
    assert_int_equal(count_fds(getpid()), ours);
    assert_int_equal(count_fds(zygote), theirs);
}

/* No fd is left to us: what needs one is refused or fails, what needs none goes on. A process must
 * have been born by then: a limit of 0 takes even the place that is kept for its pidfd. */
static void bears_having_no_fds(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    struct heard plain, refused;
    heard_init(&refused, stage);
    ask(stage, &plain, FAKE_SOUND, 3);
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(fake_open_with(stage, true, false), ERR_BUSY);
    media_segment(stage->media, FAKE_SOUND, 4, refused.out, &stage_job_events, &refused);
    assert_false(has_ended(&refused));
    run_until_end(stage, &plain);
    run_until_end(stage, &refused);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(refused.kind, ERR_BUSY);
    assert_true(plain.is_done);
    heard_fini(&plain);
    heard_fini(&refused);
    fake_make_one(stage);
}

/* The last free fd goes to a process's pidfd, and the zygote's channel lives on. */
static void keeps_a_place_for_a_pidfd(void **state)
{
    struct stage *stage = *state;
    run_for(stage, 20);
    fake_open_film(stage, "plain");
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    /* As many as there are, the one kept included: the numbers in use are dense below it. */
    none.rlim_cur = count_fds(getpid()) - 3; /* . .. and the folder's own */
    CLEANUP(mem_free_at) int *fillers = mem_new_array(int, 1000);
    size_t filled = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (filled < 1000 && (fillers[filled] = dup(0)) >= 0)
        filled++;
    while (!stage->is_dead && media_pid(stage->media) == 0)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (size_t i = 0; i < filled; i++)
        close(fillers[i]);
    assert_false(stage->is_dead);
    assert_true(media_host_is_alive(stage->host));
    fake_make_one(stage);
}

/* A process sees its film, its socket and nothing else of ours. */
static void hands_over_nothing_else(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    run_for(stage, 100); /* it closes the segment's file after it has said DONE */
    /* . .. 0 1 2, the socket, the film */
    assert_int_equal(count_fds((pid_t) media_pid(stage->media)), 7);
}

/* What is opened after a moment of quiet has not to wait for a fork; what comes at once after it, or must
 * not have been locked down before, has. */
static void a_film_finds_a_process_ready(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    pid_t zygote = parent_of(media_pid(stage->media));
    pid_t spare = await_spare(stage, zygote);
    media_close(&stage->media);
    assert_int_equal(fake_open_with(stage, true, true), OK);
    fake_make_one(stage);
    assert_int_not_equal(media_pid(stage->media), spare);
    media_close(&stage->media);
    for (int i = 0; i < 2; i++) {
        fake_open_film(stage, "plain");
        fake_make_one(stage);
        assert_int_equal((pid_t) media_pid(stage->media) == spare, i == 0);
        media_close(&stage->media);
    }
}

/* It is nobody's loss, and one that is dead is given no film. */
static void a_spare_process_may_die(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    pid_t zygote = parent_of(media_pid(stage->media));
    media_close(&stage->media);
    for (int i = 0; i < 3; i++) {
        pid_t spare = await_spare(stage, zygote);
        assert_int_equal(kill(spare, SIGKILL), 0);
        if (i == 1)
            continue;
        fake_open_film(stage, "plain");
        fake_make_one(stage);
        assert_int_not_equal(media_pid(stage->media), spare);
        media_close(&stage->media);
    }
    assert_false(stage->is_dead);
}

static void run_until_alive(struct stage *stage)
{
    int64_t deadline = clock_mono_ms() + STAGE_GIVEN_UP_MS;
    while (!media_host_is_alive(stage->host)) {
        uv_run(&stage->loop, UV_RUN_ONCE);
        if (clock_mono_ms() > deadline)
            fail_msg("there is no zygote");
    }
}

static void starts_a_dead_zygote_again(void **state)
{
    struct stage *stage = *state;
    for (int i = 0; i < 3; i++) {
        run_until_alive(stage);
        fake_open_film(stage, "slow");
        struct heard heard;
        ask(stage, &heard, FAKE_VIDEO_720, FAKE_BAD);
        while (heard.calls == 0)
            uv_run(&stage->loop, UV_RUN_ONCE);
        fake_until_born(stage);
        kill(parent_of(media_pid(stage->media)), SIGKILL);
        run_until(stage, &stage->is_dead); /* the children die with it */
        assert_int_equal(heard.kind, ERR_GONE);
        heard_fini(&heard);
    }
    /* Three starts in a minute are enough. */
    run_for(stage, 200);
    assert_false(media_host_is_alive(stage->host));
    assert_int_equal(fake_open_with(stage, true, false), ERR_BUSY);
}

static void replaces_a_zygote_that_hangs(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    pid_t zygote = parent_of(media_pid(stage->media));
    media_close(&stage->media);
    kill(zygote, SIGSTOP);
    fake_open_film(stage, "plain");
    struct heard heard;
    ask(stage, &heard, FAKE_SOUND, 2);
    run_until(stage, &stage->is_dead);
    assert_int_equal(heard.kind, ERR_GONE);
    heard_fini(&heard);
    run_for(stage, 100);
    run_until_alive(stage);
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    assert_int_not_equal(parent_of(media_pid(stage->media)), zygote);
}

struct pinged {
    unsigned calls, answered;
};

static void on_pinged(void *ctx, bool answered)
{
    struct pinged *pinged = ctx;
    pinged->calls++;
    pinged->answered += answered;
}

static void run_until_pinged(struct stage *stage, const struct pinged *pinged, unsigned calls)
{
    int64_t deadline = clock_mono_ms() + STAGE_GIVEN_UP_MS;
    while (pinged->calls < calls && clock_mono_ms() < deadline)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(pinged->calls, calls);
}

/* One that stands still is not said to answer, and all who asked hear when it does or is dead. */
static void hears_whether_the_zygote_answers(void **state)
{
    struct stage *stage = *state;
    struct pinged pinged = {0};
    assert_int_equal(media_host_ping(stage->host, on_pinged, &pinged), OK);
    assert_int_equal(media_host_ping(stage->host, on_pinged, &pinged), OK);
    assert_int_equal(pinged.calls, 0);
    run_until_pinged(stage, &pinged, 2);
    assert_int_equal(pinged.answered, 2);
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    pid_t zygote = parent_of(media_pid(stage->media));
    media_close(&stage->media);
    kill(zygote, SIGSTOP);
    assert_int_equal(media_host_ping(stage->host, on_pinged, &pinged), OK);
    run_for(stage, 100);
    assert_int_equal(pinged.calls, 2);
    kill(zygote, SIGCONT);
    run_until_pinged(stage, &pinged, 3);
    assert_int_equal(pinged.answered, 3);
    kill(zygote, SIGSTOP);
    assert_int_equal(media_host_ping(stage->host, on_pinged, &pinged), OK);
    kill(zygote, SIGKILL);
    run_until_pinged(stage, &pinged, 4);
    assert_int_equal(pinged.answered, 3);
    assert_int_equal(media_host_ping(stage->host, on_pinged, &pinged), ERR_BUSY);
    run_until_alive(stage);
    assert_int_equal(media_host_ping(stage->host, on_pinged, &pinged), OK);
    media_host_stop(&stage->host);
    assert_int_equal(pinged.calls, 5);
    assert_int_equal(pinged.answered, 3);
}

static void fails_the_unborn_of_a_dead_zygote(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    kill(parent_of(media_pid(stage->media)), SIGKILL);
    media_close(&stage->media);
    struct heard heard;
    if (fake_open_with(stage, true, false) != OK)
        return; /* it knows already */
    ask(stage, &heard, FAKE_SOUND, 2);
    run_until(stage, &stage->is_dead);
    assert_int_equal(heard.kind, ERR_GONE);
    heard_fini(&heard);
}

static bool is_there(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got;
    if (fd < 0 || fd_read_at(fd, text, sizeof text - 1, 0, &got) != OK)
        return false;
    const char *after_name = strrchr(text, ')');
    return after_name != NULL && after_name[2] != 'Z';
}

/* In a child: a server with a zygote and a film, which tells their numbers and waits. */
__attribute__((noreturn)) static void be_a_server(int told)
{
    struct stage stage;
    stage_init(&stage, FAKE_PROGRAM, &(struct media_options){0});
    fake_open_film(&stage, "slow");
    struct heard heard;
    ask(&stage, &heard, FAKE_VIDEO_720, FAKE_BAD);
    while (heard.calls == 0)
        uv_run(&stage.loop, UV_RUN_ONCE);
    fake_until_born(&stage);
    pid_t pids[2] = {(pid_t) media_pid(stage.media), parent_of(media_pid(stage.media))};
    if (write(told, pids, sizeof pids) != (ssize_t) sizeof pids)
        _exit(1);
    for (;;)
        uv_run(&stage.loop, UV_RUN_ONCE);
}

static void vanishes_with_the_server(void **state UNUSED)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t server = fork();
    if (server == 0)
        be_a_server(ends[1]);
    pid_t pids[2];
    assert_int_equal(read(ends[0], pids, sizeof pids), sizeof pids);
    assert_true(is_there(pids[0]) && is_there(pids[1]));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    int64_t deadline = clock_mono_ms() + 1000;
    while ((is_there(pids[0]) || is_there(pids[1])) && clock_mono_ms() < deadline)
        usleep(1000);
    assert_false(is_there(pids[0]) || is_there(pids[1]));
    fd_close(&ends[0]);
    fd_close(&ends[1]);
}

static void says_what_cannot_be_started(void **state UNUSED)
{
    struct media_host *host = NULL;
    struct why why = {0};
    struct media_options options = {.program = "/nowhere/matinee-media"};
    assert_int_equal(media_host_start(&options, &host, &why), ERR_IO);
    assert_non_null(strstr(why.text, "/nowhere/matinee-media"));
    options.program = "/bin/true";
    assert_int_equal(media_host_start(&options, &host, &why), ERR_IO);
    assert_null(host);
}

static void knows_its_sandbox(void **state)
{
    struct stage *stage = *state;
    const char *layers = media_host_sandbox(stage->host);
    assert_non_null(strstr(layers, "nnp"));
    assert_non_null(strstr(layers, "seccomp"));
    assert_non_null(strstr(layers, "rlimit"));
    assert_string_equal(media_host_engine(stage->host), "fake 1");
}

/* --- devices --- */

struct tried {
    bool is_over, works;
    struct media_device device;
    struct why why;
};

static void on_tried(void *ctx, const struct media_device *device, const struct why *why)
{
    struct tried *tried = ctx;
    assert_false(tried->is_over);
    tried->is_over = true;
    tried->works = device != NULL;
    if (device != NULL)
        tried->device = *device;
    else
        tried->why = *why;
}

static void hears_whether_a_device_works(void **state)
{
    struct stage *stage = *state;
    static const struct {
        const char *name, *words;
    } none[] = {{"fake:none", "there is no such device"},
                {"fake:dies", "its process was killed by signal 6 (ABRT)"},
                {"fake:garbage", "its process broke the rules of talk"}};
    struct tried tried = {0};
    assert_int_equal(media_host_try(stage->host, "fake:works", on_tried, &tried), OK);
    assert_false(tried.is_over);
    run_until(stage, &tried.is_over);
    assert_true(tried.works);
    assert_string_equal(tried.device.words, "it");
    assert_int_equal(tried.device.plan.flags, 12);
    assert_int_equal(tried.device.plan.speed, 1000);
    for (size_t i = 0; i < 3; i++) {
        tried = (struct tried){0};
        assert_int_equal(media_host_try(stage->host, none[i].name, on_tried, &tried), OK);
        run_until(stage, &tried.is_over);
        assert_false(tried.works);
        assert_string_equal(tried.why.text, none[i].words);
    }
    /* One that hangs is ended with the host, without a word. */
    tried = (struct tried){0};
    assert_int_equal(media_host_try(stage->host, "fake:hangs", on_tried, &tried), OK);
    run_for(stage, 200);
    assert_false(tried.is_over);
}

/* A process of a device below the zygote; 0: there is none. */
static pid_t device_below(pid_t zygote)
{
    static const char words[] = "matinee-media\0gpu";
    return child_of(zygote, "cmdline", words, sizeof words);
}

/* One that was asked for a moment ago may still come, to be killed at once. */
static void await_no_device(struct stage *stage, pid_t zygote)
{
    int quiet = 0;
    for (int i = 0; i < 1000 && quiet < 30; i++) {
        run_for(stage, 10);
        quiet = device_below(zygote) > 0 ? 0 : quiet + 1;
    }
    assert_int_equal(device_below(zygote), 0);
}

static void a_device_lives_and_dies_with_its_film(void **state)
{
    struct stage *stage = *state;
    fake_open_film(stage, "plain");
    fake_make_one(stage);
    fake_until_born(stage);
    pid_t zygote = parent_of(media_pid(stage->media));
    assert_false(media_has_device(stage->media));
    assert_int_equal(media_give_device(stage->media, "fake:works"), OK);
    assert_true(media_has_device(stage->media));
    /* The film's process of this engine drops what it is given, and the device's ends by that. */
    for (int i = 0; i < 500 && media_has_device(stage->media); i++)
        run_for(stage, 10);
    assert_false(media_has_device(stage->media));
    /* It goes on. */
    fake_make_one(stage);
    assert_int_equal(media_give_device(stage->media, "fake:works"), OK);
    media_end_device(stage->media);
    assert_false(media_has_device(stage->media));
    await_no_device(stage, zygote);
    assert_int_equal(media_give_device(stage->media, "fake:works"), OK);
    media_close(&stage->media);
    await_no_device(stage, zygote);
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, fake_tear_down)

int main(void)
{
    log_set_level(getenv("MATINEE_TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(can_be_made_afresh, fake_set_up),
        TEST(has_a_limit_of_processes, set_up_two),
        TEST(leaks_no_fds, fake_set_up),
        TEST(bears_having_no_fds, fake_set_up),
        TEST(keeps_a_place_for_a_pidfd, fake_set_up),
        TEST(hands_over_nothing_else, fake_set_up),
        TEST(a_film_finds_a_process_ready, fake_set_up),
        TEST(a_spare_process_may_die, fake_set_up),
        TEST(starts_a_dead_zygote_again, fake_set_up),
        TEST(hears_whether_the_zygote_answers, fake_set_up),
        TEST(fails_the_unborn_of_a_dead_zygote, fake_set_up),
        TEST(replaces_a_zygote_that_hangs, fake_set_up_impatient),
        TEST(knows_its_sandbox, fake_set_up),
        TEST(hears_whether_a_device_works, fake_set_up),
        TEST(a_device_lives_and_dies_with_its_film, fake_set_up),
        cmocka_unit_test(vanishes_with_the_server),
        cmocka_unit_test(says_what_cannot_be_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
