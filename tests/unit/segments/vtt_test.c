/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Subtitles as text: each kind of event, whole files, and what WebVTT is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segments/ass.h"
#include "segments/srt.h"
#include "segments/tx3g.h"
#include "segments/webvtt.h"

/* What an event becomes: "settings|text". The caller's. */
static char *flat(struct vtt_list *list)
{
    struct str out = {0};
    vtt_list_finish(list);
    for (size_t i = 0; i < list->count; i++)
        str_printf(&out, "%s%s|%s", i > 0 ? "\n--\n" : "", list->items[i].settings,
                   list->items[i].text);
    vtt_list_fini(list);
    return str_take(&out);
}

static void expect(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    mem_free(got);
}

static char *of_srt(const char *event)
{
    struct vtt_list list = {0};
    struct vtt_text text = {0};
    struct str settings = {0}, out;
    srt_put_text(event, strlen(event), &text, &settings);
    vtt_text_finish(&text, &out);
    vtt_list_add(&list, 0, 1000, &settings, &out);
    str_fini(&settings);
    return flat(&list);
}

static void srt_tags(void **state)
{
    (void) state;
    expect(of_srt("plain"), "|plain");
    expect(of_srt("<i>one</i> <B>two</B> <u>three</u>"), "|<i>one</i> <b>two</b> <u>three</u>");
    expect(of_srt("<font color=\"#f00\" size=3>red</font> <s>x</s>"), "|red x");
    expect(of_srt("<i>not closed"), "|<i>not closed</i>");
    expect(of_srt("closed</i> <b><i>twice</b></i>"), "|closed <b><i>twice</i></b><i></i>");
    expect(of_srt("1 < 2 > 0 & <unknown> a<b"), "|1 &lt; 2 &gt; 0 &amp; &lt;unknown&gt; a&lt;b");
    expect(of_srt("a --> b"), "|a --&gt; b");
    expect(of_srt("&lt;x&gt; &amp; &#39; &#x27; &nosuch &;"),
           "|&lt;x&gt; &amp; &#39; &#x27; &amp;nosuch &amp;;");
    expect(of_srt("{\\an8}up"), "line:0|up");
    expect(of_srt("{\\an4}left {\\i1}kept{y:i}"), "line:50% align:left|left kept");
    expect(of_srt("{not a code}"), "|{not a code}");
    expect(of_srt("one\r\n\r\n \n\ntwo\n\n"), "|one\n \ntwo");
    expect(of_srt("line<br/>line"), "|line\nline");
    expect(of_srt(""), "");
    expect(of_srt(" \n<i> </i>"), "");
    expect(of_srt("bad \xff\xfe utf"), "|bad \xEF\xBF\xBD\xEF\xBF\xBD utf");
}

static char *of_ass_in(const char *header_text, const char *style, const char *text)
{
    struct vtt_list list = {0};
    struct ass_header header = {0};
    struct str event = {0};
    ass_header_read(header_text, strlen(header_text), &header);
    str_printf(&event, "7,0,%s,,0,0,0,,%s", style, text);
    ass_add_event(&header, event.at, event.length, 0, 1000, &list);
    str_fini(&event);
    ass_header_fini(&header);
    return flat(&list);
}

static char *of_ass(const char *text)
{
    return of_ass_in("", "Default", text);
}

static void ass_overrides(void **state)
{
    (void) state;
    expect(of_ass("plain, with a comma"), "|plain, with a comma");
    expect(of_ass("{\\i1}one{\\i0} {\\b1}two{\\b0} {\\u1}three"),
           "|<i>one</i> <b>two</b> <u>three</u>");
    expect(of_ass("{\\b700}fat{\\b400} {\\bord3\\blur2\\iclip(1,2,3,4)}not"), "|<b>fat</b> not");
    expect(of_ass("one\\Ntwo\\nthree\\hfour"), "|one\ntwo\nthree\xC2\xA0"
                                               "four");
    expect(of_ass("{a comment}a & b < c > d --> e"), "|a &amp; b &lt; c &gt; d --&gt; e");
    expect(of_ass("a&amp;b"), "|a&amp;amp;b");
    expect(of_ass("{\\p1}m 0 0 l 10 10{\\p0}seen"), "|seen");
    expect(of_ass("{\\p4\\pos(1,2)}m 0 0 l 10 10"), "");
    expect(of_ass("{\\an8\\fs20\\1c&HFF&}top"), "line:0|top");
    expect(of_ass("{\\a6}top of old"), "line:0|top of old");
    expect(of_ass("{\\alpha&HFF&\\fad(100,200)}x"), "|x");
    expect(of_ass("{\\i1}a{\\r}b{\\rOther}c"), "|<i>a</i>bc");
    expect(of_ass("brace \\{ and \\} \\x"), "|brace { and } \\x");
    expect(of_ass("open { brace"), "|open { brace");
    expect(of_ass("{\\t(0,100,\\fs30\\i1)}still"), "|still");
    expect(of_ass("\\N\\N"), "");
}

static void ass_places(void **state)
{
    (void) state;
    static const char header[] = "[Script Info]\nPlayResX: 1000\nPlayResY: 500\n";
    expect(of_ass_in(header, "", "{\\pos(500,480)}bottom"), "|bottom");
    expect(of_ass_in(header, "", "{\\an8\\pos(500,50)}top"), "line:10% position:50%|top");
    expect(of_ass_in(header, "", "{\\an5\\pos(700,250)}two\\Nlines"),
           "line:44% position:70%|two\nlines");
    expect(of_ass_in(header, "", "{\\an1\\pos(100,250)}low left"),
           "line:44% position:10% align:left|low left");
    expect(of_ass_in(header, "", "{\\an3\\move(990,490,0,0)}moved"),
           "position:99% align:right|moved");
    expect(of_ass_in(header, "", "{\\an8\\pos(-99999999,nan)}x"), "line:0|x");
}

#define SCRIPT                                                                                     \
    "[Script Info]\r\nTitle: x\r\n\r\n[V4+ Styles]\r\n"                                            \
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, "            \
    "BackColour, "                                                                                 \
    "Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, "   \
    "Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\r\n"                                   \
    "Style: Default,Arial,20,&H0,&H0,&H0,&H0,-1,0,0,0,100,100,0,0,1,2,2,2,10,10,10,1\r\n"          \
    "Style: Sign,Arial,20,&H0,&H0,&H0,&H0,0,-1,0,0,100,100,0,0,1,2,2,8,10,10,10,1\r\n\r\n"         \
    "[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, "      \
    "Text\r\n"

static void ass_styles_and_files(void **state)
{
    (void) state;
    static const char file[] =
        SCRIPT "Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not seen\r\n"
               "Dialogue: 0,0:00:05.10,0:00:06.00,Sign,,0,0,0,,second{\\i0} upright\r\n"
               "Dialogue: 1,0:00:01.00,0:00:02.05,*Default,,0,0,0,,first, with comma\r\n"
               "Dialogue: 1,0:00:01.00,0:00:02.05,Default,,0,0,0,,first, with comma\r\n"
               "Dialogue: 0,bad,0:00:02.05,Default,,0,0,0,,no time\r\n";
    struct vtt_list list = {0};
    struct str out = {0};
    assert_true(ass_read(file, sizeof file - 1, &list));
    vtt_list_finish(&list);
    vtt_write_cues(&list, 0, INT64_MAX, &out);
    assert_string_equal(str_text(&out),
                        "\n00:00:01.000 --> 00:00:02.050\nfirst, with comma\n"
                        "\n00:00:05.100 --> 00:00:06.000 line:0\n<i>second</i> upright\n");
    str_fini(&out);
    vtt_list_fini(&list);
    expect(of_ass_in(SCRIPT, "sign", "from a header"), "line:0|<i>from a header</i>");
    expect(of_ass_in("[V4 Styles]\nFormat: Name, Alignment\nStyle: Up, 6\n", "Up", "old"),
           "line:0|old");
    assert_false(ass_read("nothing of it", 13, &list));
}

static char *of_webvtt(const char *text, const char *settings)
{
    struct vtt_list list = {0};
    const int64_t times_ms[2] = {0, 1000};
    webvtt_add_cue(slice_of(text), slice_of(settings), times_ms, &list);
    return flat(&list);
}

static void webvtt_cues(void **state)
{
    (void) state;
    expect(of_webvtt("<v.loud Fred>Hi <c.red>you</c></v>", ""),
           "|<v.loud Fred>Hi <c.red>you</c></v>");
    expect(of_webvtt("<00:00:01.000>ka<00:00:02.000>ra", ""), "|kara");
    expect(of_webvtt("<script>alert(1)</script> <img src=x>", ""),
           "|&lt;script&gt;alert(1)&lt;/script&gt; &lt;img src=x&gt;");
    expect(of_webvtt("<v a-->x", ""), "|&lt;v a--&gt;x");
    expect(of_webvtt("<ruby>a<rt>b</rt></ruby> &lrm;&amp; & <lang en>c</lang>", ""),
           "|<ruby>a<rt>b</rt></ruby> &lrm;&amp; &amp; <lang en>c</lang>");
    expect(of_webvtt("x", "line:10% align:start position:20%,line-left size:50% vertical:rl"),
           "line:10% align:start position:20%,line-left size:50% vertical:rl|x");
    expect(of_webvtt("x", "line:-2 align:middle"), "line:-2 align:center|x");
    expect(of_webvtt("x", "line:x size:101% align:up region:r1 position:5 a-->b :"), "|x");
}

static void webvtt_files(void **state)
{
    (void) state;
    static const char file[] =
        "\xEF\xBB\xBFWEBVTT - a title\nsome: header\n\nNOTE\ntwo --> no\n\n"
        "STYLE\n::cue{}\n\nid\n00:02.000 --> 00:03.000 align:left\ntwo\nlines\n"
        "\n01:00:00.000 --> 01:00:00.000\nempty\n\n\f00:00:00.500\f-->\t00:00:01.000\f\none"
        "\n\n\v00:00:07.000 --> 00:00:08.000\nnone";
    struct vtt_list list = {0};
    assert_true(webvtt_read(file, sizeof file - 1, &list));
    expect(flat(&list), "|one\n--\nalign:left|two\nlines");
    assert_false(webvtt_read("WEBVTTX\n", 8, &list));
    assert_false(webvtt_read("", 0, &list));
}

static void srt_files(void **state)
{
    (void) state;
    static const char file[] = "\xEF\xBB\xBF"
                               "1\r\n00:00:01,000 --> 00:00:02,5\r\nfirst\r\n\r\n"
                               "still first\r\n\r\n2\r\n0:0:3.25 -> 00:00:04,000 X1:10\r\n"
                               "42\r\nsecond\r\n00:05 --> 00:06\nno number";
    struct vtt_list list = {0};
    struct str out = {0};
    assert_true(srt_read(file, sizeof file - 1, &list));
    vtt_list_finish(&list);
    vtt_write_cues(&list, 0, INT64_MAX, &out);
    assert_string_equal(str_text(&out), "\n00:00:01.000 --> 00:00:02.500\nfirst\nstill first\n"
                                        "\n00:00:03.250 --> 00:00:04.000\n42\nsecond\n"
                                        "\n00:00:05.000 --> 00:00:06.000\nno number\n");
    str_fini(&out);
    vtt_list_fini(&list);
    assert_false(srt_read("no times\n", 9, &list));
}

static char *of_tx3g(const char *bytes, size_t size)
{
    struct vtt_list list = {0};
    const int64_t times_ms[2] = {0, 1000};
    tx3g_add_sample((const uint8_t *) bytes, size, times_ms, &list);
    return flat(&list);
}

static char *of_wvtt(const char *bytes, size_t size)
{
    struct vtt_list list = {0};
    const int64_t times_ms[2] = {0, 1000};
    wvtt_add_sample((const uint8_t *) bytes, size, times_ms, &list);
    return flat(&list);
}

static void mp4_samples(void **state)
{
    (void) state;
#define TX3G(bytes) of_tx3g(bytes, sizeof(bytes) - 1)
    expect(TX3G("\0\3a<b"), "|a&lt;b");
    expect(TX3G("\0\0"), "");
    expect(TX3G("\0\x7f"
                "cut"),
           "");
    /* characters 1 to 3 italic, and 3 to 4 bold: of "a\u00e4bc d" */
    expect(TX3G("\0\7a\xC3\xA4"
                "bc d"
                "\0\0\0\x22styl\0\2"
                "\0\1\0\3\0\1\2\x12\xff\xff\xff\xff"
                "\0\3\0\4\0\1\1\x12\xff\xff\xff\xff"),
           "|a<i>\xC3\xA4"
           "b</i><b>c</b> d");
    expect(TX3G("\0\6\xfe\xff\0a\x20\xac"), "|a\xE2\x82\xAC");
    expect(TX3G("\0\6\xff\xfe\x3d\xd8\0\xde"), "|\xF0\x9F\x98\x80");
#undef TX3G
#define WVTT(bytes) of_wvtt(bytes, sizeof(bytes) - 1)
    expect(WVTT("\0\0\0\x08vtte"), "");
    expect(WVTT("\0\0\0\x20vttc\0\0\0\x0esttgline:0\0\0\0\x0apaylhi"), "line:0|hi");
    expect(WVTT("\0\0\0\x12vttc\0\0\0\x0apaylab\0\0\0\x12vttc\0\0\0\x0apaylcd"), "|ab\n--\n|cd");
    expect(WVTT("\0\0\0\xffvttc\0\0\0\xffpaylcut"), "|cut");
#undef WVTT
}

static void put(struct vtt_list *list, int64_t start_ms, int64_t end_ms, const char *text)
{
    struct str settings = {0}, out = {0};
    str_puts(&out, text);
    vtt_list_add(list, start_ms, end_ms, &settings, &out);
}

/* Each cue stands in every window that it overlaps, whole; ends that are not said are found. */
static void windows(void **state)
{
    (void) state;
    struct vtt_list list = {0};
    struct str out = {0};
    put(&list, 9000, 8999, "until the next");
    put(&list, 3000, 9000, "long");
    put(&list, 4000, 5000, "b");
    put(&list, 4000, 5000, "b");
    put(&list, -500, 200, "from before");
    put(&list, 11000, 10999, "five seconds");
    put(&list, 20000, 20000, "never");
    put(&list, 360000000, 360001000, "hours");
    vtt_list_finish(&list);
    vtt_write_cues(&list, 0, 4000, &out);
    assert_string_equal(str_text(&out), "\n00:00:00.000 --> 00:00:00.200\nfrom before\n"
                                        "\n00:00:03.000 --> 00:00:09.000\nlong\n");
    str_clear(&out);
    vtt_write_cues(&list, 4000, 8000, &out);
    assert_string_equal(str_text(&out), "\n00:00:03.000 --> 00:00:09.000\nlong\n"
                                        "\n00:00:04.000 --> 00:00:05.000\nb\n");
    str_clear(&out);
    vtt_write_cues(&list, 9000, INT64_MAX, &out);
    assert_string_equal(str_text(&out), "\n00:00:09.000 --> 00:00:11.000\nuntil the next\n"
                                        "\n00:00:11.000 --> 00:00:16.000\nfive seconds\n"
                                        "\n100:00:00.000 --> 100:00:01.000\nhours\n");
    str_clear(&out);
    vtt_write_head(&out, true);
    assert_string_equal(str_text(&out),
                        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n");
    str_fini(&out);
    vtt_list_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(srt_tags),    cmocka_unit_test(ass_overrides),
        cmocka_unit_test(ass_places),  cmocka_unit_test(ass_styles_and_files),
        cmocka_unit_test(webvtt_cues), cmocka_unit_test(webvtt_files),
        cmocka_unit_test(srt_files),   cmocka_unit_test(mp4_samples),
        cmocka_unit_test(windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
