/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Languages: films say ISO 639-2 in either of its two forms, BCP 47 (RFC 5646 2.2.1) wants the
 * two-letter code where there is one. */
#include <ctype.h>
#include <string.h>

#include "segments/container_build.h"

/* ISO 639: two letters and then three, six characters an entry. The twenty bibliographic forms
 * ("ger") stand at the end. */
static const char codes[] =
    "aaaar ababk afafr akaka sqsqi amamh arara anarg hyhye asasm avava aeave ayaym azaze "
    "babak bmbam eueus bebel bnben bhbih bibis bobod bsbos brbre bgbul mymya cacat csces "
    "chcha zhzho cuchu cvchv kwcor cocos crcre cycym dadan dedeu dvdiv nlnld dzdzo elell "
    "eneng eoepo etest eeewe fofao fafas fjfij fifin frfra fyfry ffful kakat gdgla gagle "
    "glglg gvglv gngrn guguj hthat hahau heheb hzher hihin hohmo hrhrv huhun igibo isisl "
    "ioido iiiii iuiku ieile iaina idind ikipk itita jvjav jajpn klkal knkan kskas krkau "
    "kkkaz kmkhm kikik rwkin kykir kvkom kgkon kokor kjkua kukur lolao lalat lvlav lilim "
    "lnlin ltlit lbltz lulub lglug mkmkd mhmah mlmal mimri mrmar msmsa mgmlg mtmlt mnmon "
    "nanau nvnav nrnbl ndnde ngndo nenep nnnno nbnob nonor nynya ococi ojoji orori omorm "
    "ososs papan pipli plpol ptpor pspus quque rmroh roron rnrun rurus sgsag sasan sisin "
    "skslk slslv sesme smsmo snsna sdsnd sosom stsot esspa scsrd srsrp ssssw susun swswa "
    "svswe tytah tatam tttat tetel tgtgk tltgl ththa titir toton tntsn tstso tktuk trtur "
    "twtwi uguig ukukr ururd uzuzb veven vivie vovol wawln wowol xhxho yiyid yoyor zazha "
    "zuzul ceche sqalb hyarm eubaq mybur zhchi cscze nldut frfre kageo deger elgre isice "
    "mkmac msmay mimao faper rorum skslo botib cywel ";

static const char *find_short(const char *code)
{
    for (const char *at = codes; *at != '\0'; at += 6)
        if (memcmp(at + 2, code, 3) == 0)
            return at;
    return NULL;
}

/* Letters, digits and hyphens, as a tag may have (RFC 5646 2.1). */
static bool is_tag(const char *code, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char) code[i]) && code[i] != '-')
            return false;
    return length >= 2 && isalpha((unsigned char) code[0]);
}

/* The primary subtag in small letters, as find_short looks for it (RFC 5646 2.1.1). */
static void lower_language(char *text)
{
    for (size_t i = 0; i < 3 && text[i] != '\0' && text[i] != '-'; i++)
        text[i] = (char) tolower((unsigned char) text[i]);
}

/* "ger-AT" as "de-AT": three letters, alone or before a hyphen. */
static void shorten_language(char *text, size_t length)
{
    bool is_long = length == 3 || (length > 3 && text[3] == '-');
    const char *found = is_long ? find_short(text) : NULL;
    if (found == NULL)
        return;
    memcpy(text, found, 2);
    memmove(text + 2, text + 3, length - 2);
}

void container_set_language(struct plan_track *track, const char *code, size_t length)
{
    char text[sizeof track->language] = "";
    length = strnlen(code, length);
    if (length >= sizeof text || !is_tag(code, length))
        return;
    memcpy(text, code, length);
    lower_language(text);
    shorten_language(text, length);
    memcpy(track->language, text, sizeof text);
}
