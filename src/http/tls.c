/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/tls.h"

#include <h2o.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "http/connection.h"

struct tls {
    _Atomic unsigned count;
    SSL_CTX *context;
};

/* The names offered by ALPN (RFC 7301), ended by an empty one; h2o borrows the list. */
static const h2o_iovec_t HTTP1_ALONE[] = {{(char *) "http/1.1", 8}, {NULL, 0}};

static enum err say_failed(struct why *why, const char *field, const char *file)
{
    char text[160] = "unknown reason";
    unsigned long code = ERR_peek_last_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return why_set(why, ERR_BAD_INPUT, field, "%s cannot be used: %s", file, text);
}

static enum err load(SSL_CTX *context, const char *certificate_file, const char *key_file,
                     struct why *why)
{
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1)
        return say_failed(why, "http.tls.certificate", certificate_file);
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return say_failed(why, "http.tls.key", key_file);
    return OK;
}

enum err tls_read(const char *certificate_file, const char *key_file, bool http2, struct tls **out,
                  struct why *why)
{
    struct tls *tls = mem_new(struct tls);
    tls->count = 1;
    tls->context = SSL_CTX_new(TLS_server_method());
    MUST(tls->context != NULL);
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    /* h2o takes a renegotiation for an error; refuse it before. */
    SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_info_callback(tls->context, connection_on_tls);
    h2o_ssl_register_alpn_protocols(tls->context, http2 ? h2o_alpn_protocols : HTTP1_ALONE);
    enum err err = load(tls->context, certificate_file, key_file, why);
    if (err != OK)
        tls_unref(&tls);
    else
        *out = tls;
    return err;
}

struct tls *tls_ref(struct tls *tls)
{
    if (tls != NULL)
        atomic_fetch_add_explicit(&tls->count, 1, memory_order_relaxed);
    return tls;
}

void tls_unref(struct tls **tls)
{
    struct tls *gone = *tls;
    *tls = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->count, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(gone->context);
    mem_free(gone);
}

SSL_CTX *tls_context(struct tls *tls)
{
    return tls->context;
}

static uint64_t stamp_of(const char *file)
{
    struct stat info;
    if (stat(file, &info) != 0)
        return 0;
    uint64_t stamp = (uint64_t) info.st_mtim.tv_sec * 1000000007u;
    stamp ^= (uint64_t) info.st_mtim.tv_nsec * 31 + (uint64_t) info.st_size * 1009;
    return stamp ^ (uint64_t) info.st_ino << 20;
}

uint64_t tls_stamp(const char *certificate_file, const char *key_file)
{
    return stamp_of(certificate_file) * 3 + stamp_of(key_file);
}
