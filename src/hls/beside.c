/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hls/beside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"

/* Folders larger than this are no film's. */
#define ENTRIES_MOST 20000
/* More is no subtitle. */
#define FILE_BYTES_MOST (16 << 20)
#define WORDS_MOST      24

struct beside {
    atomic_uint references;
    char *film;
    struct beside_file *files;
    size_t count, room;
};

/* Languages as files say them: the tag first, then ISO 639-2 and names. */
static const char *const languages[] = {
    "ar ara arabic",
    "bg bul bulgarian",
    "bn ben bengali",
    "ca cat catalan",
    "cs ces cze czech",
    "da dan danish",
    "de deu ger german deutsch",
    "el ell gre greek",
    "en eng english",
    "es spa spanish espanol castellano",
    "et est estonian",
    "eu eus baq basque",
    "fa fas per persian farsi",
    "fi fin finnish",
    "fr fra fre french francais",
    "gl glg galician",
    "he heb hebrew",
    "hi hin hindi",
    "hr hrv croatian",
    "hu hun hungarian",
    "id ind indonesian",
    "is isl ice icelandic",
    "it ita italian italiano",
    "ja jpn japanese",
    "ko kor korean",
    "lt lit lithuanian",
    "lv lav latvian",
    "mk mkd mac macedonian",
    "ms msa may malay",
    "nl nld dut dutch",
    "no nor norwegian",
    "pl pol polish",
    "pt por portuguese",
    "ro ron rum romanian",
    "ru rus russian",
    "sk slk slo slovak",
    "sl slv slovenian",
    "sq sqi alb albanian",
    "sr srp serbian",
    "sv swe swedish",
    "ta tam tamil",
    "te tel telugu",
    "th tha thai",
    "tr tur turkish",
    "uk ukr ukrainian",
    "vi vie vietnamese",
    "zh zho chi chinese",
    "pt-BR pob brazilian",
};

/* --- names --- */

static bool is_in_words(const char *words, struct slice word)
{
    for (const char *at = words; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (length == word.length && strncasecmp(at, word.at, length) == 0)
            return true;
        at += length + (at[length] == ' ');
    }
    return false;
}

/* "pt-BR" may be written with a region of any language. */
static bool read_language(struct slice word, char out[8])
{
    size_t length = 0;
    while (length < word.length && word.at[length] != '-')
        length++;
    bool has_region = word.length == length + 3 && length == 2;
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        const char *words = languages[i];
        size_t tag = strcspn(words, " ");
        if (!is_in_words(words, has_region ? (struct slice){word.at, length} : word))
            continue;
        if (has_region)
            snprintf(out, 8, "%.2s-%c%c", words, char_upper(word.at[3]), char_upper(word.at[4]));
        else
            snprintf(out, 8, "%.*s", (int) tag, words);
        return true;
    }
    return false;
}

static bool read_format(const char *name, size_t *stem_length, char format[4])
{
    static const struct {
        const char *ending, *format;
    } endings[] = {{".srt", "srt"}, {".ass", "ass"}, {".ssa", "ass"}, {".vtt", "vtt"}};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (length <= 4 || strcasecmp(name + length - 4, endings[i].ending) != 0)
            continue;
        *stem_length = length - 4;
        memcpy(format, endings[i].format, 4);
        return true;
    }
    return false;
}

static bool is_separator(char byte)
{
    return strchr("._ ()[],+", byte) != NULL;
}

static void take_word(struct slice word, struct beside_file *out, struct str *title)
{
    if (is_in_words("forced foreign", word)) {
        out->is_forced = true;
    } else if (is_in_words("sdh cc hi hearing impaired", word)) {
        out->is_sdh = true;
    } else if (is_in_words("default full subs sub subtitles utf8 utf-8", word)) {
        /* says nothing to anybody */
    } else if (strcmp(out->language, "und") != 0 || !read_language(word, out->language)) {
        if (title->length > 0)
            str_putc(title, ' ');
        str_append_utf8(title, word.at, word.length);
    }
}

/* "2_English [SDH]". "hi" alone is Hindi where no other language is told. */
static void read_words(struct slice text, struct beside_file *out)
{
    struct str title = {0};
    struct slice words[WORDS_MOST];
    size_t count = 0;
    for (size_t at = 0; at < text.length && count < WORDS_MOST;) {
        size_t length = 0;
        while (at + length < text.length && !is_separator(text.at[at + length]))
            length++;
        if (length > 0)
            words[count++] = (struct slice){text.at + at, length};
        at += length + 1;
    }
    for (size_t i = 0; i < count; i++) {
        bool is_hindi = count == 1 && slice_is_nocase(words[i], "hi");
        if (is_hindi)
            memcpy(out->language, "hi", 3);
        else
            take_word(words[i], out, &title);
    }
    out->title = str_take(&title);
}

bool beside_read_name(const char *name, const char *stem, bool alone, struct beside_file *out)
{
    size_t length = 0, own = strlen(stem);
    *out = (struct beside_file){.language = "und"};
    if (name[0] == '.' || !read_format(name, &length, out->format))
        return false;
    bool begins = length >= own && strncasecmp(name, stem, own) == 0 &&
                  (length == own || is_separator(name[own]) || name[own] == '-');
    if (!begins && !alone)
        return false;
    size_t from = begins ? own : 0;
    read_words((struct slice){name + from, length - from}, out);
    return true;
}

void beside_file_fini(struct beside_file *file)
{
    mem_free(file->name);
    mem_free(file->path);
    mem_free(file->title);
    *file = (struct beside_file){0};
}

/* FNV-1a: an id that stays for as long as the name does. */
static void make_id(const char *name, char id[BESIDE_ID_SIZE])
{
    uint32_t hash = 2166136261u;
    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (unsigned char) *at) * 16777619u;
    snprintf(id, BESIDE_ID_SIZE, BESIDE_PREFIX "%08x", hash);
}

/* --- folders --- */

static bool is_film(const char *ending)
{
    static const char *const endings[] = {".mkv",  ".mp4", ".m4v",  ".mov", ".webm", ".avi", ".ts",
                                          ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv",  ".ogv"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

/* A search beside one film. */
struct search {
    struct beside *beside;
    char *folder, *stem;
    char **stems; /* of the other films in the folder */
    size_t stem_count, stem_room;
};

static struct beside *create(const char *film)
{
    struct beside *beside = mem_new(struct beside);
    atomic_init(&beside->references, 1);
    beside->film = mem_strdup(film);
    return beside;
}

/* A film with a longer name that fits too is the one it belongs to. */
static bool is_anothers(const struct search *search, const char *name)
{
    size_t own = strlen(search->stem);
    for (size_t i = 0; i < search->stem_count; i++) {
        size_t length = strlen(search->stems[i]);
        if (length > own && strncasecmp(name, search->stems[i], length) == 0)
            return true;
    }
    return false;
}

static void add(struct search *search, int folder, const char *sub, const char *name, bool alone)
{
    struct beside *beside = search->beside;
    struct beside_file file;
    struct stat status;
    struct str path = {0}, shown = {0};
    if (beside->count == BESIDE_MOST || is_anothers(search, name) ||
        !beside_read_name(name, search->stem, alone, &file))
        return;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size <= 0 || status.st_size > FILE_BYTES_MOST) {
        beside_file_fini(&file);
        return;
    }
    str_printf(&shown, "%s%s%s", sub, sub[0] != '\0' ? "/" : "", name);
    str_printf(&path, "%s/%s", search->folder, str_text(&shown));
    file.name = str_take(&shown);
    file.path = str_take(&path);
    file.size = (uint64_t) status.st_size;
    file.mtime_ns = (int64_t) status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    make_id(file.name, file.id);
    mem_grow(beside->files, beside->count, beside->room);
    beside->files[beside->count++] = file;
}

static void note_film(struct search *search, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL || !is_film(dot))
        return;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    mem_grow(search->stems, search->stem_count, search->stem_room);
    search->stems[search->stem_count++] = mem_strndup(name, (size_t) (dot - name));
}

typedef void entry_fn(struct search *search, int folder, const char *name, const char *sub);

static void each_entry(struct search *search, int folder, const char *sub, entry_fn *entry)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *found;
    if (listing == NULL) {
        fd_close(&fd);
        return;
    }
    for (unsigned i = 0; i < ENTRIES_MOST && (found = readdir(listing)) != NULL; i++)
        if (found->d_name[0] != '.')
            entry(search, folder, found->d_name, sub);
    closedir(listing);
}

static void look_for_film(struct search *search, int folder, const char *name, const char *sub)
{
    (void) folder;
    (void) sub;
    note_film(search, name);
}

static void look_beside(struct search *search, int folder, const char *name, const char *sub)
{
    add(search, folder, sub, name, false);
}

static void look_alone(struct search *search, int folder, const char *name, const char *sub)
{
    add(search, folder, sub, name, true);
}

/* "Subs/en.srt" is the film's where it is the only one in its folder; "Subs/Film/en.srt" always. */
static void look_in_folder(struct search *search, int folder, const char *name, const char *sub)
{
    bool is_subs = strcasecmp(name, "subs") == 0 || strcasecmp(name, "sub") == 0 ||
                   strcasecmp(name, "subtitles") == 0;
    bool is_own = sub[0] != '\0' && strcasecmp(name, search->stem) == 0;
    if ((sub[0] == '\0' && !is_subs) || (sub[0] != '\0' && !is_own))
        return;
    CLEANUP(fd_close)
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct str path = {0};
    if (fd < 0)
        return;
    str_printf(&path, "%s%s%s", sub, sub[0] != '\0' ? "/" : "", name);
    bool is_alone = is_own || search->stem_count <= 1;
    each_entry(search, fd, str_text(&path), is_alone ? look_alone : look_beside);
    if (sub[0] == '\0')
        each_entry(search, fd, str_text(&path), look_in_folder);
    str_fini(&path);
}

static int compare_names(const void *left, const void *right)
{
    const struct beside_file *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static void search_all(struct search *search)
{
    struct beside *beside = search->beside;
    CLEANUP(fd_close)
    int folder = open(search->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    each_entry(search, folder, "", look_for_film);
    each_entry(search, folder, "", look_beside);
    each_entry(search, folder, "", look_in_folder);
    if (beside->count > 1)
        qsort(beside->files, beside->count, sizeof *beside->files, compare_names);
}

struct beside *beside_find(const char *film_path)
{
    struct search search = {.beside = create(film_path)};
    const char *slash = strrchr(film_path, '/');
    if (slash == NULL || slash == film_path)
        return search.beside;
    const char *dot = strrchr(slash, '.');
    search.folder = mem_strndup(film_path, (size_t) (slash - film_path));
    search.stem = dot != NULL && dot > slash + 1
                      ? mem_strndup(slash + 1, (size_t) (dot - slash - 1))
                      : mem_strdup(slash + 1);
    search_all(&search);
    for (size_t i = 0; i < search.stem_count; i++)
        mem_free(search.stems[i]);
    mem_free(search.stems);
    mem_free(search.folder);
    mem_free(search.stem);
    return search.beside;
}

struct beside *beside_new_empty(void)
{
    return create("");
}

struct beside *beside_ref(struct beside *beside)
{
    atomic_fetch_add_explicit(&beside->references, 1, memory_order_relaxed);
    return beside;
}

void beside_unref(struct beside **beside)
{
    struct beside *gone = *beside;
    *beside = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < gone->count; i++)
        beside_file_fini(&gone->files[i]);
    mem_free(gone->files);
    mem_free(gone->film);
    mem_free(gone);
}

const struct beside_file *beside_files(const struct beside *beside, size_t *count)
{
    *count = beside->count;
    return beside->files;
}

const struct beside_file *beside_get(const struct beside *beside, struct slice id)
{
    for (size_t i = 0; i < beside->count; i++)
        if (slice_is(id, beside->files[i].id))
            return &beside->files[i];
    return NULL;
}

const char *beside_film(const struct beside *beside)
{
    return beside->film;
}
