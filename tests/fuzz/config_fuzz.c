/* SPDX-License-Identifier: GPL-3.0-or-later */
/* matinee.yaml from anyone: config_read_file never crashes and always says what is wrong. */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = -1;
    if (fd_memory("fuzz", &fd) != OK || fd_write_at(fd, data, size, 0) != OK) {
        fd_close(&fd);
        return 0;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct config *config = config_new();
    struct why why = {0};
    enum err err = config_read_file(config, path, &why);
    MUST(err == OK || why.text[0] != '\0');
    config_free(&config);
    fd_close(&fd);
    return 0;
}
