/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/code.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

enum { LENGTH = 8, TRIES = 10 };

/* Without 0 O 1 I, which are hard to tell apart: 40 bits. */
static const char ALPHABET[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
_Static_assert(sizeof ALPHABET - 1 == 32, "as many as five bits");

struct code {
    /* fixed after new */
    char *path;
    code_show_fn *show;
    void *ctx;
    /* under lock */
    pthread_mutex_t lock;
    char text[LENGTH + 1]; /* "" = void */
    int tries;
};

static void draw(char out[LENGTH + 1])
{
    for (int i = 0; i < LENGTH; i++)
        out[i] = ALPHABET[randombytes_uniform(32)];
    out[LENGTH] = '\0';
}

/* Under a temporary name first, so that nobody reads half a code. */
static enum err save(const char *path, const char *text)
{
    CLEANUP(str_fini) struct str draft = {0}, line = {0};
    str_printf(&draft, "%s.new", path);
    str_printf(&line, "%s\n", text);
    unlink(draft.at);
    CLEANUP(fd_close) int fd = open(draft.at, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    enum err err = fd_write_at(fd, line.at, line.length, 0);
    if (err == OK && rename(draft.at, path) != 0)
        err = ERR_IO;
    str_fini(&line);
    return err;
}

enum err code_new(const char *path, code_show_fn *show, void *ctx, struct code **out,
                  struct why *why)
{
    char text[LENGTH + 1];
    draw(text);
    enum err err = save(path, text);
    if (err != OK)
        return why_set(why, err, NULL, "%s cannot be written: %s", path, strerrordesc_np(errno));
    struct code *code = mem_new(struct code);
    code->path = mem_strdup(path);
    code->show = show;
    code->ctx = ctx;
    memcpy(code->text, text, sizeof text);
    pthread_mutex_init(&code->lock, NULL);
    if (show != NULL)
        show(ctx, text);
    *out = code;
    return OK;
}

void code_free(struct code **code)
{
    if (*code == NULL)
        return;
    pthread_mutex_destroy(&(*code)->lock);
    mem_free((*code)->path);
    mem_free(*code);
    *code = NULL;
}

/* People type in lower case, and with dashes. What is too long stays wrong. */
static void normalise(struct slice guess, char out[LENGTH + 2])
{
    size_t length = 0;
    memset(out, 0, LENGTH + 2);
    for (size_t i = 0; i < guess.length && length < LENGTH + 1; i++)
        if (guess.at[i] != ' ' && guess.at[i] != '-')
            out[length++] = char_upper(guess.at[i]);
}

/* A new code, when this was the last try at the old one; `shown` is then set. */
static void count_try(struct code *code, char shown[LENGTH + 1])
{
    if (++code->tries < TRIES)
        return;
    code->tries = 0;
    draw(code->text);
    memcpy(shown, code->text, LENGTH + 1);
}

enum err code_try(struct code *code, struct slice guess)
{
    char typed[LENGTH + 2], shown[LENGTH + 1] = "";
    enum err err = OK;
    normalise(guess, typed);
    pthread_mutex_lock(&code->lock);
    if (code->text[0] == '\0')
        err = ERR_GONE;
    else if (sodium_memcmp(typed, code->text, LENGTH + 1) != 0)
        err = ERR_REFUSED;
    if (err == ERR_REFUSED)
        count_try(code, shown);
    if (shown[0] != '\0')
        (void) !save(code->path, shown);
    pthread_mutex_unlock(&code->lock);
    if (shown[0] != '\0' && code->show != NULL)
        code->show(code->ctx, shown);
    return err;
}

void code_void(struct code *code)
{
    pthread_mutex_lock(&code->lock);
    code->text[0] = '\0';
    unlink(code->path);
    pthread_mutex_unlock(&code->lock);
}
