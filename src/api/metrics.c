/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /metrics: counters as Prometheus reads them. */
#include <inttypes.h>

#include "api/inside.h"

static void library_metrics(struct library *library, struct str *out)
{
    struct library_scan scan;
    uint64_t files = 0;
    library_scan_state(library, &scan);
    for (size_t i = 0; i < scan.folder_count; i++)
        files += scan.folders[i].files;
    str_printf(out,
               "# TYPE matinee_library_files gauge\nmatinee_library_files %" PRIu64 "\n"
               "# TYPE matinee_library_scan_running gauge\nmatinee_library_scan_running %d\n",
               files, scan.is_running);
    library_scan_fini(&scan);
}

static void work(struct answer *answer)
{
    struct http *http = atomic_load(&answer->api->http);
    struct hls *hls = atomic_load(&answer->api->hls);
    str_printf(&answer->text,
               "# TYPE matinee_build_info gauge\nmatinee_build_info{version=\"%s\"} 1\n",
               MATINEE_VERSION);
    if (http != NULL)
        http_metrics(http, &answer->text);
    if (hls != NULL)
        hls_metrics(hls, &answer->text);
    library_metrics(answer->api->library, &answer->text);
    auth_metrics(&answer->text);
}

void metrics_get(struct request *request, void *ctx)
{
    struct api *api = ctx;
    answer_later(api, request, &(struct answer_plan){.work = work});
}
