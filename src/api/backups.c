/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /api/v1/backups and /api/v1/restore, for administrators. */
#include "store/backups.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

static json_t *backup_json(const struct backup *backup)
{
    return json_pack("{s:s, s:s, s:I, s:o}", "id", backup->id, "kind",
                     backup_kind_name(backup->kind), "size", (json_int_t) backup->size, "created",
                     json_date(backup->made_ms));
}

static void list(struct answer *answer)
{
    struct backup *backups = NULL;
    size_t count = 0;
    json_t *items = json_array();
    enum err err = backups_list(answer->api->data_folder, &backups, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, backup_json(&backups[i]));
    mem_free(backups);
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    if (err != OK)
        answer_fail(answer, err, 0);
}

void backups_get(struct request *request, void *ctx)
{
    answer_later(ctx, request, &(struct answer_plan){.work = list});
}

static void make(struct answer *answer)
{
    struct backup backup;
    enum err err = positions_write(answer->api->positions);
    if (err == OK)
        err = backups_make(answer->api->data_folder, BACKUP_MANUAL, clock_wall_ms(), &backup,
                           &answer->why);
    if (err != OK) {
        answer_fail(answer, err, 0);
        return;
    }
    answer_note(answer, "backup made", backup.id);
    answer->status = 201;
    answer->body = backup_json(&backup);
}

void backups_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    answer_later(api, request, &(struct answer_plan){.work = make, .pool = api->filing});
}

/* --- the file --- */

struct file_wish {
    char id[BACKUP_ID_SIZE];
    int fd;
    uint64_t size;
};

static void file_wish_fini(void *arg)
{
    struct file_wish *wish = arg;
    fd_close(&wish->fd);
}

static void open_file(struct answer *answer)
{
    struct file_wish *wish = answer->input;
    struct stat info;
    CLEANUP(mem_free_at) char *path = NULL;
    enum err err = backups_path(answer->api->data_folder, wish->id, &path);
    if (err == OK) {
        wish->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        err = wish->fd >= 0 && fstat(wish->fd, &info) == 0 ? OK : ERR_IO;
    }
    if (err == OK)
        wish->size = (uint64_t) info.st_size;
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, NULL, "there is no such backup");
    if (err != OK)
        answer_fail(answer, err, 0);
    else
        answer_note(answer, "backup taken away", wish->id);
}

static void send_it(struct answer *answer, struct request *request)
{
    struct file_wish *wish = answer->input;
    char name[BACKUP_ID_SIZE + 48];
    snprintf(name, sizeof name, "attachment; filename=\"matinee-%s.db\"", wish->id);
    reply_header(request, "content-disposition", name);
    reply_header(request, "cache-control", "no-store");
    file_send(answer->api, request, fd_take(&wish->fd), wish->size, "application/octet-stream");
}

void backup_get(struct request *request, void *ctx)
{
    struct file_wish wish = {.fd = -1};
    copy_slice(request_param(request, 0), wish.id, sizeof wish.id);
    answer_later(ctx, request,
                 &(struct answer_plan){.work = open_file,
                                       .then = send_it,
                                       .input = &wish,
                                       .size = sizeof wish,
                                       .fini = file_wish_fini});
}

/* --- restoring --- */

static void restore(struct answer *answer)
{
    CLEANUP(mem_free_at) char *path = NULL;
    struct api *api = answer->api;
    enum err err = backups_path(api->data_folder, answer->input, &path);
    if (err == OK)
        err = backup_stage(api->data_folder, path, &answer->why);
    if (err == ERR_NOT_FOUND)
        why_set(&answer->why, err, "backup", "there is no such backup");
    if (err != OK) {
        answer_fail(answer, err, err == ERR_BAD_INPUT ? 422 : 0);
        return;
    }
    answer_note(answer, "backup restored", answer->input);
    answer->status = 202;
    answer->body = json_pack("{s:b}", "restarting", 1);
    api->restart(api->restart_ctx);
}

void restore_post(struct request *request, void *ctx)
{
    struct api *api = ctx;
    struct why why = {0};
    json_t *body = NULL;
    CLEANUP(mem_free_at) char *name = NULL;
    char id[BACKUP_ID_SIZE];
    enum err err = request_json(request, &body, &why);
    if (err == OK)
        err = body_text(body, "backup", true, &name, &why);
    if (err != OK) {
        reply_problem(request, 0, err, &why);
        return;
    }
    copy_slice(slice_of(name), id, sizeof id);
    answer_later(api, request,
                 &(struct answer_plan){
                     .work = restore, .pool = api->filing, .input = id, .size = sizeof id});
}
