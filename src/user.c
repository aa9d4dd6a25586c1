/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "user.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/password.h"
#include "base/mem.h"
#include "base/str.h"
#include "server.h"
#include "store/accounts.h"
#include "store/backup.h"
#include "store/store.h"

enum { PASSWORD_LINE_MAX = 1024 };

static const char *const ACTIONS[] = {
    [USER_ADD] = "add", [USER_LIST] = "list", [USER_PASSWD] = "passwd", [USER_REMOVE] = "remove"};

enum err user_action_parse(const char *word, enum user_action *out)
{
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        if (strcmp(word, ACTIONS[i]) == 0) {
            *out = (enum user_action) i;
            return OK;
        }
    }
    return ERR_BAD_INPUT;
}

static enum err read_password(const char *path, char *line, size_t size, struct why *why)
{
    FILE *file = path[0] != '\0' ? fopen(path, "re") : stdin;
    if (file == NULL)
        return why_set(why, err_from_errno(errno), "--admin-password-file", "%s: %s", path,
                       strerror(errno));
    if (path[0] == '\0')
        fputs("password: ", stderr);
    bool is_read = fgets(line, (int) size, file) != NULL;
    if (file != stdin)
        fclose(file);
    if (!is_read)
        return why_set(why, ERR_BAD_INPUT, "password", "there is no password to read");
    line[strcspn(line, "\r\n")] = '\0';
    return OK;
}

static enum err find(struct store *store, const char *name, struct store_user *out, struct why *why)
{
    char shown[STORE_NAME_SIZE], folded[STORE_NAME_SIZE];
    enum err err = name_check(slice_of(name), shown, folded, why);
    if (err == OK)
        err = store_user_find(store, folded, out);
    return err == ERR_NOT_FOUND ? why_set(why, err, NULL, "there is no user %s", name) : err;
}

static enum err add(struct store *store, const struct user_order *order, const char *password,
                    struct why *why)
{
    struct store_user user;
    const struct bounds bounds = {.age = order->age};
    enum err err = auth_add_user(store, slice_of(order->name), slice_of(password), order->role,
                                 &bounds, false, &user, why);
    if (err == OK)
        printf("added %s\n", user.name);
    return err;
}

static enum err set_password(struct store *store, const char *name, const char *password,
                             struct why *why)
{
    struct store_user user;
    char hash[STORE_PASSWORD_SIZE];
    enum err err = find(store, name, &user, why);
    if (err == OK)
        err = password_check(slice_of(password), why);
    if (err == OK)
        err = password_hash(slice_of(password), hash);
    if (err == OK)
        err = store_user_set_password(store, user.id, hash, NULL);
    if (err == OK)
        printf("%s has another password, and is signed in nowhere\n", user.name);
    return err;
}

static enum err remove_user(struct store *store, const char *name, struct why *why)
{
    struct store_user user;
    enum err err = find(store, name, &user, why);
    if (err == OK)
        err = store_user_remove(store, user.id);
    if (err == ERR_REFUSED)
        return why_set(why, err, NULL, "nobody would be left who can administer the server");
    if (err == OK)
        printf("removed %s\n", user.name);
    return err;
}

static void print_user(void *ctx, const struct store_user *user)
{
    (void) ctx;
    printf("%s\t%s", user->name, role_name(user->role));
    if (user->role == ROLE_CHILD)
        printf(" of %d", user->bounds.age);
    puts(user->is_disabled ? "\tdisabled" : "");
}

static enum err carry_out(struct store *store, const struct config *config,
                          const struct user_order *order, struct why *why)
{
    char line[PASSWORD_LINE_MAX] = "";
    enum err err = OK;
    if (order->action == USER_ADD || order->action == USER_PASSWD)
        err = read_password(config->auth.admin_password_file, line, sizeof line, why);
    if (err == OK) {
        switch (order->action) {
        case USER_ADD:
            err = add(store, order, line, why);
            break;
        case USER_LIST:
            err = store_users_each(store, print_user, NULL);
            break;
        case USER_PASSWD:
            err = set_password(store, order->name, line, why);
            break;
        case USER_REMOVE:
            err = remove_user(store, order->name, why);
            break;
        }
    }
    explicit_bzero(line, sizeof line);
    return err;
}

enum err user_run(const struct config *config, const struct user_order *order, struct why *why)
{
    CLEANUP(mem_free_at) char *data = NULL;
    CLEANUP(str_fini) struct str path = {0};
    struct store *store = NULL;
    enum err err = server_data_folder(config, &data, why);
    if (err != OK)
        return err;
    str_printf(&path, "%s/matinee.db", data);
    err = store_open(path.at, &store, why);
    if (err == OK)
        err = carry_out(store, config, order, why);
    store_close(&store);
    if (err == OK && order->action != USER_LIST)
        (void) server_tell(data, SIGUSR2);
    return err;
}

enum err user_backup(const struct config *config, const char *path, struct why *why)
{
    CLEANUP(mem_free_at) char *data = NULL;
    enum err err = server_data_folder(config, &data, why);
    if (err == OK)
        err = backup_make(data, path, why);
    if (err == OK)
        printf("%s holds all that was known\n", path);
    return err;
}

enum err user_restore(const struct config *config, const char *path, struct why *why)
{
    CLEANUP(mem_free_at) char *data = NULL;
    struct backup_facts facts;
    enum err err = server_data_folder(config, &data, why);
    if (err == OK)
        err = backup_check(path, &facts, why);
    if (err == OK)
        err = backup_stage(data, path, why);
    if (err != OK)
        return err;
    bool is_running = server_tell(data, SIGUSR1);
    printf("%lld users, %lld titles: %s\n", (long long) facts.users, (long long) facts.titles,
           is_running ? "the server starts again with them" : "the next start takes them");
    return OK;
}
