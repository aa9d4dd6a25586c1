/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan from outside: whatever plan_read believes must do no harm to those who use it, and come
 * back from its bytes as it was. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "segments/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void use(const struct plan *plan)
{
    for (uint32_t r = 0; r < plan->rendition_count; r++) {
        uint32_t count = plan_segment_count(plan, r);
        for (uint32_t n = 0; n < count; n++)
            MUST(plan_segment_start(plan, r, n) < plan_segment_start(plan, r, n + 1));
        MUST(plan_segment_at(plan, r, 1000) < count);
        MUST(plan_segment_at(plan, r, INT64_MAX / 1000000) < count);
        MUST(plan_find(plan, plan->renditions[r].name) == (int) r);
    }
    MUST(plan_target_duration(plan) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct plan *plan = NULL, *back = NULL;
    uint8_t *written, *again;
    size_t written_size, again_size;
    struct why why = {0};

    if (plan_read(bytes, size, &plan, &why) != OK)
        return 0;
    use(plan);
    plan_write(plan, &written, &written_size);
    MUST(plan_read(written, written_size, &back, &why) == OK);
    plan_write(back, &again, &again_size);
    MUST(again_size == written_size && memcmp(again, written, again_size) == 0);
    mem_free(written);
    mem_free(again);
    plan_free(&plan);
    plan_free(&back);
    return 0;
}
