/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fetch/mail.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <time.h>

#include <curl/curl.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    CONNECT_MS = 10 * 1000,
    TOTAL_MS = 30 * 1000,
    RETRY_MS = 60 * 1000,
    TRIES = 4, /* after the first: 1, 3, 9 and 27 minutes later */
    WAITING_MOST = 100,
    LOCAL_MOST = 64 /* RFC 5321 4.5.3.1.1 */
};

/* One that the server has put off. */
struct waiting {
    TAILQ_ENTRY(waiting) link;
    char *to, *subject, *text;
    int64_t due_ms;
    unsigned tries;
};

struct mail {
    /* fixed after new */
    char *url, *from, *username, *password, *ca_file;
    bool allows_clear;
    int64_t retry_ms;
    atomic_bool is_halted;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    /* under lock */
    TAILQ_HEAD(waiting_list, waiting) waiting;
    unsigned count;
    bool is_over;
};

/* --- addresses --- */

static bool is_atom_byte(unsigned char byte)
{
    return isalnum(byte) || (byte < 0x80 && byte != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", byte));
}

static bool is_local(struct slice text)
{
    if (text.length == 0 || text.length > LOCAL_MOST || text.at[0] == '.' ||
        text.at[text.length - 1] == '.' || memmem(text.at, text.length, "..", 2) != NULL)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!is_atom_byte((unsigned char) text.at[i]))
            return false;
    return true;
}

static bool is_domain(struct slice text)
{
    if (text.length == 0 || strchr(".-", text.at[0]) != NULL ||
        strchr(".-", text.at[text.length - 1]) != NULL ||
        memmem(text.at, text.length, "..", 2) != NULL)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!isalnum((unsigned char) text.at[i]) && text.at[i] != '.' && text.at[i] != '-')
            return false;
    return true;
}

enum err mail_check_address(struct slice text, char out[MAIL_ADDRESS_SIZE], struct why *why)
{
    const char *sign = text.length > 0 ? memrchr(text.at, '@', text.length) : NULL;
    size_t local = sign != NULL ? (size_t) (sign - text.at) : 0;
    memset(out, 0, MAIL_ADDRESS_SIZE);
    if (sign == NULL || text.length >= MAIL_ADDRESS_SIZE ||
        !is_local((struct slice){text.at, local}) ||
        !is_domain((struct slice){sign + 1, text.length - local - 1}))
        return why_set(why, ERR_BAD_INPUT, "email", "that is not an e-mail address");
    for (size_t i = 0; i < text.length; i++)
        out[i] = (char) tolower((unsigned char) text.at[i]);
    return OK;
}

/* --- one letter --- */

/* RFC 5322 3.3, in the C locale, which is never another here. */
static void put_date(struct str *out)
{
    time_t now = (time_t) (clock_wall_ms() / 1000);
    struct tm date;
    char when[64] = "";
    if (gmtime_r(&now, &date) != NULL)
        strftime(when, sizeof when, "%a, %d %b %Y %H:%M:%S +0000", &date);
    str_puts(out, when);
}

/* RFC 2045 6.8: lines of 76. */
static void put_base64(const char *text, struct str *out)
{
    enum { LINE_BYTES = 57 };
    char line[80];
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at += LINE_BYTES) {
        size_t size = length - at < LINE_BYTES ? length - at : LINE_BYTES;
        sodium_bin2base64(line, sizeof line, (const unsigned char *) text + at, size,
                          sodium_base64_VARIANT_ORIGINAL);
        str_printf(out, "%s\r\n", line);
    }
}

/* RFC 5322. The text may hold names of people, in any script. */
static void write_message(const struct mail *mail, const struct mail_letter *letter,
                          struct str *out)
{
    uint64_t drawn[2];
    MUST(getrandom(drawn, sizeof drawn, 0) == (ssize_t) sizeof drawn);
    str_puts(out, "Date: ");
    put_date(out);
    str_printf(out, "\r\nFrom: matinee <%s>\r\nTo: %s\r\nSubject: %s\r\n", mail->from, letter->to,
               letter->subject);
    str_printf(out, "Message-ID: <%016llx%016llx@%s>\r\n", (unsigned long long) drawn[0],
               (unsigned long long) drawn[1], strrchr(mail->from, '@') + 1);
    str_puts(out, "Auto-Submitted: auto-generated\r\n" /* RFC 3834 5: no holiday notes back */
                  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\n");
    put_base64(letter->text, out);
}

/* One letter on its way. */
struct sending {
    struct mail *mail;
    struct str message;
    size_t sent;
    bool
        is_of_reader; /* its reader was named: what is refused from here on is the letter, not us */
};

static size_t on_read(char *buffer, size_t size, size_t count, void *ctx)
{
    struct sending *sending = ctx;
    size_t left = sending->message.length - sending->sent;
    size_t length = left < size * count ? left : size * count;
    if (length > 0)
        memcpy(buffer, sending->message.at + sending->sent, length);
    sending->sent += length;
    return length;
}

static int on_debug(CURL *easy UNUSED, curl_infotype type, char *data, size_t size, void *ctx)
{
    struct sending *sending = ctx;
    if (type == CURLINFO_HEADER_OUT && size >= 4 && memcmp(data, "RCPT", 4) == 0)
        sending->is_of_reader = true;
    return 0;
}

static int on_progress(void *ctx, curl_off_t total UNUSED, curl_off_t now UNUSED,
                       curl_off_t up_total UNUSED, curl_off_t up_now UNUSED)
{
    const struct sending *sending = ctx;
    return atomic_load(&sending->mail->is_halted);
}

static enum err translate(CURLcode code, long status, bool is_of_reader, struct why *why)
{
    const char *words = curl_easy_strerror(code);
    switch ((int) code) {
    case CURLE_OK:
        return OK;
    case CURLE_OPERATION_TIMEDOUT:
        return why_set(why, ERR_TIMEOUT, NULL, "the mail server does not answer");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return why_set(why, ERR_IO, NULL, "the mail server cannot be reached");
    case CURLE_USE_SSL_FAILED:
        return why_set(why, ERR_IO, NULL,
                       "the mail server offers no TLS (mail.clear_text can allow to go without)");
    case CURLE_ABORTED_BY_CALLBACK:
        return why_set(why, ERR_IO, NULL, "the server is stopping");
    case CURLE_LOGIN_DENIED:
        return why_set(why, ERR_IO, NULL,
                       "the mail server does not know mail.username and its password");
    default:
        break;
    }
    if (status >= 400 && status < 500)
        return why_set(why, ERR_BUSY, NULL, "the mail server puts it off (%ld)", status);
    if (status >= 500 && is_of_reader)
        return why_set(why, ERR_REFUSED, "email", "the mail server does not take it (%ld)", status);
    if (status >= 500)
        return why_set(why, ERR_IO, NULL, "the mail server takes nothing from us (%ld)", status);
    return why_set(why, ERR_IO, NULL, "the mail server failed: %s", words);
}

static void set_up(const struct mail *mail, CURL *easy, struct sending *sending)
{
    curl_easy_setopt(easy, CURLOPT_URL, mail->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_USE_SSL,
                     (long) (mail->allows_clear ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long) CONNECT_MS / 1000);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) TOTAL_MS);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, sending);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, sending);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L); /* on_debug alone hears it */
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, sending);
    if (mail->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, mail->ca_file);
    if (mail->username[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_USERNAME, mail->username);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, mail->password);
    }
}

static enum err send_once(struct mail *mail, const struct mail_letter *letter, struct why *why)
{
    CLEANUP(str_fini) struct str from = {0}, to = {0};
    struct sending sending = {.mail = mail};
    CURL *easy = curl_easy_init();
    long status = 0;
    MUST(easy != NULL);
    str_printf(&from, "<%s>", mail->from);
    str_printf(&to, "<%s>", letter->to);
    write_message(mail, letter, &sending.message);
    set_up(mail, easy, &sending);
    struct curl_slist *readers = curl_slist_append(NULL, to.at);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from.at);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, readers);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    curl_slist_free_all(readers);
    explicit_bzero(sending.message.at, sending.message.length); /* it holds a code */
    str_fini(&sending.message);
    return translate(code, status, sending.is_of_reader, why);
}

/* --- what was put off --- */

static void forget(struct waiting *waiting)
{
    mem_free(waiting->to);
    mem_free(waiting->subject);
    if (waiting->text != NULL)
        explicit_bzero(waiting->text, strlen(waiting->text)); /* it holds a code */
    mem_free(waiting->text);
    mem_free(waiting);
}

/* False: there is no room for it, or no time. */
static bool put_off(struct mail *mail, struct waiting *waiting)
{
    int64_t wait_ms = mail->retry_ms;
    for (unsigned i = 0; i < waiting->tries; i++)
        wait_ms *= 3;
    waiting->due_ms = clock_mono_ms() + wait_ms;
    pthread_mutex_lock(&mail->lock);
    bool has_room = !mail->is_over && mail->count < WAITING_MOST;
    if (has_room) {
        TAILQ_INSERT_TAIL(&mail->waiting, waiting, link);
        mail->count++;
        pthread_cond_signal(&mail->woken);
    }
    pthread_mutex_unlock(&mail->lock);
    if (!has_room) {
        log_warning("mail.given_up", log_str("why", "too many letters wait, or it is late"));
        forget(waiting);
    }
    return has_room;
}

/* Under lock. The first that is due; else NULL, and when the next one is. */
static struct waiting *take_due(struct mail *mail, int64_t *next_ms)
{
    struct waiting *first = NULL, *at;
    TAILQ_FOREACH(at, &mail->waiting, link)
    if (first == NULL || at->due_ms < first->due_ms)
        first = at;
    *next_ms = first != NULL ? first->due_ms : INT64_MAX;
    if (first == NULL || first->due_ms > clock_mono_ms())
        return NULL;
    TAILQ_REMOVE(&mail->waiting, first, link);
    mail->count--;
    return first;
}

static void try_again(struct mail *mail, struct waiting *waiting)
{
    struct why why = {0};
    const struct mail_letter letter = {waiting->to, waiting->subject, waiting->text};
    enum err err = send_once(mail, &letter, &why);
    waiting->tries++;
    if (err == OK || err == ERR_REFUSED || waiting->tries == TRIES) {
        if (err == OK)
            log_info("mail.sent", log_int("tries", waiting->tries + 1));
        else
            log_warning("mail.given_up", log_str("why", why.text));
        forget(waiting);
        return;
    }
    (void) put_off(mail, waiting);
}

static void *run(void *arg)
{
    struct mail *mail = arg;
    int64_t next_ms = 0;
    pthread_mutex_lock(&mail->lock);
    while (!mail->is_over) {
        struct waiting *due = take_due(mail, &next_ms);
        if (due == NULL) {
            (void) cond_wait(&mail->woken, &mail->lock, next_ms);
            continue;
        }
        pthread_mutex_unlock(&mail->lock);
        try_again(mail, due);
        pthread_mutex_lock(&mail->lock);
    }
    pthread_mutex_unlock(&mail->lock);
    return NULL;
}

enum err mail_send(struct mail *mail, const struct mail_letter *letter, struct why *why)
{
    enum err err = send_once(mail, letter, why);
    if (err != ERR_BUSY) {
        if (err != OK)
            log_warning("mail.failed", log_str("why", why->text));
        return err;
    }
    log_info("mail.put_off", log_str("why", why->text));
    struct waiting *waiting = mem_new(struct waiting);
    waiting->to = mem_strdup(letter->to);
    waiting->subject = mem_strdup(letter->subject);
    waiting->text = mem_strdup(letter->text);
    return put_off(mail, waiting) ? OK : ERR_BUSY;
}

/* --- begin and end --- */

static enum err start_thread(struct mail *mail)
{
    pthread_mutex_init(&mail->lock, NULL);
    cond_init(&mail->woken);
    return pthread_create(&mail->thread, NULL, run, mail) == 0 ? OK : ERR_BUSY;
}

static void free_all(struct mail *mail)
{
    struct waiting *waiting;
    while ((waiting = TAILQ_FIRST(&mail->waiting)) != NULL) {
        TAILQ_REMOVE(&mail->waiting, waiting, link);
        log_warning("mail.given_up", log_str("why", "the server is stopping"));
        forget(waiting);
    }
    explicit_bzero(mail->password, strlen(mail->password));
    mem_free(mail->url);
    mem_free(mail->from);
    mem_free(mail->username);
    mem_free(mail->password);
    mem_free(mail->ca_file);
    pthread_cond_destroy(&mail->woken);
    pthread_mutex_destroy(&mail->lock);
    mem_free(mail);
}

enum err mail_new(const struct mail_options *options, struct mail **out, struct why *why)
{
    char from[MAIL_ADDRESS_SIZE];
    struct slice url = slice_of(options->url);
    if (!slice_starts(url, "smtp://") && !slice_starts(url, "smtps://"))
        return why_set(why, ERR_BAD_INPUT, "mail.url",
                       "mail.url is \"%s\": it begins with smtp:// or smtps://", options->url);
    if (mail_check_address(slice_of(options->from), from, NULL) != OK)
        return why_set(why, ERR_BAD_INPUT, "mail.from",
                       "mail.from is \"%s\": it is the address that letters come from",
                       options->from);
    struct mail *mail = mem_new(struct mail);
    TAILQ_INIT(&mail->waiting);
    mail->url = mem_strdup(options->url);
    mail->from = mem_strdup(from);
    mail->username = mem_strdup(options->username);
    mail->password = mem_strdup(options->password);
    mail->ca_file = mem_strdup_or_null(options->ca_file);
    mail->allows_clear = options->allows_clear;
    mail->retry_ms = options->retry_ms > 0 ? options->retry_ms : RETRY_MS;
    if (start_thread(mail) != OK) {
        free_all(mail);
        return why_set(why, ERR_BUSY, NULL, "no thread can be started");
    }
    *out = mail;
    return OK;
}

void mail_halt(struct mail *mail)
{
    if (mail != NULL)
        atomic_store(&mail->is_halted, true);
}

void mail_free(struct mail **mail)
{
    struct mail *gone = *mail;
    *mail = NULL;
    if (gone == NULL)
        return;
    mail_halt(gone);
    pthread_mutex_lock(&gone->lock);
    gone->is_over = true;
    pthread_cond_signal(&gone->woken);
    pthread_mutex_unlock(&gone->lock);
    pthread_join(gone->thread, NULL);
    free_all(gone);
}
