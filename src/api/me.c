/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/me: who is signed in. */
#include "api/inside.h"

void me_get(struct request *request, void *ctx)
{
    (void) ctx;
    reply_json(request, 200, me_json(request_user(request)));
}
