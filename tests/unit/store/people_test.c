/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Accounts, sessions, keys, codes and the log, as kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/audit.h"
#include "store/invites.h"
#include "store/keys.h"
#include "store/sessions.h"

struct bed {
    char folder[64], path[96];
    struct store *store;
};

static int make_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    snprintf(bed->folder, sizeof bed->folder, "/tmp/matinee-people-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/matinee.db", bed->folder);
    assert_int_equal(store_open(bed->path, &bed->store, NULL), OK);
    *state = bed;
    return 0;
}

static int clear_bed(void **state)
{
    struct bed *bed = *state;
    store_close(&bed->store);
    unlink(bed->path);
    assert_int_equal(rmdir(bed->folder), 0);
    free(bed);
    return 0;
}

static struct store_user add(struct bed *bed, const char *name, enum role role)
{
    struct store_user user = {.role = role, .created_ms = 5, .password = "hash"};
    store_new_id(user.id);
    snprintf(user.name, sizeof user.name, "%s", name);
    snprintf(user.folded, sizeof user.folded, "%s", name);
    assert_int_equal(store_user_add(bed->store, &user, false), OK);
    return user;
}

static struct store_session session_of(const struct store_user *user, const char *id, uint8_t hash)
{
    struct store_session session = {.hash = {hash}, .agent = "a browser", .peer = "192.0.2.1"};
    snprintf(session.id, sizeof session.id, "%s", id);
    snprintf(session.user, sizeof session.user, "%s", user->id);
    return session;
}

enum { SEEN_SIZE = 256 };

static void note(char *seen, const char *word)
{
    size_t used = strlen(seen);
    snprintf(seen + used, SEEN_SIZE - used, "%s ", word);
}

static void note_session(void *ctx, const struct store_session *session,
                         const struct store_user *user)
{
    (void) user;
    note(ctx, session->id);
}

static void note_key(void *ctx, const struct store_key *key, const struct store_user *user)
{
    (void) user;
    note(ctx, key->name);
}

static void note_invite(void *ctx, const struct store_invite *invite)
{
    note(ctx, invite->id);
}

static void note_audit(void *ctx, const struct store_audit *entry)
{
    note(ctx, entry->object);
}

static void an_administrator_is_always_left(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN), ben = add(bed, "ben", ROLE_ADMIN), out;
    const enum role member = ROLE_MEMBER;
    const bool yes = true, no = false;
    const struct store_user_change demote = {.role = &member}, disable = {.is_disabled = &yes};
    assert_int_equal(store_user_change(bed->store, ben.id, &disable, &out), OK);
    assert_true(out.is_disabled);
    assert_int_equal(store_user_change(bed->store, anna.id, &demote, &out), ERR_REFUSED);
    assert_int_equal(store_user_change(bed->store, anna.id, &disable, &out), ERR_REFUSED);
    assert_int_equal(store_user_remove(bed->store, anna.id), ERR_REFUSED);
    assert_int_equal(store_user_get(bed->store, anna.id, &out), OK); /* and nothing was done */
    assert_int_equal(out.role, ROLE_ADMIN);
    assert_false(out.is_disabled);
    assert_int_equal(store_user_change(bed->store, ben.id,
                                       &(struct store_user_change){.is_disabled = &no}, &out),
                     OK);
    assert_int_equal(store_user_remove(bed->store, anna.id), OK);
    assert_int_equal(store_user_remove(bed->store, anna.id), ERR_NOT_FOUND);
    assert_int_equal(store_user_change(bed->store, anna.id, &demote, &out), ERR_NOT_FOUND);
}

static void a_name_is_taken_once(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN), ben = add(bed, "ben", ROLE_MEMBER), out;
    struct store_user_change rename = {.name = "Anna", .folded = "anna"};
    assert_int_equal(store_user_change(bed->store, ben.id, &rename, &out), ERR_BUSY);
    assert_int_equal(store_user_change(bed->store, anna.id, &rename, &out), OK);
    assert_string_equal(out.name, "Anna");
    assert_int_equal(out.role, ROLE_ADMIN);
}

/* Who was let in is signed in only if he still is as he was then. */
static void sessions_begin_for_who_is_still_let_in(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN), ben = add(bed, "ben", ROLE_MEMBER), out;
    const bool yes = true;
    struct store_session first = session_of(&ben, "first", 1),
                         second = session_of(&ben, "second", 2);
    char seen[SEEN_SIZE] = "";
    assert_int_equal(store_session_add(bed->store, &first, &ben), OK);
    assert_int_equal(store_user_set_password(bed->store, ben.id, "another", NULL), OK);
    assert_int_equal(store_session_add(bed->store, &second, &ben), ERR_GONE);
    snprintf(ben.password, sizeof ben.password, "another");
    assert_int_equal(store_session_add(bed->store, &second, &ben), OK);
    assert_int_equal(store_sessions_each(bed->store, ben.id, note_session, seen), OK);
    assert_string_equal(seen, "second ");
    assert_int_equal(store_session_remove(bed->store, "second", anna.id), ERR_NOT_FOUND);
    assert_int_equal(store_user_change(bed->store, ben.id,
                                       &(struct store_user_change){.is_disabled = &yes}, &out),
                     OK);
    assert_int_equal(store_session_remove(bed->store, "second", ben.id), ERR_NOT_FOUND);
    assert_int_equal(store_session_add(bed->store, &first, &ben), ERR_GONE);
    assert_int_equal(store_user_remove(bed->store, ben.id), OK);
    assert_int_equal(store_session_add(bed->store, &first, &ben), ERR_GONE);
}

static void a_password_ends_all_sessions_but_one(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN);
    struct store_session one = session_of(&anna, "one", 1), two = session_of(&anna, "two", 2);
    char seen[SEEN_SIZE] = "";
    assert_int_equal(store_session_add(bed->store, &one, &anna), OK);
    assert_int_equal(store_session_add(bed->store, &two, &anna), OK);
    assert_int_equal(store_user_set_password(bed->store, anna.id, "another", "two"), OK);
    assert_int_equal(store_sessions_each(bed->store, NULL, note_session, seen), OK);
    assert_string_equal(seen, "two ");
}

static void keys_are_their_owners(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN), ben = add(bed, "ben", ROLE_MEMBER);
    char seen[SEEN_SIZE] = "";
    for (uint8_t i = 0; i < STORE_KEYS_MOST + 1; i++) {
        struct store_key key = {.hash = {i}, .name = "k", .scopes = SCOPE_READ, .created_ms = i};
        snprintf(key.id, sizeof key.id, "key%d", i);
        snprintf(key.user, sizeof key.user, "%s", i == 0 ? anna.id : ben.id);
        assert_int_equal(store_key_add(bed->store, &key), OK);
    }
    struct store_key more = {.id = "more", .hash = {200}, .name = "more"};
    snprintf(more.user, sizeof more.user, "%s", ben.id);
    assert_int_equal(store_key_add(bed->store, &more), ERR_LIMIT);
    assert_int_equal(store_key_remove(bed->store, "key1", anna.id), ERR_NOT_FOUND);
    assert_int_equal(store_key_remove(bed->store, "key1", ben.id), OK);
    assert_int_equal(store_key_add(bed->store, &more), OK);
    assert_int_equal(store_key_seen(bed->store, "key0", 77), OK);
    assert_int_equal(store_user_remove(bed->store, ben.id), OK);
    assert_int_equal(store_keys_each(bed->store, NULL, note_key, seen), OK);
    assert_string_equal(seen, "k ");
}

static void an_invitation_makes_one_account(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN);
    struct store_invite invite = {
        .id = "i", .hash = {7}, .role = ROLE_ADMIN, .created_ms = 1, .expires_ms = 100};
    struct store_user ben = {.id = "b", .name = "ben", .folded = "ben"};
    char seen[SEEN_SIZE] = "";
    const uint8_t wrong[STORE_HASH_SIZE] = {8};
    snprintf(invite.made_by, sizeof invite.made_by, "%s", anna.id);
    assert_int_equal(store_invite_add(bed->store, &invite), OK);
    assert_int_equal(store_invites_each(bed->store, 99, note_invite, seen), OK);
    assert_int_equal(store_invites_each(bed->store, 100, note_invite, seen), OK);
    assert_string_equal(seen, "i ");
    assert_int_equal(store_invite_use(bed->store, wrong, 50, &ben), ERR_NOT_FOUND);
    snprintf(ben.folded, sizeof ben.folded, "anna"); /* taken: the invitation is still good */
    assert_int_equal(store_invite_use(bed->store, invite.hash, 50, &ben), ERR_BUSY);
    snprintf(ben.folded, sizeof ben.folded, "ben");
    assert_int_equal(store_invite_use(bed->store, invite.hash, 50, &ben), OK);
    assert_int_equal(ben.role, ROLE_ADMIN);
    snprintf(ben.id, sizeof ben.id, "c");
    snprintf(ben.folded, sizeof ben.folded, "cleo");
    assert_int_equal(store_invite_use(bed->store, invite.hash, 50, &ben), ERR_NOT_FOUND);
    assert_int_equal(store_invite_add(bed->store, &invite), OK);
    assert_int_equal(store_invite_use(bed->store, invite.hash, 100, &ben), ERR_NOT_FOUND);
    assert_int_equal(store_invite_remove(bed->store, "i"), OK);
    assert_int_equal(store_invite_remove(bed->store, "i"), ERR_NOT_FOUND);
}

static void a_link_sets_one_password(void **state)
{
    struct bed *bed = *state;
    struct store_user anna = add(bed, "anna", ROLE_ADMIN), out;
    const uint8_t old[STORE_HASH_SIZE] = {1}, young[STORE_HASH_SIZE] = {2};
    assert_int_equal(store_reset_put(bed->store, "nobody", old, 100), ERR_NOT_FOUND);
    assert_int_equal(store_reset_put(bed->store, anna.id, old, 100), OK);
    assert_int_equal(store_reset_put(bed->store, anna.id, young, 100), OK);
    assert_int_equal(store_reset_use(bed->store, old, 50, "x", &out), ERR_NOT_FOUND);
    assert_int_equal(store_reset_use(bed->store, young, 100, "x", &out), ERR_NOT_FOUND);
    assert_int_equal(store_reset_use(bed->store, young, 50, "new hash", &out), OK);
    assert_string_equal(out.password, "new hash");
    assert_int_equal(store_reset_use(bed->store, young, 50, "x", &out), ERR_NOT_FOUND);
}

static void what_was_done_is_read_from_the_end(void **state)
{
    struct bed *bed = *state;
    char seen[SEEN_SIZE] = "";
    static const char *const OBJECTS[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        const struct store_audit entry = {
            .at_ms = i, .name = "anna", .action = "did", .object = OBJECTS[i], .peer = ""};
        assert_int_equal(store_audit_add(bed->store, &entry), OK);
    }
    assert_int_equal(store_audit_each(bed->store, 0, 2, note_audit, seen), OK);
    assert_int_equal(store_audit_each(bed->store, 2, 9, note_audit, seen), OK);
    assert_string_equal(seen, "three two one ");
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, make_bed, clear_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(an_administrator_is_always_left),
        IN_BED(a_name_is_taken_once),
        IN_BED(sessions_begin_for_who_is_still_let_in),
        IN_BED(a_password_ends_all_sessions_but_one),
        IN_BED(keys_are_their_owners),
        IN_BED(an_invitation_makes_one_account),
        IN_BED(a_link_sets_one_password),
        IN_BED(what_was_done_is_read_from_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
