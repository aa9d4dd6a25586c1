/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state.json in the folder of a torrent, whoever left it there: it is read or refused, and what was read is
 * written, and read again, as it was. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "torrent/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const struct keep_state *state)
{
    struct keep_state again = {0};
    char *text = keep_state_text(state);
    MUST(text != NULL && keep_state_read(text, strlen(text), &again) == OK);
    MUST(again.added_ms == state->added_ms && again.is_paused == state->is_paused);
    MUST(strcmp(again.name, state->name) == 0 && strcmp(again.boot, state->boot) == 0);
    MUST(again.priority == state->priority &&
         memcmp(&again.limits, &state->limits, sizeof again.limits) == 0);
    MUST(again.file_count == state->file_count);
    for (size_t i = 0; i < state->file_count; i++)
        MUST(strcmp(again.files[i].id, state->files[i].id) == 0 &&
             again.files[i].is_wanted == state->files[i].is_wanted);
    keep_state_fini(&again);
    mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keep_state state = {0};
    if (keep_state_read(data, size, &state) == OK)
        read_again(&state);
    keep_state_fini(&state);
    return 0;
}
