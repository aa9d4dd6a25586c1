/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The judge of .torrent files and magnets: what libtorrent lets through and we do not, and the corpus where
 * it is. No session: nobody is asked for anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "torrent/shim.h"

/* --- torrents as text --- */

static void put_text(struct str *out, const char *text)
{
    str_printf(out, "%zu:%s", strlen(text), text);
}

enum { MOST_PIECES = 100 };
/* `files` as bencoded text of a files list, or NULL: one file of `size`. */
static void make(struct str *out, int piece_bytes, int64_t size, const char *name,
                 const char *files)
{
    int64_t pieces = size / piece_bytes + 1;
    if (size < 0 || pieces > MOST_PIECES)
        pieces = MOST_PIECES;
    if (size > 0 && size % piece_bytes == 0)
        pieces--;
    str_puts(out, "d4:infod");
    if (files != NULL)
        str_printf(out, "5:files%s", files);
    else
        str_printf(out, "6:lengthi%llde", (long long) size);
    str_puts(out, "4:name");
    put_text(out, name);
    str_printf(out, "12:piece lengthi%de6:pieces%lld:", piece_bytes, (long long) pieces * 20);
    for (int64_t i = 0; i < pieces; i++)
        str_puts(out, "aaaaaaaaaaaaaaaaaaaa");
    str_puts(out, "ee");
}

static enum err judge(const struct str *torrent, struct shim_meta **meta, struct why *why)
{
    *why = (struct why){0};
    *meta = NULL;
    return shim_meta_read(torrent->at, torrent->length, meta, why);
}

static void refuses(int piece_bytes, int64_t size, const char *files, const char *words)
{
    struct str torrent = {0};
    struct shim_meta *meta;
    struct why why;
    make(&torrent, piece_bytes, size, "a film", files);
    assert_int_not_equal(judge(&torrent, &meta, &why), OK);
    assert_null(meta);
    if (strstr(why.text, words) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", why.text, words);
    str_fini(&torrent);
}

static void a_hybrid_torrent_is_known_by_either_hash(void **state UNUSED)
{
    struct shim_hashes both = {"aa", "bb"}, first = {"aa", ""}, second = {"", "bb"};
    assert_true(shim_hashes_meet(&both, &first) && shim_hashes_meet(&second, &both));
    assert_false(shim_hashes_meet(&first, &second) || shim_hashes_meet(&second, &first));
    assert_string_equal(shim_hash(&both), "aa");
    assert_string_equal(shim_hash(&second), "bb");
}

static void says_what_a_torrent_holds(void **state UNUSED)
{
    struct str torrent = {0};
    struct shim_meta *meta;
    struct why why;
    make(&torrent, 16384, 50000, "Film (1999).mkv", NULL);
    assert_int_equal(judge(&torrent, &meta, &why), OK);
    assert_string_equal(meta->name, "Film (1999).mkv");
    assert_int_equal(meta->size, 50000);
    assert_int_equal(meta->pieces, 4);
    assert_int_equal(meta->piece_bytes, 16384);
    assert_int_equal(meta->file_count, 1);
    assert_string_equal(meta->files[0].path, "Film (1999).mkv");
    assert_int_equal(strlen(meta->hashes.v1), 40);
    shim_meta_free(&meta);
    str_fini(&torrent);
}

static void refuses_odd_pieces(void **state UNUSED)
{
    refuses(17000, 50000, NULL, "power of two");
    refuses(1024, 50000, NULL, "power of two");
    refuses(128 * 1024 * 1024, 50000, NULL, "power of two");
}

static void refuses_what_is_empty_or_endless(void **state UNUSED)
{
    refuses(16384, 0, NULL, "");
    refuses(16384, -5, NULL, "");
    refuses(16384, INT64_MAX, NULL, "");
}

static void refuses_too_many_files(void **state UNUSED)
{
    struct str files = {0};
    str_puts(&files, "l");
    for (int i = 0; i < 20001; i++)
        str_printf(&files, "d6:lengthi1e4:pathl6:f%05dee", i);
    str_puts(&files, "e");
    refuses(16384, 20001, files.at, "files");
    str_fini(&files);
}

static void refuses_deep_paths(void **state UNUSED)
{
    struct str files = {0};
    str_puts(&files, "ld6:lengthi9e4:pathl");
    for (int i = 0; i < 20; i++)
        str_puts(&files, "1:d");
    str_puts(&files, "eee");
    refuses(16384, 9, files.at, "too deep");
    str_fini(&files);
}

/* Names are shown, never used; whatever they say. */
static void names_lead_nowhere(void **state UNUSED)
{
    struct str torrent = {0};
    struct shim_meta *meta;
    struct why why;
    make(&torrent, 16384, 30, "..",
         "ld6:lengthi10e4:pathl2:..2:..6:passwdeed6:lengthi20e4:pathl9:/etc/hosteee");
    assert_int_equal(judge(&torrent, &meta, &why), OK);
    for (size_t i = 0; i < meta->file_count; i++) {
        assert_null(strstr(meta->files[i].path, ".."));
        assert_int_not_equal(meta->files[i].path[0], '/');
    }
    shim_meta_free(&meta);
    str_fini(&torrent);
}

static void refuses_what_is_no_torrent(void **state UNUSED)
{
    static const char *const texts[] = {"",    "d",           "de",       "hello",
                                        "i5e", "d4:infoi1ee", "d4:infod", "\xff\xfe"};
    struct shim_meta *meta = NULL;
    struct why why = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(shim_meta_read(texts[i], strlen(texts[i]), &meta, &why), ERR_BAD_INPUT);
        assert_non_null(strstr(why.text, "no torrent"));
    }
    CLEANUP(mem_free_at) uint8_t *large = mem_zalloc(10000001);
    assert_int_equal(shim_meta_read(large, 10000001, &meta, &why), ERR_LIMIT);
}

static void reads_magnets(void **state UNUSED)
{
    struct shim_hashes hashes;
    char *name = NULL;
    assert_int_equal(shim_magnet_read("magnet:?xt=urn:btih:0123456789abcdef0123456789ABCDEF01234567"
                                      "&dn=..%2F..%2Fetc&tr=file:///etc/passwd&x.pe=10.0.0.1:22",
                                      &hashes, &name, NULL),
                     OK);
    assert_string_equal(hashes.v1, "0123456789abcdef0123456789abcdef01234567");
    assert_string_equal(shim_hash(&hashes), hashes.v1);
    assert_string_equal(hashes.v2, "");
    mem_free(name);
}

static void refuses_magnets_of_nothing(void **state UNUSED)
{
    static const char *const texts[] = {
        "",
        "magnet:",
        "magnet:?",
        "magnet:?dn=film",
        "magnet:?xt=urn:btih:12",
        "magnet:?xt=urn:btih:0000000000000000000000000000000000000000",
        "http://example.org/a.torrent",
        "magnet:?xt=urn:sha1:0123456789abcdef0123456789abcdef01234567"};
    struct shim_hashes hashes;
    char *name = NULL;
    struct why why;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        why = (struct why){0};
        assert_int_equal(shim_magnet_read(texts[i], &hashes, &name, &why), ERR_BAD_INPUT);
        assert_true(strlen(why.text) > 10);
    }
    struct str longer = {0};
    str_puts(&longer, "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567");
    while (longer.length < 9000)
        str_puts(&longer, "&tr=http://example.org/announce");
    assert_int_equal(shim_magnet_read(longer.at, &hashes, &name, &why), ERR_LIMIT);
    str_fini(&longer);
}

/* --- the corpus: one row of expected.tsv a torrent --- */

static void judge_file(const char *folder, const char *name, const char *verdict)
{
    struct str path = {0};
    struct stat status;
    struct shim_meta *meta = NULL;
    struct why why = {0};
    size_t got = 0;
    str_printf(&path, "%s/%s", folder, name);
    CLEANUP(fd_close) int fd = open(path.at, O_RDONLY | O_CLOEXEC);
    str_fini(&path);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    CLEANUP(mem_free_at) uint8_t *bytes = mem_zalloc((size_t) status.st_size + 1);
    assert_int_equal(fd_read_at(fd, bytes, (size_t) status.st_size, 0, &got), OK);
    enum err kind = shim_meta_read(bytes, got, &meta, &why);
    if (kind == OK) {
        assert_string_not_equal(verdict, "reject");
        for (size_t i = 0; i < meta->file_count; i++)
            assert_true(meta->files[i].offset + meta->files[i].size <= meta->size);
    } else {
        assert_true(strlen(why.text) > 10);
        /* What libtorrent takes and we do not is refused for its shape. */
        bool is_ours = strstr(why.text, "no torrent that can be read") == NULL;
        if (strcmp(verdict, "accept") == 0 && !is_ours)
            fail_msg("%s: %s", name, why.text);
    }
    shim_meta_free(&meta);
}

static void judges_the_corpus(void **state UNUSED)
{
    static const char folder[] = MATINEE_SOURCE_DIR "/../shared/corpus/torrents";
    char line[8192];
    struct str path = {0};
    str_printf(&path, "%s/expected.tsv", folder);
    FILE *table = fopen(path.at, "re");
    str_fini(&path);
    if (table == NULL)
        skip();
    int rows = 0;
    (void) !fgets(line, sizeof line, table);
    while (fgets(line, sizeof line, table) != NULL) {
        char *rest = line;
        const char *name = strsep(&rest, "\t");
        (void) !strsep(&rest, "\t");
        const char *verdict = strsep(&rest, "\t");
        judge_file(folder, name, verdict);
        rows++;
    }
    fclose(table);
    assert_true(rows > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hybrid_torrent_is_known_by_either_hash),
        cmocka_unit_test(says_what_a_torrent_holds),
        cmocka_unit_test(refuses_odd_pieces),
        cmocka_unit_test(refuses_what_is_empty_or_endless),
        cmocka_unit_test(refuses_too_many_files),
        cmocka_unit_test(refuses_deep_paths),
        cmocka_unit_test(names_lead_nowhere),
        cmocka_unit_test(refuses_what_is_no_torrent),
        cmocka_unit_test(reads_magnets),
        cmocka_unit_test(refuses_magnets_of_nothing),
        cmocka_unit_test(judges_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
