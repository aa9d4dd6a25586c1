/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/password.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 1024 };

_Static_assert(crypto_pwhash_argon2id_STRBYTES <= STORE_PASSWORD_SIZE, "a hash fits its column");

static _Atomic uint64_t hashes;

uint64_t password_hashes(void)
{
    return atomic_load_explicit(&hashes, memory_order_relaxed);
}

static bool is_clean(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        unsigned char byte = (unsigned char) name.at[i];
        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    return name.at[0] != ' ' && name.at[name.length - 1] != ' ';
}

enum err name_check(struct slice name, char out[STORE_NAME_SIZE], char folded[STORE_NAME_SIZE],
                    struct why *why)
{
    if (name.length == 0 || name.length >= STORE_NAME_SIZE)
        return why_set(why, ERR_BAD_INPUT, "username", "a name has 1 to 64 characters");
    if (!str_is_utf8(name.at, name.length) || !is_clean(name))
        return why_set(why, ERR_BAD_INPUT, "username",
                       "a name has no control characters and no space at its ends");
    memset(out, 0, STORE_NAME_SIZE);
    memset(folded, 0, STORE_NAME_SIZE);
    memcpy(out, name.at, name.length);
    for (size_t i = 0; i < name.length; i++)
        folded[i] = out[i] >= 'A' && out[i] <= 'Z' ? (char) (out[i] + 32) : out[i];
    return OK;
}

enum err password_check(struct slice password, struct why *why)
{
    if (password.length < PASSWORD_MIN)
        return why_set(why, ERR_BAD_INPUT, "password", "a password has at least %d characters",
                       (int) PASSWORD_MIN);
    if (password.length > PASSWORD_MAX)
        return why_set(why, ERR_BAD_INPUT, "password", "a password has at most %d bytes",
                       (int) PASSWORD_MAX);
    return OK;
}

/* libsodium's "interactive" cost: 2 passes over 64 MiB, about 100 ms (RFC 9106 4 asks for 3 passes
 * at 64 MiB on small machines; the rate limit makes up for one). */
enum err password_hash(struct slice password, char out[STORE_PASSWORD_SIZE])
{
    atomic_fetch_add_explicit(&hashes, 1, memory_order_relaxed);
    int result =
        crypto_pwhash_str_alg(out, password.at, password.length, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                              crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13);
    return result == 0 ? OK : ERR_BUSY;
}

bool password_is(struct slice password, const char hash[STORE_PASSWORD_SIZE])
{
    char wasted[STORE_PASSWORD_SIZE];
    if (hash[0] == '\0') {
        (void) !password_hash(password, wasted);
        return false;
    }
    atomic_fetch_add_explicit(&hashes, 1, memory_order_relaxed);
    return crypto_pwhash_str_verify(hash, password.at, password.length) == 0;
}
