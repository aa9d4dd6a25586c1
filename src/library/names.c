/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The name is parted into words. A year, or else the first word that only releases bear, ends the
 * title. Words such as "web" are both: they end a title only where no year does. */
#include "library/names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { NAME_MAX_BYTES = 1024, WORDS_MAX = 160, FIRST_YEAR = 1895 /* the Lumieres */ };

struct word {
    size_t at, length; /* in the text */
    bool is_bracketed; /* stands in brackets, or begins so */
};

struct words {
    const char *text;
    struct word items[WORDS_MAX];
    size_t count;
};

static const char *const EXTENSIONS[] = {
    "mkv",  "mp4",  "m4v", "mov", "webm", "avi",  "ts",  "m2ts", "mts", "mpg",  "mpeg", "ps",
    "vob",  "wmv",  "asf", "flv", "f4v",  "ogv",  "ogm", "3gp",  "3g2", "mk3d", "divx", "rm",
    "rmvb", "mxf",  "dv",  "mp3", "flac", "m4a",  "m4b", "opus", "ogg", "oga",  "wav",  "aac",
    "ac3",  "eac3", "dts", "mka", "wma",  "aiff", "aif", "ape",  "wv",  "tta",  "mp2",  "weba"};

static const char *extension_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? dot + 1 : "";
}

bool names_is_media(const char *file_name)
{
    const char *extension = extension_of(file_name);
    for (size_t i = 0; i < sizeof EXTENSIONS / sizeof EXTENSIONS[0]; i++)
        if (strcasecmp(extension, EXTENSIONS[i]) == 0)
            return true;
    return false;
}

/* --- words --- */

static bool is_bracket(char byte)
{
    return strchr("()[]{}", byte) != NULL && byte != '\0';
}

/* What parts words depends on the name: "Mr. Nobody" and "E.T. the Extra-Terrestrial" keep their
 * dots, "Dog.2014" does not; dashes part words only where nothing else does. */
struct style {
    bool has_spaces, dashes;
};

static struct style style_of(const char *text)
{
    struct style style = {.has_spaces = strchr(text, ' ') != NULL};
    style.dashes = strpbrk(text, " ._()[]{}") == NULL;
    return style;
}

static bool dot_parts(const char *text, size_t i, struct style style)
{
    if (!style.has_spaces)
        return true;
    bool after_one = i == 0 || i == 1 || !isalnum((unsigned char) text[i - 2]);
    return text[i + 1] != ' ' && text[i + 1] != '\0' && !after_one;
}

static bool parts(const char *text, size_t i, struct style style)
{
    char byte = text[i];
    return byte == ' ' || byte == '_' || byte == '\t' || byte == '+' || is_bracket(byte) ||
           (byte == '-' && style.dashes) || (byte == '.' && dot_parts(text, i, style));
}

static void split(struct words *words, const char *text)
{
    struct style style = style_of(text);
    int depth = 0;
    words->text = text;
    words->count = 0;
    for (size_t i = 0; text[i] != '\0' && words->count < WORDS_MAX;) {
        if (parts(text, i, style)) {
            depth += strchr("([{", text[i]) != NULL ? 1 : 0;
            depth -= strchr(")]}", text[i]) != NULL && depth > 0 ? 1 : 0;
            i++;
            continue;
        }
        struct word word = {.at = i, .is_bracketed = depth > 0};
        while (text[i] != '\0' && !parts(text, i, style))
            i++;
        word.length = i - word.at;
        words->items[words->count++] = word;
    }
}

static struct slice word_text(const struct words *words, size_t i)
{
    return (struct slice){words->text + words->items[i].at, words->items[i].length};
}

static bool is_one_of(struct slice word, const char *list)
{
    char wanted[24];
    if (word.length == 0 || word.length + 2 >= sizeof wanted)
        return false;
    wanted[0] = ' ';
    for (size_t i = 0; i < word.length; i++)
        wanted[i + 1] = char_lower(word.at[i]);
    wanted[word.length + 1] = ' ';
    wanted[word.length + 2] = '\0';
    return strstr(list, wanted) != NULL;
}

/* --- what words are --- */

static const char RELEASE[] =
    " bluray blu-ray bdrip brrip bdremux bd25 bd50 remux webrip web-rip web-dl webdl web-dlrip "
    "webdlrip hdtv hdtvrip hdrip dvdrip dvd-rip dvd5 dvd9 dvdr dvdscr dvd-r hddvd hd-dvd pdtv sdtv "
    "dsr dsrip satrip tvrip vhsrip hdcam camrip telesync hdts hdtc telecine screener bdscr "
    "xvid divx x264 x265 x-264 x-265 h264 h265 h-264 h-265 h.264 h.265 hevc avc av1 vp9 mpeg2 "
    "mpeg4 "
    "10bit 8bit 10-bit hi10p hdr hdr10 hdr10+ sdr uhd 4k 8k 2160 1080 "
    "aac ac3 eac3 dts dts-hd ddp dd+ truehd atmos flac mp3 dd5 ddp5 dd2 aac2 dts5 5.1 7.1 2ch 6ch "
    "amzn nf dsnp hmax repack rerip readnfo bdmux dlmux bdripmux web-dlmux dubbed subbed hardsub "
    "hc telesynch workprint ";
static const char PERHAPS_RELEASE[] =
    " web cam ts tc dvd bd r5 scr hd full-hd fullhd tv vhs rip proper real internal limited "
    "extended "
    "unrated uncut uncensored remastered restored theatrical imax multi dual dl ml complete "
    "festival "
    "stv retail custom dv dc se season hybrid open criterion 3d hsbs half-sbs sbs hou nfofix ws fs "
    "subs dubs omnibus anniversary pal ntsc ppv boxset convert director's directors cd1 cd2 2cd ";
static const char EDITION[] = " extended unrated uncut uncensored remastered restored theatrical "
                              "imax proper limited dc se 3d "
                              "directors director's director cut edition internal ";
static const char LANGUAGE[] =
    " german french italian spanish english eng ita fre ger spa rus russian vostfr truefrench "
    "nordic swedish danish norwegian finnish dutch polish portuguese hindi korean japanese chinese "
    "vff vf vo multisubs dublado legendado castellano latino lat esp pl hun ukr cz sk ";

static size_t count_digits(struct slice word, size_t from)
{
    size_t i = from;
    while (i < word.length && isdigit((unsigned char) word.at[i]))
        i++;
    return i - from;
}

/* True when the i-th character is this letter, in either case. */
static bool has_letter(struct slice word, size_t i, char letter)
{
    return i < word.length && char_lower(word.at[i]) == letter;
}

/* 480p, 1080i, 2160p; 1920x1080 */
static bool is_resolution(struct slice word)
{
    size_t digits = count_digits(word, 0);
    if (digits < 3 || digits > 4 || digits == word.length)
        return false;
    if (has_letter(word, digits, 'x'))
        return word.length - digits >= 4 && count_digits(word, digits + 1) > 0;
    return (has_letter(word, digits, 'p') || has_letter(word, digits, 'i')) &&
           (word.length == digits + 1 || !isalpha((unsigned char) word.at[digits + 1]));
}

/* BD1080p */
static bool ends_like_resolution(struct slice word)
{
    static const char *const ENDS[] = {"480p", "576p", "720p", "1080p", "2160p"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        size_t length = strlen(ENDS[i]);
        if (word.length > length &&
            strncasecmp(word.at + word.length - length, ENDS[i], length) == 0)
            return true;
    }
    return false;
}

/* S01E02, S01, E05 */
static bool is_marked_episode(struct slice word)
{
    size_t digits = count_digits(word, 1);
    if (has_letter(word, 0, 's') && digits >= 1 && digits <= 4)
        return word.length == digits + 1 || has_letter(word, digits + 1, 'e');
    return has_letter(word, 0, 'e') && digits >= 2 && word.length == digits + 1;
}

/* 1x02 */
static bool is_crossed_episode(struct slice word)
{
    size_t digits = count_digits(word, 0);
    if (digits < 1 || digits > 2 || word.length < digits + 3)
        return false;
    return has_letter(word, digits, 'x') &&
           count_digits(word, digits + 1) == word.length - digits - 1;
}

static bool is_episode(struct slice word)
{
    return word.length >= 3 && (is_marked_episode(word) || is_crossed_episode(word));
}

/* The part before a group's name: "x264-GROUP". */
static struct slice before_dash(struct slice word)
{
    const char *dash = memchr(word.at, '-', word.length);
    if (dash == NULL || dash == word.at)
        return word;
    return (struct slice){word.at, (size_t) (dash - word.at)};
}

static bool is_release(const struct words *words, size_t i)
{
    struct slice word = word_text(words, i);
    if (is_resolution(word) || ends_like_resolution(word) || is_episode(word) ||
        is_one_of(word, RELEASE) || is_one_of(before_dash(word), RELEASE))
        return true;
    /* "H 264", from H.264 */
    return is_one_of(word, " h x ") && i + 1 < words->count &&
           is_one_of(before_dash(word_text(words, i + 1)), " 264 265 ");
}

static bool is_language_tag(const struct words *words, size_t i)
{
    if (!is_one_of(word_text(words, i), LANGUAGE))
        return false;
    return i + 1 == words->count || is_release(words, i + 1) ||
           is_one_of(word_text(words, i + 1), PERHAPS_RELEASE) ||
           is_one_of(word_text(words, i + 1), LANGUAGE);
}

static int year_of(struct slice word, int this_year)
{
    uint64_t year = 0;
    if (word.length != 4 || slice_number(word, 9999, &year) != OK)
        return 0;
    return year >= FIRST_YEAR && (int) year <= this_year + 1 ? (int) year : 0;
}

/* --- the title --- */

static size_t first_release(const struct words *words)
{
    size_t i = 0;
    while (i < words->count &&
           (!is_release(words, i) || (i == 0 && words->count > 1 && !words->items[0].is_bracketed)))
        i++;
    return i;
}

/* The last year before what releases bear, one in brackets before all others; never the first word,
 * which is then the title. Failing that, the first year after. */
static size_t find_year(const struct words *words, size_t release, int this_year)
{
    size_t found = 0;
    for (size_t i = 1; i < release; i++) {
        bool better =
            found == 0 || words->items[i].is_bracketed || !words->items[found].is_bracketed;
        if (better && year_of(word_text(words, i), this_year) != 0)
            found = i;
    }
    for (size_t i = release + 1; i < words->count && found == 0; i++)
        if (year_of(word_text(words, i), this_year) != 0)
            found = i;
    return found;
}

static size_t end_without_year(const struct words *words, size_t release)
{
    for (size_t i = 1; i < release; i++)
        if (is_one_of(word_text(words, i), PERHAPS_RELEASE) || is_language_tag(words, i))
            return i;
    return release;
}

/* "South Park: Bigger, Longer and Uncut" */
static bool belongs_to_title(const struct words *words, size_t i)
{
    return is_one_of(word_text(words, i), " and & the und et y ");
}

static size_t end_before_year(const struct words *words, size_t end)
{
    while (end > 1 && is_one_of(word_text(words, end - 1), EDITION) &&
           !belongs_to_title(words, end - 2))
        end--;
    return end;
}

/* What stands in brackets after the title, and what it is also known as, is no part of it. */
static size_t end_of_main(const struct words *words, size_t end)
{
    for (size_t i = 1; i < end; i++) {
        bool opens = words->items[i].is_bracketed && !words->items[0].is_bracketed;
        if (opens || is_one_of(word_text(words, i), " aka a.k.a a.k.a. "))
            return i;
    }
    return end;
}

/* Dashes at its ends go, brackets too. */
static void write_title(const struct words *words, size_t begin, size_t end, struct str *out)
{
    for (size_t i = begin; i < end; i++) {
        struct slice word = word_text(words, i);
        if (word.length == 1 && word.at[0] == '-' && (i == begin || i + 1 == end))
            continue;
        if (out->length > 0)
            str_putc(out, ' ');
        str_append(out, word.at, word.length);
    }
    while (out->length > 0 && strchr(" -,:;.", out->at[out->length - 1]) != NULL)
        out->at[--out->length] = '\0';
}

/* "[Group] Title", "www.site.org - Title", "{x}": what stands before the title. */
static const char *skip_prefix(const char *text)
{
    for (;;) {
        while (*text == ' ' || *text == '.' || *text == '_' || *text == '-')
            text++;
        const char *end = NULL;
        if (*text == '[' || *text == '{')
            end = strpbrk(text, *text == '[' ? "]" : "}");
        else if (strncasecmp(text, "www.", 4) == 0)
            end = strstr(text, " - ");
        if (end == NULL || strspn(end + 1, " ._-") == strlen(end + 1))
            return text;
        text = end + 1;
    }
}

/* "(2000) Title" */
static int leading_year(const char **text, int this_year)
{
    if (**text != '(' || strlen(*text) < 8 || (*text)[5] != ')')
        return 0;
    int year = year_of((struct slice){*text + 1, 4}, this_year);
    if (year != 0)
        *text = skip_prefix(*text + 6);
    return year;
}

static void parse_text(const char *text, int this_year, struct str *title, int *year)
{
    struct words words;
    const char *rest = skip_prefix(text);
    int leading = leading_year(&rest, this_year);
    split(&words, rest);
    size_t release = first_release(&words);
    size_t at = find_year(&words, release, this_year);
    size_t end;
    *year = at > 0 ? year_of(word_text(&words, at), this_year) : leading;
    if (at > 0 && at < release)
        end = end_before_year(&words, at);
    else
        end = end_without_year(&words, release);
    write_title(&words, 0, end_of_main(&words, end), title);
    if (title->length == 0)
        str_puts(title, text);
}

/* --- the whole --- */

/* As UTF-8, bounded, without the extension where it is one of ours. */
static void clean(const char *name, struct str *out)
{
    size_t length = strlen(name);
    if (names_is_media(name))
        length -= strlen(extension_of(name)) + 1;
    str_append_utf8(out, name, length < NAME_MAX_BYTES ? length : NAME_MAX_BYTES);
    for (size_t i = 0; i < out->length; i++)
        if ((unsigned char) out->at[i] < 0x20)
            out->at[i] = ' ';
}

static void complete(struct film_name *out)
{
    CLEANUP(str_fini) struct str folded = {0}, match = {0};
    fold(&folded, slice_of(out->title));
    if (folded.length == 0)
        str_puts(&folded, out->title);
    if (out->year != 0) {
        str_printf(&match, "%s %d", str_text(&folded), out->year);
        out->match = str_take(&match);
    }
    out->sort = mem_strdup(fold_sort(str_text(&folded)));
    out->folded = str_take(&folded);
    fold_letter(out->sort, out->letter);
}

/* "movie.mkv" in "Alien (1979)": the folder speaks when the file says nothing, or the same. */
static bool is_title_of(const struct str *title, const struct str *folder_title)
{
    CLEANUP(str_fini) struct str file = {0};
    CLEANUP(str_fini) struct str folder = {0};
    fold(&file, slice_of(str_text(title)));
    fold(&folder, slice_of(str_text(folder_title)));
    return is_one_of(slice_of(str_text(&file)), " movie film video main title feature ") ||
           (file.length > 0 && strcmp(str_text(&file), str_text(&folder)) == 0);
}

static void ask_folder(const char *folder_name, int this_year, struct str *title, int *year)
{
    CLEANUP(str_fini) struct str text = {0};
    CLEANUP(str_fini) struct str folder_title = {0};
    int folder_year = 0;
    clean(folder_name, &text);
    parse_text(str_text(&text), this_year, &folder_title, &folder_year);
    if (folder_year == 0 || !is_title_of(title, &folder_title))
        return;
    *year = folder_year;
    str_clear(title);
    str_puts(title, str_text(&folder_title));
}

void names_parse(const char *file_name, const char *folder_name, int this_year,
                 struct film_name *out)
{
    CLEANUP(str_fini) struct str text = {0};
    CLEANUP(str_fini) struct str title = {0};
    *out = (struct film_name){0};
    clean(file_name, &text);
    parse_text(str_text(&text), this_year, &title, &out->year);
    if (out->year == 0 && folder_name != NULL)
        ask_folder(folder_name, this_year, &title, &out->year);
    out->title = title.length > 0 ? str_take(&title) : mem_strdup("?");
    complete(out);
}

void film_name_fini(struct film_name *name)
{
    mem_free(name->title);
    mem_free(name->folded);
    mem_free(name->sort);
    mem_free(name->match);
    *name = (struct film_name){0};
}

/* --- episodes --- */

/* The number of `length` digits at `from`; -1: there are none, or too many. */
static int number_at(struct slice word, size_t from)
{
    uint64_t number = 0;
    size_t length = count_digits(word, from);
    if (length == 0 || slice_number((struct slice){word.at + from, length}, 9999, &number) != OK)
        return -1;
    return (int) number;
}

/* What a word that is_episode says; what it leaves open is -1. */
static void read_episode(struct slice word, int *season, int *number)
{
    size_t digits = count_digits(word, 1);
    *season = *number = -1;
    if (!is_marked_episode(word)) {
        *season = number_at(word, 0);
        *number = number_at(word, count_digits(word, 0) + 1);
    } else if (has_letter(word, 0, 's')) {
        *season = number_at(word, 1);
        if (digits + 2 <= word.length)
            *number = number_at(word, digits + 2);
    } else {
        *number = number_at(word, 1);
    }
}

/* "S01 E02" is of two words. */
static bool read_words(const struct words *words, size_t at, struct episode_name *out)
{
    read_episode(word_text(words, at), &out->season, &out->number);
    if (out->number < 0 && at + 1 < words->count && is_episode(word_text(words, at + 1))) {
        int season;
        read_episode(word_text(words, at + 1), &season, &out->number);
    }
    return out->number >= 0;
}

int names_season(const char *folder_name)
{
    CLEANUP(str_fini) struct str text = {0};
    struct words words;
    clean(folder_name, &text);
    split(&words, str_text(&text));
    /* "Season 1 (2005)", "Season 01 [1080p]" */
    size_t count = words.count > 0 ? 1 : 0;
    while (count < words.count && !words.items[count].is_bracketed && !is_release(&words, count))
        count++;
    words.count = count;
    if (words.count == 1 && has_letter(word_text(&words, 0), 0, 's') &&
        count_digits(word_text(&words, 0), 1) == words.items[0].length - 1)
        return number_at(word_text(&words, 0), 1);
    if (words.count != 2 || count_digits(word_text(&words, 1), 0) != words.items[1].length ||
        !is_one_of(word_text(&words, 0), " season series staffel saison stagione temporada "))
        return -1;
    return number_at(word_text(&words, 1), 0);
}

bool names_episode(const char *file_name, const char *folder_name, struct episode_name *out)
{
    CLEANUP(str_fini) struct str text = {0};
    CLEANUP(str_fini) struct str show = {0};
    CLEANUP(str_fini) struct str folded = {0};
    struct words words;
    size_t at = 0;
    *out = (struct episode_name){0};
    clean(file_name, &text);
    split(&words, skip_prefix(str_text(&text)));
    while (at < words.count && !is_episode(word_text(&words, at)))
        at++;
    if (at == words.count || !read_words(&words, at, out))
        return false;
    if (out->season < 0 && folder_name != NULL)
        out->season = names_season(folder_name);
    write_title(&words, 0, at, &show);
    fold(&folded, (struct slice){str_text(&show), show.length});
    out->show = mem_strdup(str_text(&folded));
    return true;
}

void episode_name_fini(struct episode_name *name)
{
    mem_free(name->show);
    *name = (struct episode_name){0};
}

/* --- shows --- */

/* "S01E01E02", "S01E01-E03", "S01E01-03": the last of them. */
static int last_number(struct slice word, int first)
{
    size_t at = 0;
    int last = first;
    while (at < word.length && char_lower(word.at[at]) != 'e' && char_lower(word.at[at]) != 'x')
        at++;
    at += at < word.length ? 1 : 0;
    at += count_digits(word, at);
    while (at < word.length) {
        size_t begin = at;
        at += word.at[at] == '-' ? 1 : 0;
        at += has_letter(word, at, 'e') || has_letter(word, at, 'x') ? 1 : 0;
        size_t digits = count_digits(word, at);
        int number = number_at(word, at);
        bool is_whole = at + digits == word.length || word.at[at + digits] == '-' ||
                        has_letter(word, at + digits, 'e') || has_letter(word, at + digits, 'x');
        if (at == begin || digits == 0 || digits > 3 || number <= last || !is_whole)
            break;
        last = number;
        at += digits;
    }
    return last;
}

/* A year that ends a title: what follows only releases bear, and something stands before it. */
static bool ends_title(const struct words *words, size_t begin, size_t at, int this_year)
{
    bool is_last = at + 1 == words->count || is_release(words, at + 1);
    bool is_first = at == begin || (at == begin + 1 && word_text(words, begin).at[0] == '-');
    return is_last && !is_first && year_of(word_text(words, at), this_year) != 0;
}

/* What stands between the number and what only releases bear. */
static void write_episode_title(const struct words *words, size_t begin, int this_year,
                                struct str *out)
{
    size_t end = begin;
    while (end < words->count && !is_release(words, end) && !words->items[end].is_bracketed &&
           !ends_title(words, begin, end, this_year))
        end++;
    while (end < words->count && end > begin &&
           (is_one_of(word_text(words, end - 1), PERHAPS_RELEASE) ||
            is_one_of(word_text(words, end - 1), LANGUAGE)))
        end--;
    write_title(words, begin, end, out);
}

/* "Specials" is a season of its own. */
static int season_of_folder(const char *folder)
{
    CLEANUP(str_fini) struct str folded = {0};
    if (folder == NULL)
        return -1;
    fold(&folded, slice_of(folder));
    return strcmp(str_text(&folded), "specials") == 0 ? 0 : names_season(folder);
}

static void complete_show(struct film_name *show)
{
    CLEANUP(str_fini) struct str match = {0};
    complete(show);
    str_printf(&match, "show:%s", show->match != NULL ? show->match : show->folded);
    mem_free(show->match);
    show->match = str_take(&match);
}

/* All words up to the end, but for a year there: "The Real World", "The Office (US)". */
static void read_show_title(const struct words *words, size_t end, int this_year, struct str *title,
                            int *year)
{
    while (end > 1 && word_text(words, end - 1).at[0] == '-')
        end--;
    if (end > 1)
        *year = year_of(word_text(words, end - 1), this_year);
    write_title(words, 0, *year != 0 ? end - 1 : end, title);
}

/* "Show (2009) {tvdb-1}": behind a year in brackets is nothing of its title. */
static size_t end_of_show(const struct words *words, int this_year)
{
    size_t end = first_release(words);
    for (size_t i = 1; i < end; i++)
        if (words->items[i].is_bracketed && year_of(word_text(words, i), this_year) != 0)
            return i + 1;
    return end;
}

/* A folder tells the year where the file does not, and all where that says nothing. */
static void ask_show_folder(const char *folder, int this_year, struct str *title, int *year)
{
    CLEANUP(str_fini) struct str text = {0}, its = {0}, folded = {0}, its_folded = {0};
    struct words words;
    int its_year = 0;
    clean(folder, &text);
    split(&words, skip_prefix(str_text(&text)));
    read_show_title(&words, end_of_show(&words, this_year), this_year, &its, &its_year);
    fold(&folded, slice_of(str_text(title)));
    fold(&its_folded, slice_of(str_text(&its)));
    if (title->length > 0 && strcmp(str_text(&folded), str_text(&its_folded)) != 0)
        return;
    str_clear(title);
    str_puts(title, str_text(&its));
    *year = its_year;
}

/* The words before the number, or else a folder's. False: nothing says what show it is. */
static bool read_show(const struct words *words, size_t at, const char *folder, int this_year,
                      struct film_name *out)
{
    CLEANUP(str_fini) struct str title = {0};
    read_show_title(words, at, this_year, &title, &out->year);
    if (folder != NULL && out->year == 0)
        ask_show_folder(folder, this_year, &title, &out->year);
    if (title.length == 0)
        return false;
    out->title = str_take(&title);
    complete_show(out);
    return true;
}

/* "10x10 (2018)/10x10 (2018).mkv" is a film. */
static bool is_title_too(const struct words *words, size_t at, const char *folder)
{
    struct slice word = word_text(words, at);
    return at == 0 && folder != NULL && strncmp(folder, word.at, word.length) == 0;
}

bool names_show(const char *file_name, const char *folder, const char *above, int this_year,
                struct show_name *out)
{
    CLEANUP(str_fini) struct str text = {0}, title = {0}, match = {0};
    struct words words;
    struct episode_name episode = {0};
    size_t at = 0;
    int folder_season = season_of_folder(folder);
    *out = (struct show_name){0};
    clean(file_name, &text);
    split(&words, skip_prefix(str_text(&text)));
    while (at < words.count && !is_episode(word_text(&words, at)))
        at++;
    if (at == words.count || is_title_too(&words, at, folder) ||
        !read_words(&words, at, &episode) ||
        !read_show(&words, at, folder_season >= 0 ? above : folder, this_year, &out->show))
        return false;
    int season = episode.season >= 0 ? episode.season : folder_season;
    int alone_season, alone_number;
    read_episode(word_text(&words, at), &alone_season, &alone_number);
    size_t last = alone_number < 0 ? at + 1 : at; /* "S01 E02" */
    out->season = season >= 0 ? season : 1;
    out->number = episode.number;
    out->last = last_number(word_text(&words, last), episode.number);
    write_episode_title(&words, last + 1, this_year, &title);
    out->title = mem_strdup(str_text(&title));
    str_printf(&match, "%s %dx%d-%d", out->show.match, out->season, out->number, out->last);
    out->match = str_take(&match);
    return true;
}

void show_name_fini(struct show_name *name)
{
    film_name_fini(&name->show);
    mem_free(name->title);
    mem_free(name->match);
    *name = (struct show_name){0};
}
