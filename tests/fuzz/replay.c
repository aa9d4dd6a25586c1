/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a fuzz target without libFuzzer: every file of a folder, then mutations of each, made from
 * a fixed seed, so that a failure is the same failure again.
 *     fuzz_NAME FOLDER */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { MUTATIONS = 2000, INPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Changes some bytes, cuts, or repeats: in place. */
static size_t mutate(uint8_t *data, size_t size, uint32_t *state)
{
    uint32_t changes = 1 + random_next(state) % 4;
    for (uint32_t i = 0; i < changes && size > 0; i++)
        data[random_next(state) % size] = (uint8_t) random_next(state);
    if (size > 1 && random_next(state) % 8 == 0)
        size = random_next(state) % size;
    return size;
}

static void run_input(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size, so that reads beyond it are seen. */
    uint8_t *copy = mem_dup(data, size);
    LLVMFuzzerTestOneInput(copy, size);
    mem_free(copy);
}

static void run_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run_input(data, size);
    uint8_t *changed = mem_zalloc(size + 1);
    uint32_t state = 2463534242U;
    int mutations = size > 65536 ? MUTATIONS / 20 : MUTATIONS;
    for (int i = 0; i < mutations; i++) {
        memcpy(changed, data, size);
        run_input(changed, mutate(changed, size, &state));
    }
    mem_free(changed);
}

int main(int argc, char **argv)
{
    run_input((const uint8_t *) "", 0);
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    int files = 0;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        run_file(path);
        files++;
    }
    if (folder != NULL)
        closedir(folder);
    printf("%d inputs and their mutations\n", files);
    return files > 0 ? 0 : 1;
}
