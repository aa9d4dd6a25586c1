/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A world for one process, by LD_PRELOAD: names resolve by a table, connections leave this machine for
 * nowhere, and each attempt is written down. FAKE_WORLD names the table, FAKE_WORLD_LOG the record.
 *     name turned.test 93.184.216.34 127.0.0.1,::1   first this answer, then that; the last one stays
 *     route 93.184.216.34 40123                      what goes there arrives at 127.0.0.1:40123
 *     own 93.184.216.35                              an interface of this machine has it
 * The record holds "ask NAME", "connect ADDRESS PORT". Threads: any; the table is read at each call.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

enum { LINE_BYTES = 1024, LINES = 512, WORDS = 16 };

typedef int getaddrinfo_fn(const char *node, const char *service, const struct addrinfo *hints,
                           struct addrinfo **out);
typedef int connect_fn(int fd, const struct sockaddr *to, socklen_t length);
typedef int getifaddrs_fn(struct ifaddrs **out);
typedef void freeifaddrs_fn(struct ifaddrs *all);

struct line {
    char text[LINE_BYTES];
    char *words[WORDS];
    int count, number;
};

/* How often each line of the table was used. */
static unsigned calls[LINES];

__attribute__((format(printf, 1, 2))) static void record(const char *format, ...)
{
    char text[LINE_BYTES];
    const char *path = getenv("FAKE_WORLD_LOG");
    int kept = errno;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    size_t size = length < (int) sizeof text ? (size_t) length : sizeof text - 1;
    if (fd >= 0 && write(fd, text, size) < 0)
        abort();
    if (fd >= 0)
        close(fd);
    errno = kept;
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

/* The next line of this kind; `match` is its second word, in any case, or NULL for any. */
static bool find(FILE *table, const char *kind, const char *match, struct line *line)
{
    while (line->number < LINES && fgets(line->text, sizeof line->text, table) != NULL) {
        char *rest = line->text, *word;
        line->number++;
        line->count = 0;
        while (line->count < WORDS && (word = strtok_r(rest, " \n", &rest)) != NULL)
            line->words[line->count++] = word;
        if (line->count > 1 && strcmp(line->words[0], kind) == 0 &&
            (match == NULL || strcasecmp(line->words[1], match) == 0))
            return true;
    }
    return false;
}

static bool look_up(const char *kind, const char *match, struct line *line)
{
    const char *path = getenv("FAKE_WORLD");
    FILE *table = path == NULL ? NULL : fopen(path, "re");
    *line = (struct line){.number = 0};
    bool is_found = table != NULL && find(table, kind, match, line);
    if (table != NULL)
        fclose(table);
    return is_found;
}

/* --- names --- */

/* What the table answers this time: addresses with commas between. */
static char *answer_of(struct line *line)
{
    unsigned call = __atomic_fetch_add(&calls[line->number - 1], 1, __ATOMIC_RELAXED);
    unsigned last = (unsigned) line->count - 3;
    return line->words[2 + (call < last ? call : last)];
}

static int numeric(const char *node, const char *service, const struct addrinfo *hints,
                   struct addrinfo **out)
{
    getaddrinfo_fn *real;
    *(void **) &real = next("getaddrinfo");
    struct addrinfo asked = hints != NULL ? *hints : (struct addrinfo){0};
    asked.ai_flags |= node != NULL ? AI_NUMERICHOST : 0;
    asked.ai_flags &= ~AI_ADDRCONFIG;
    return real(node, service, &asked, out);
}

SHOWN int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **out)
{
    struct line line;
    struct addrinfo *first = NULL, **end = &first;
    int code = numeric(node, service, hints, out);
    if (node == NULL || code == 0)
        return code;
    record("ask %s\n", node);
    if (!look_up("name", node, &line) || line.count < 3)
        return EAI_NONAME;
    char *rest = answer_of(&line), *address;
    while ((address = strtok_r(rest, ",", &rest)) != NULL)
        if (numeric(address, service, hints, end) == 0)
            while (*end != NULL)
                end = &(*end)->ai_next;
    if (first == NULL)
        return EAI_NONAME;
    *out = first;
    return 0;
}

/* --- connections --- */

static bool is_inside(const char *text)
{
    return strncmp(text, "127.", 4) == 0 || strncmp(text, "::ffff:127.", 11) == 0 ||
           strcmp(text, "::1") == 0 || strcmp(text, "::") == 0 || strcmp(text, "0.0.0.0") == 0 ||
           strcmp(text, "::ffff:0.0.0.0") == 0;
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* The routed place, in the family of the socket. */
static socklen_t place_at(int family, const char *port, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(port))};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
    inet_pton(AF_INET, "127.0.0.1", &v4.sin_addr);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
    if (family == AF_INET)
        memcpy(out, &v4, sizeof v4);
    else
        memcpy(out, &v6, sizeof v6);
    return family == AF_INET ? sizeof v4 : sizeof v6;
}

SHOWN int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    char host[128], port[16];
    struct line line;
    struct sockaddr_storage place;
    connect_fn *real;
    *(void **) &real = next("connect");
    /* Datagrams: the C library asks so which source address it would have. */
    if ((to->sa_family != AF_INET && to->sa_family != AF_INET6) || !is_stream(fd))
        return real(fd, to, length);
    if (getnameinfo(to, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        abort();
    record("connect %s %s\n", host, port);
    bool is_mapped = strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL;
    if (look_up("route", host + (is_mapped ? 7 : 0), &line) && line.count > 2)
        return real(fd, (struct sockaddr *) &place, place_at(to->sa_family, line.words[2], &place));
    if (is_inside(host))
        return real(fd, to, length);
    errno = ENETUNREACH;
    return -1;
}

/* --- interfaces --- */

struct own {
    struct ifaddrs entry;
    struct sockaddr_storage address;
};

/* Ours stands before the real ones. */
SHOWN int getifaddrs(struct ifaddrs **out)
{
    getifaddrs_fn *real;
    struct line line;
    *(void **) &real = next("getifaddrs");
    if (real(out) != 0)
        return -1;
    if (!look_up("own", NULL, &line))
        return 0;
    struct own *own = calloc(1, sizeof *own);
    struct addrinfo *found = NULL;
    if (own == NULL || numeric(line.words[1], "0", NULL, &found) != 0)
        abort();
    memcpy(&own->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    own->entry = (struct ifaddrs){.ifa_next = *out,
                                  .ifa_name = (char *) "fake0",
                                  .ifa_addr = (struct sockaddr *) &own->address};
    *out = &own->entry;
    return 0;
}

SHOWN void freeifaddrs(struct ifaddrs *all)
{
    freeifaddrs_fn *real;
    *(void **) &real = next("freeifaddrs");
    struct ifaddrs *rest = all;
    if (all != NULL && strcmp(all->ifa_name, "fake0") == 0) {
        rest = all->ifa_next;
        free(all); /* the entry is the first of its struct */
    }
    real(rest);
}
