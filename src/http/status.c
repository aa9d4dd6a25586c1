/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/status.h"

#include <stddef.h>

static const struct {
    int status;
    const char *phrase;
} PHRASES[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {303, "See Other"},
    {304, "Not Modified"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

const char *status_phrase(int status)
{
    for (size_t i = 0; i < sizeof PHRASES / sizeof PHRASES[0]; i++)
        if (PHRASES[i].status == status)
            return PHRASES[i].phrase;
    return "Status";
}

int status_of_err(enum err kind)
{
    switch (kind) {
    case ERR_NOT_FOUND:
        return 404;
    case ERR_BAD_INPUT:
        return 400;
    case ERR_BAD_MEDIA:
        return 422;
    case ERR_REFUSED:
        return 403;
    case ERR_AGAIN:
    case ERR_BUSY:
    case ERR_CANCELLED:
        return 503;
    case ERR_LIMIT:
        return 413;
    case ERR_TIMEOUT:
        return 504;
    case ERR_GONE:
        return 410;
    case OK:
    case ERR_IO:
    case ERR_COUNT:
        break;
    }
    return 500;
}
