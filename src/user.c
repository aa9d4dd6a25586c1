/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "base/str.h"
#include "server.h"
#include "store/accounts.h"
#include "store/store.h"

enum { PASSWORD_LINE_MAX = 1024 };

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

enum err user_add(const struct config *config, const char *name, struct why *why)
{
    char line[PASSWORD_LINE_MAX];
    enum err err = read_password(config->auth.admin_password_file, line, sizeof line, why);
    if (err != OK)
        return err;
    char *data = NULL;
    err = server_data_folder(config, &data, why);
    if (err != OK)
        return err;
    struct str path = {0};
    str_printf(&path, "%s/matinee.db", data);
    struct store *store = NULL;
    struct store_user user;
    err = store_open(str_text(&path), &store, why);
    if (err == OK)
        err = auth_add_user(store, slice_of(name), slice_of(line), ROLE_ADMIN, false, &user, why);
    if (err == OK)
        printf("added %s\n", user.name);
    store_close(&store);
    str_fini(&path);
    mem_free(data);
    return err;
}
