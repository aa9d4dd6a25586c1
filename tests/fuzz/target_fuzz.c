/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs that somebody names, and redirects to them. Input: a URL. What is accepted must mean the same when
 * it is read again, as libcurl does to ask for it. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "fetch/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const allowed[] = {"nas.lan", "10.0.0.5:8000", "[fd00::5]:8000", NULL};

/* Between "://" and the path, the query or the fragment. */
static struct slice authority_of(const char *url)
{
    const char *begin = strstr(url, "://");
    MUST(begin != NULL);
    begin += strlen("://");
    return (struct slice){begin, strcspn(begin, "/?#")};
}

static void check(const struct target *target)
{
    struct slice url = slice_of(target->url);
    MUST(slice_starts(url, "http://") || slice_starts(url, "https://"));
    struct slice authority = authority_of(target->url);
    MUST(authority.length > 0);
    for (size_t i = 0; i < authority.length; i++) {
        unsigned char c = (unsigned char) authority.at[i];
        MUST(c > ' ' && c < 127 && strchr("@\\<>\"'`", c) == NULL);
    }
    for (size_t i = 0; i < url.length; i++)
        MUST((unsigned char) url.at[i] > ' ' && url.at[i] != 127);
}

static void try_with(const char *url, const char *origin, const char *const *names)
{
    struct why why = {0};
    struct target first = {0}, again = {0};
    enum err kind = target_judge(url, origin, names, &first, &why);
    MUST(kind == OK || kind == ERR_BAD_INPUT || kind == ERR_REFUSED);
    MUST((kind == OK) == (first.url != NULL) && (kind == OK || why.text[0] != '\0'));
    if (kind != OK)
        return;
    check(&first);
    if (strlen(first.url) <= 4096) { /* what is encoded grows */
        MUST(target_judge(first.url, origin, names, &again, &why) == OK);
        MUST(strcmp(first.url, again.url) == 0 && first.is_unchecked == again.is_unchecked);
    }
    target_fini(&first);
    target_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = mem_strndup((const char *) data, size);
    try_with(url, NULL, NULL);
    try_with(url, NULL, allowed);
    try_with(url, "http://10.0.0.5:8000", NULL);
    mem_free(url);
    return 0;
}
