/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside api/ only: what the resources share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "api/api.h"
#include "auth/emails.h"
#include "base/pool.h"
#include "base/str.h"
#include "store/films.h"
#include "store/positions.h"
#include "store/sessions.h"

enum { STATUS_UNPROCESSABLE = 422, STATUS_BAD_GATEWAY = 502 };

struct events;
struct playbacks;
struct downloads;
struct filings;
struct arriving;

struct api {
    /* fixed after new */
    struct store *store;
    struct auth *auth;
    struct library *library;
    struct fetch *fetch;
    struct positions *positions;
    struct others *others;
    struct mail *mail;    /* NULL: no letters are sent */
    struct pool *outward; /* what waits for those who vouch for people */
    struct pool *letters; /* what waits for a mail server */
    struct streams *streams;
    char *sandbox, *base_path, *fetched_folder, *data_folder, *public_url;
    void (*restart)(void *ctx);
    void *restart_ctx;
    bool files_downloads; /* downloads go to the library when they are whole */
    struct pool *pool;
    struct pool *filing; /* what came whole goes to the library, one after the other */
    struct events *events;
    struct playbacks *playbacks;
    struct downloads *downloads;
    struct filings *filings;
    struct arriving *arriving;
    struct http_route *routes;
    struct gate *gates; /* of those routes that are of a film */
    /* set once */
    _Atomic(struct torrents *) torrents; /* NULL: none */
    _Atomic(struct remotes *) remotes;
    _Atomic(struct hls *) hls;
    _Atomic(struct http *) http;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned jobs; /* under way: their ends will be posted to http loops */
    bool is_stopping;
    int64_t touched_ms; /* when the store was last tried, for /healthz */
    enum err touched;
    int64_t hung_ms; /* when the zygote last did not answer */
};

/* --- answer.c: an answer that waits for the disk --- */

struct answer;
/* On a pool's thread: fills the answer in. Touches nothing of the request. */
typedef void answer_work_fn(struct answer *answer);
/* On the request's loop: goes on with it, which was not answered. */
typedef void answer_then_fn(struct answer *answer, struct request *request);

struct answer {
    struct api *api;
    struct http_user user;
    char peer[64]; /* who asks, from where */
    void *input;   /* a copy of what the handler gave */
    /* the answer: OK and `status` with a body, or an error */
    enum err kind;
    int status; /* of an error: 0 = as its kind says */
    struct why why;
    json_t *body;                        /* or NULL */
    struct str text;                     /* instead of a body: plain text */
    char cookie[256], other_cookie[256]; /* Set-Cookie; "" = none */
    char location[2048];                 /* where to, with status 303; "" = nowhere */
    int retry_after_s;                   /* 0 = none */
    /* inside; the request's loop */
    struct request *_request; /* NULL when it is gone */
    answer_work_fn *_work;
    answer_then_fn *_then;
    void (*_fini)(void *input);
    int _refs;
};

struct answer_plan {
    answer_work_fn *work;
    answer_then_fn *then; /* instead of an answer, where the work was OK; or NULL */
    struct pool *pool;    /* NULL = the api's own */
    const void *input;    /* copied */
    size_t size;
    void (*fini)(void *input); /* ends what the copy holds; or NULL */
    int busy_status;           /* when the pool has too much to do; 0 = 503 */
    bool is_first;             /* before what waits in the pool already */
};
/* Runs the work on the pool and answers the request when it is done: 503 (or as the plan says) at once when
 * the pool has too much to do (then the work is not run). */
void answer_later(struct api *api, struct request *request, const struct answer_plan *plan);
/* The input of `work` is the path's first parameter, an id: "" where it is longer than ours. */
void answer_with_id(struct api *api, struct request *request, answer_work_fn *work);
void answer_fail(struct answer *answer, enum err kind, int status);
/* By the work: it was OK, and `then` goes on with the request, as that of a plan. */
void answer_go_on(struct answer *answer, answer_then_fn *then);

/* Whom the work is done for; lent by the answer. */
struct store_viewer answer_viewer(const struct answer *answer);
void answer_note(const struct answer *answer, const char *action, const char *object);
/* By the work, once a way to sign in, the one that is the answer's input, was to be removed. */
struct answer_way {
    const char *called;  /* "passkey" */
    const char *instead; /* of the only one: "add another" */
    const char *action;  /* for the log */
};
void answer_way_removed(struct answer *answer, enum err kind, const struct answer_way *way);

/* Work that api_stop waits for. False: it is too late for it. */
bool api_enter(struct api *api);
void api_leave(struct api *api);

/* A copy of a path parameter or text from outside, cut to its size: an id that is too long is none
 * of ours. */
void copy_slice(struct slice slice, char *out, size_t size);
/* An ISO 8601 string. */
json_t *json_date(int64_t wall_ms);
/* Text that may not be UTF-8. */
json_t *json_text(const char *text);

/* --- body.c: what a JSON body says --- */
/* A copy of the text under `name` (mem_free); NULL where it is absent and may be. BAD_INPUT: absent, no
 * text, or with a NUL. */
MUST_CHECK enum err body_text(const json_t *body, const char *name, bool is_needed, char **out,
                              struct why *why);
/* The same, overwritten before it is freed. */
void body_forget(char **secret);
/* *has false: absent. BAD_INPUT: neither true nor false. */
MUST_CHECK enum err body_bool(const json_t *body, const char *name, bool *has, bool *out,
                              struct why *why);
/* *has false: absent. BAD_INPUT: no role. */
MUST_CHECK enum err body_role(const json_t *body, bool *has, enum role *out, struct why *why);
/* age_limit, unrated and streams, those that are there. BAD_INPUT: not what they should be. */
MUST_CHECK enum err body_bounds(const json_t *body, struct bounds_wish *out, struct why *why);
/* What `role` and the bounds are of somebody new. BAD_INPUT: a child without an age. */
MUST_CHECK enum err body_newcomer(const json_t *body, enum role *role, struct bounds *bounds,
                                  struct why *why);
/* A whole number from `least` to `most`; *has false: absent. BAD_INPUT. */
MUST_CHECK enum err body_number(const json_t *body, const char *name, int64_t least, int64_t most,
                                bool *has, int64_t *out, struct why *why);
/* role, and what bounds those of that role, as the API says it. */
void put_standing(json_t *object, enum role role, const struct bounds *bounds);

/* --- paging.c: lists that go back in time; a cursor is the number of the last one of the page before --- */
struct paging {
    int64_t before, limit; /* what is asked for; before 0: from the latest on */
    json_t *items;
    int64_t count, last;
};
/* A parameter of the query; *out stays as it is where it is not there. BAD_INPUT. */
MUST_CHECK enum err query_number(struct request *request, const char *name, int64_t least,
                                 int64_t most, int64_t *out, struct why *why);
/* BAD_INPUT: the query's limit or cursor. */
MUST_CHECK enum err paging_read(struct request *request, struct paging *out, struct why *why);
/* The input of `work` is the page that the query asks for. */
void answer_with_page(struct api *api, struct request *request, answer_work_fn *work);
/* How many to ask for: one more than are shown, to know whether there is a next page. */
size_t paging_room(const struct paging *page);
/* Takes `item`, number `n`. */
void paging_add(struct paging *page, int64_t n, json_t *item);
/* Takes the page's items. */
json_t *paging_json(struct paging *page);

/* --- gate.c: what stands before the bytes of a film --- */
/* A route of a file, its first parameter: for children, and for those who may watch so many at once. */
struct gate {
    struct api *api;
    http_handler_fn *handler; /* its ctx is the api */
    bool is_stream;           /* it counts as watching */
};
void gate_enter(struct request *request, void *gate);
/* The same, below /hls/~{token}: as who the token is of. */
void gate_enter_by_token(struct request *request, void *gate);

/* --- file_send.c --- */
/* Answers with a file, whose fd it takes; headers that were set go along. */
void file_send(struct api *api, struct request *request, int fd, uint64_t size, const char *type);

/* --- streams.c: who watches how much at once --- */
struct streams *streams_new(void);
void streams_free(struct streams **streams);
/* Counts what `key` stands for, a playback or a file, as watched by the user. LIMIT: he watches `most`
 * others. Any thread. */
MUST_CHECK enum err streams_enter(struct streams *streams, const char *user, const char *key,
                                  int most, int64_t now_ms, struct why *why);
void streams_leave(struct streams *streams, const char *user, const char *key);

/* --- the resources: handlers, ctx is the struct api --- */
void health_get(struct request *request, void *api);
void metrics_get(struct request *request, void *api);
void status_get(struct request *request, void *api);
void setup_post(struct request *request, void *api);
void session_post(struct request *request, void *api);
void session_delete(struct request *request, void *api);
void token_post(struct request *request, void *api);
void others_start_get(struct request *request, void *api);
void others_callback_get(struct request *request, void *api);
void identities_get(struct request *request, void *api);
void identity_delete(struct request *request, void *api);
void register_post(struct request *request, void *api);
void reset_post(struct request *request, void *api);
void verify_post(struct request *request, void *api);
void passkeys_options_post(struct request *request, void *api);
void passkeys_post(struct request *request, void *api);
void me_passkeys_get(struct request *request, void *api);
void me_passkeys_options_post(struct request *request, void *api);
void me_passkeys_post(struct request *request, void *api);
void me_passkey_delete(struct request *request, void *api);
void me_email_put(struct request *request, void *api);
void me_email_delete(struct request *request, void *api);
void me_get(struct request *request, void *api);
void me_patch(struct request *request, void *api);
void me_export_get(struct request *request, void *api);
void me_password_put(struct request *request, void *api);
void me_sessions_get(struct request *request, void *api);
void me_session_delete(struct request *request, void *api);
void me_keys_get(struct request *request, void *api);
void me_keys_post(struct request *request, void *api);
void me_key_delete(struct request *request, void *api);
void users_get(struct request *request, void *api);
void users_post(struct request *request, void *api);
void user_patch(struct request *request, void *api);
void user_delete(struct request *request, void *api);
void user_reset_post(struct request *request, void *api);
void invites_get(struct request *request, void *api);
void invites_post(struct request *request, void *api);
void invite_delete(struct request *request, void *api);
void audit_get(struct request *request, void *api);
void library_get(struct request *request, void *api);
void scan_get(struct request *request, void *api);
void scan_post(struct request *request, void *api);
void scan_delete(struct request *request, void *api);
void title_get(struct request *request, void *api);
void title_patch(struct request *request, void *api);
void episodes_get(struct request *request, void *api);
void next_get(struct request *request, void *api);
void progress_get(struct request *request, void *api);
void progress_put(struct request *request, void *api);
void progress_delete(struct request *request, void *api);
void watched_put(struct request *request, void *api);
void watched_delete(struct request *request, void *api);
void history_get(struct request *request, void *api);
void history_delete(struct request *request, void *api);
void continue_get(struct request *request, void *api);
void continue_put(struct request *request, void *api);
void continue_delete(struct request *request, void *api);
void watchlist_get(struct request *request, void *api);
void watchlist_put(struct request *request, void *api);
void watchlist_delete(struct request *request, void *api);
void comments_get(struct request *request, void *api);
void comments_post(struct request *request, void *api);
void comment_delete(struct request *request, void *api);
void backups_get(struct request *request, void *api);
void backups_post(struct request *request, void *api);
void backup_get(struct request *request, void *api);
void restore_post(struct request *request, void *api);
void file_get_one(struct request *request, void *api);
void playback_post(struct request *request, void *api);
void playback_list(struct request *request, void *api);
void playback_get(struct request *request, void *api);
void playback_put(struct request *request, void *api);
void playback_delete(struct request *request, void *api);
void events_get(struct request *request, void *api);
void downloads_get(struct request *request, void *api);
void downloads_post(struct request *request, void *api);
void download_get(struct request *request, void *api);
void download_patch(struct request *request, void *api);
void download_delete(struct request *request, void *api);
void stream_get(struct request *request, void *api);
void validate_get(struct request *request, void *api);
void links_get(struct request *request, void *api);
void links_post(struct request *request, void *api);
void link_delete(struct request *request, void *api);

/* --- remote.c --- */
/* A page or a list of words is no video, whatever its server calls it. */
bool remote_is_media_type(const char *type);
/* Of a transfer that failed so: 502 where it was the other server's failure, else 0, as its kind says. */
int remote_failure_status(enum err kind);
/* True: it came from this server, and was refused. */
bool remote_asks_itself(const struct api *api, struct request *request);

/* --- torrent_url.c --- */
/* Takes `bytes` (mem_free). On the request's loop. */
typedef void api_torrent_fn(struct api *api, struct request *request, char *bytes, size_t size);
/* Fetches a .torrent of at most 10 MiB from outside: `then` once, or the request is refused. `field` is
 * what its URL came as, a literal. */
void api_fetch_torrent(struct api *api, struct request *request, const char *field, const char *url,
                       api_torrent_fn *then);

/* --- look.c --- */
/* What stands last in a URL's path, else its host; mem_free. */
char *look_name(const char *url);
/* What a server has under `url`, lent: takes `remote`, whose `file` is empty; NULL: a .torrent. On the
 * request's loop. */
struct store_remote;
typedef void api_looked_fn(struct api *api, struct request *request, const char *url,
                           struct store_remote *remote);
/* `then` once, or the request is refused. */
void api_look(struct api *api, struct request *request, const char *url, api_looked_fn *then);

/* --- fetched.c: downloads by URL, as torrents of one file. All of them wait for the disk --- */
struct remote_facts api_remote_facts(const struct store_remote *remote); /* lent by `remote` */
/* By its id, or that of its file. */
bool fetched_find(struct api *api, const char *id, struct torrent_view *out);
typedef void fetched_each_fn(void *ctx, const struct torrent_view *view); /* lent */
void fetched_each(struct api *api, fetched_each_fn *each, void *ctx);
/* Takes what `remote` holds. BUSY: it is there already, as `id`; LIMIT, IO. */
MUST_CHECK enum err fetched_add(struct api *api, struct store_remote *remote,
                                char id[STORE_ID_SIZE], struct why *why);
/* Also lets one that failed try again. NOT_FOUND, IO. */
MUST_CHECK enum err fetched_pause(struct api *api, const char *id, bool is_paused, struct why *why);
MUST_CHECK enum err fetched_set_filed(struct api *api, const char *id);
MUST_CHECK enum err fetched_remove(struct api *api, const char *id);
/* As links_open_file. */
MUST_CHECK enum err fetched_open_file(struct api *api, const char *file, struct source **out,
                                      char **name, struct why *why);
/* Those of the last time go on. */
void fetched_open_all(struct api *api);

/* --- links.c --- */
/* A file of somebody's link, and its name (mem_free). NOT_FOUND; else as remotes_open. Blocks. */
MUST_CHECK enum err links_open_file(struct api *api, const char *id, struct source **out,
                                    char **name, struct why *why);

/* --- session.c --- */
json_t *me_json(const struct http_user *user);
/* REFUSED, with words: the server runs without accounts. */
MUST_CHECK enum err api_need_accounts(const struct api *api, struct why *why);
enum credentials_kind {
    CREDENTIALS_NAMED,    /* a name and a password; the rest may be absent, as below */
    CREDENTIALS_PASSWORD, /* a password */
    CREDENTIALS_CODE,     /* a code; perhaps a password */
};
struct credentials {
    char *username, *password, *code, *email; /* NULL: absent */
    struct emails_letter letter;              /* what came of it */
    char peer[64], agent[STORE_AGENT_SIZE], known[TOKENS_BROWSER_SIZE];
    bool is_loopback, is_secure, is_program;
};
void credentials_fini(void *credentials);
/* Who asks, from where, without the body. */
void credentials_read_from(struct request *request, struct credentials *out);
MUST_CHECK enum err credentials_read(struct request *request, enum credentials_kind kind,
                                     struct credentials *out, struct why *why);
/* Runs `work` on auth's pool with the credentials of the body; refuses the request where it has none, or
 * there are no accounts. */
void credentials_later(struct api *api, struct request *request, enum credentials_kind kind,
                       answer_work_fn *work);
struct auth_wish credentials_wish(const struct credentials *credentials);
/* Fills in who is signed in, and the cookie. */
void session_answer(struct answer *answer, int status, const struct auth_answer *opened,
                    bool is_secure);
void session_cookie(const struct api *api, const char *token, bool is_secure, char *out,
                    size_t size);
enum { ORIGIN_SIZE = 300 };
/* Where this server is for who asks, with its base path: http.public_url, or what the browser asked for, whose name
 * the guard has checked. */
void api_origin(const struct api *api, struct request *request, char *out, size_t size);

/* --- emails.c --- */
/* Answers with 202 when the letter is on its way, of an account that is made then or one that is there. */
void emails_send(struct api *api, struct request *request, const struct emails_letter *letter,
                 bool is_new);

/* --- titles.c, files.c, library.c --- */
/* With what the viewer has of it, where it was read for one. */
json_t *title_json(const struct store_title *title);
/* What the viewer was told of, with what was not written yet. */
void title_refresh(struct api *api, const char *user, struct store_title *title);
/* For whom it is has changed from what it was. Blocks. */
void title_tell_rated(struct api *api, const char *id, int was);
json_t *item_json(const struct store_item *item);
/* The season that is asked for; -1: none is. BAD_INPUT. */
MUST_CHECK enum err season_read(struct request *request, int *out, struct why *why);
/* A member that is said in seconds. */
json_t *seconds_json(int64_t ms);
const char *file_state_name(const struct store_file *file);
const char *file_reason(const struct store_file *file); /* NULL: none */
json_t *duration_json(int64_t duration_ms);
/* Duration in ms and hls_describe's words, with `caps` also those for a client of them (either may be
 * NULL); NULL: the bytes are no plan. */
json_t *media_json(const uint8_t *plan, size_t size, const char *caps, int64_t *duration_ms);
json_t *scan_json(struct library *library);

/* --- progress.c --- */
/* The item that an id stands for, of a file or an item; NOT_FOUND, in words: nothing that the viewer may
 * know of. Blocks. */
MUST_CHECK enum err item_find(const struct answer *answer, const char *id, struct store_place *out,
                              struct why *why);
/* How far the user is in an item. NOT_FOUND: nothing is known. Blocks. */
MUST_CHECK enum err progress_of(struct api *api, const char *user, const char *item,
                                struct store_progress *out);
/* Whether it is to be offered to who opens `file` of `duration_ms` (0: not known): *is_other_cut says that
 * it was left in a file of another length. */
bool progress_fits(const struct store_progress *progress, const char *file, int64_t duration_ms,
                   bool *is_other_cut);

/* --- preferences.c --- */
/* What the user has said of how he likes things. New reference; an empty object: nothing. Blocks. */
json_t *preferences_of(struct api *api, const char *user);
/* The height of the largest pictures that he wants; 0: any. Blocks. */
int preferred_height(struct api *api, const char *user);
/* Takes what is said in `change` over into `kept`. BAD_INPUT: a member is unknown or wrong. */
MUST_CHECK enum err preferences_merge(json_t *kept, const json_t *change, struct why *why);

/* --- markers.c --- */
/* The markers of a film of this description (NULL: none yet), with those that were found of it. New
 * reference. */
json_t *markers_json(const json_t *media, const json_t *found);
/* As hls_markers. Blocks. New reference. */
json_t *markers_found(struct api *api, const struct library_file *file);

/* --- events.c --- */
struct events *events_new(void);
void events_free(struct events **events);
/* No news are told any more; who listens is woken, to end. */
void events_stop(struct events *events);
/* Takes `payload` (type, id, and the object; `at` is added). For all who may hear the topic. Any thread. */
void events_publish(struct events *events, const char *topic, json_t *payload);
struct audience;
void events_publish_to(struct events *events, const char *topic, json_t *payload,
                       struct audience audience);
bool events_have_listeners(struct events *events);

/* --- downloads.c --- */
struct downloads *downloads_new(void);
void downloads_free(struct downloads **downloads);
/* Of those that came back when the server started. Blocks. */
void downloads_remember_all(struct api *api);
/* More of a download by URL is there, by the id of its file; another file says nothing. Blocks. */
void downloads_tell_fetched(struct api *api, const char *file);
/* Tells those who listen what it is like by now, or that it is gone. Blocks. */
void downloads_tell(struct api *api, const char *id);
/* A torrent or a film fetched by its URL; false: there is none. torrent_view_fini. Blocks. */
bool downloads_find(struct api *api, const char *id, struct torrent_view *out);
/* What was last told of each; takes `payload`. Any thread. */
void downloads_each(struct downloads *downloads, void (*each)(void *ctx, json_t *payload),
                    void *ctx);

/* --- filing.c: what came whole goes to the library --- */
struct filings *filings_new(void);
void filings_free(struct filings **filings);
/* Where it is whole, and not there yet. */
void filing_soon(struct api *api, const struct torrent_view *view);
/* What the library would not take is offered to it again, unless it is being walked: its disk may have room by now. */
void filing_again(struct api *api);
/* Why the library has not taken it, in words: a new reference. NULL: it has, or it is still to come. */
json_t *filing_reason(struct api *api, const char *id);
/* Its files are on their way there, or a walk has yet to find them. */
bool filing_is_under_way(struct api *api, const struct torrent_view *view);

/* --- arriving.c --- */
struct arriving *arriving_new(void);
void arriving_free(struct arriving **arriving);
void arriving_keep_plan(struct arriving *arriving, const char *file,
                        const struct source_identity *identity, const uint8_t *bytes, size_t size);
/* As library_find; a file of a download too. `source` may be NULL; set to a reference where the file is
 * still on its way. Blocks. */
MUST_CHECK enum err api_find_file(struct api *api, const char *id, struct library_file *out,
                                  struct source **source, struct why *why);

/* Something is another than before: told on the pool. */
struct news {
    struct api *api;
    char id[STORE_ID_SIZE];
};
/* Runs `tell` on the pool with a news of its own, which it ends: api_leave, mem_free. Any thread. False: the pool
 * has too much to do; the next change tells this one too. */
bool api_spread(struct api *api, const char *id, struct pool *pool, task_fn *tell);

/* What of it is there: size, complete, and ranges of bytes. New reference. */
json_t *availability_json(const struct source *source);
void availability_get(struct request *request, void *api);

/* --- playback.c --- */
struct playbacks *playbacks_new(void);
void playbacks_free(struct playbacks **playbacks);
/* The playback as the user may see it. New reference; NULL: none of his. */
json_t *playbacks_find(struct api *api, const char *id, const struct http_user *user);
/* It is in use: it stays for a while longer. False: it is over, or another's. Any thread. */
bool playbacks_touch(struct api *api, const char *id, const char *user);
/* Whether somebody waits for a plan. */
bool playbacks_wait(struct playbacks *playbacks);
/* The file can be played by now, or cannot after all: who waits for it is told. Blocks. */
void playbacks_refresh(struct api *api, const char *file);
/* Whether somebody plays the file. */
bool playbacks_play(struct playbacks *playbacks, const char *file);
/* More of the file is there; takes `available` (availability_json's). Any thread. */
void playbacks_available(struct api *api, const char *file, json_t *available);
/* Its markers were found, or others than before: who plays it is told. Blocks. */
void playbacks_marked(struct api *api, const char *file);
/* The file cannot be played after all: who waits for it is told. Any thread. */
void playbacks_fail(struct api *api, const char *file, const struct why *why);
/* The file does not say how long it is and is read through for that, so far; for those that wait for
 * it. Any thread; does not wait for the disk. */
void playbacks_progress(struct api *api, const char *file, double fraction);
