# SPDX-License-Identifier: GPL-3.0-or-later
"""Subtitles as a player gets them: their lines in the playlist, and every segment of them. Rules of
hls-engines.md: 5, 34, 35, 68 to 71."""

import csv
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from fractions import Fraction

import pytest

import films
import hls
from downloading import Arriving, film_of
from origin import Origin
from server import FULL, SLOW, Server
from test_openapi import check_schema
from viewer import Film

SECONDS = 20
HEAD = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n"
TIME = re.compile(r"(\d{2,}):(\d\d):(\d\d)\.(\d{3}) --> (\d{2,}):(\d\d):(\d\d)\.(\d{3})( .*)?")
HOLD_S = 2  # decision 26


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def clock(t):
    return f"00:{int(t) // 60:02}:{int(t) % 60:02},{round(t * 1000) % 1000:03}"


def srt(words, seconds=SECONDS):
    """A line each second, and one from 5.5 to 10.5 s over three segments."""
    lines = [(n, n + 0.9, f"{words} <i>{n}</i>") for n in range(1, seconds)]
    lines.append((5.5, 10.5, f"{words} stands"))
    return "\n".join(f"{i}\n{clock(a)} --> {clock(b)}\n{text}\n"
                     for i, (a, b, text) in enumerate(lines, 1))


def make_films(folder):
    """One film with three subtitles, in three containers."""
    work = folder / "work"
    work.mkdir()
    for name in ("English & more", "Deutsch", "Fremdes"):
        (work / f"{name.split()[0]}.srt").write_text(srt(name), encoding="utf-8")
    plain = films.make("plain.mkv")
    inputs = ["-i", str(plain)]
    for name in ("English", "Deutsch", "Fremdes"):
        inputs += ["-i", str(work / f"{name}.srt")]
    maps = ["-map", "0:v", "-map", "0:a:0", "-map", "1", "-map", "2", "-map", "3", "-c", "copy",
            "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=deu",
            "-metadata:s:s:1", "title=Deutsch \"alles\"", "-metadata:s:s:2", "language=deu",
            "-disposition:s:1", "hearing_impaired", "-disposition:s:2", "forced"]
    run("ffmpeg", "-v", "error", "-y", *inputs, *maps, "-c:s:0", "srt", "-c:s:1", "ass",
        "-c:s:2", "webvtt", str(folder / "ffmpeg.mkv"))
    run("mkvmerge", "-q", "-o", str(folder / "mkvmerge.mkv"), str(folder / "ffmpeg.mkv"))
    run("ffmpeg", "-v", "error", "-y", *inputs, *maps, "-c:s", "mov_text",
        str(folder / "tx3g.mp4"))
    shutil.rmtree(work)


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-subtitles-"))
    make_films(folder)
    for row in films.corpus():
        if is_text(row):
            os.symlink(films.CORPUS / row["file"], folder / row["file"])
    with Server(folder) as s:
        s.known = s.files(wait_s=120)
        yield s
    shutil.rmtree(folder)


def is_text(row):
    return any(re.search(r"\b(subrip|ass|mov_text)\b", value or "") for value in row.values())


def fetch(server, path):
    """A segment; the answer is never held for longer than decision 26 says."""
    for _ in range(60 * SLOW):
        begun = time.monotonic()
        answer = server.get(path)
        assert time.monotonic() - begun < HOLD_S + 2 * SLOW, path
        if answer.status != 503:
            break
        time.sleep(0.1)
    assert answer.status == 200, (path, answer.status, answer.body[:300])
    assert answer.header("content-type") == "text/vtt; charset=utf-8"
    return answer.text


def cues_of(text):
    """[(start, end, text)] of a segment, held against rules 69 and 71."""
    assert text.startswith(HEAD), text[:200]
    found = []
    for block in text[len(HEAD):].strip("\n").split("\n\n"):
        if not block:
            continue
        times, *lines = block.split("\n")
        match = TIME.fullmatch(times)
        assert match and lines, f"no cue: {block!r}"
        a = [int(g) for g in match.groups()[:8]]
        start, end = (Fraction((h * 60 + m) * 60 + s) + Fraction(ms, 1000)
                      for h, m, s, ms in (a[:4], a[4:]))
        assert start < end, times
        words = "\n".join(lines)
        assert "-->" not in words and "{\\" not in words and not re.search("&(?!#?\\w+;)", words)
        tags = re.findall("<[^<>]*>", words)
        assert all(re.fullmatch(r"</?(i|b|u|c|v|ruby|rt|lang)([. ][^<>]*)?>", t) for t in tags), words
        found.append((start, end, words))
    return found


def read(server, base, line):
    """(playlist, cues of each segment) of an EXT-X-MEDIA line."""
    answer = server.get(base + line["URI"])
    assert answer.status == 200, answer.body
    playlist = hls.MediaPlaylist(answer.text)
    assert playlist.ended and playlist.map_count == 0 and playlist.segments
    for s in playlist.segments:  # rule 5
        assert s.duration > 0 and int(s.duration + Fraction(1, 2)) <= playlist.target
    folder = base + line["URI"].rsplit("/", 1)[0] + "/"
    cues = []
    begin = Fraction(0)
    for s in playlist.segments:
        found = cues_of(fetch(server, folder + s.uri))
        for start, stop, _ in found:
            assert stop > begin - Fraction(1, 500) and start < begin + s.duration + Fraction(1, 500)
        begin += s.duration
        cues.append(found)
    return playlist, cues


def check_overlaps(playlist, cues):
    """Rule 70: each cue stands in every segment that it overlaps, with the same text and times."""
    everything = {cue for found in cues for cue in found}
    begin = Fraction(0)
    for s, found in zip(playlist.segments, cues):
        due = {c for c in everything if c[0] < begin + s.duration and c[1] > begin}
        assert due - set(found) == set(), f"segment {s.n}"
        begin += s.duration
    return everything


@pytest.mark.parametrize("name", ["ffmpeg.mkv", "mkvmerge.mkv", "tx3g.mp4"])
def test_every_segment_of_every_subtitle(server, name):
    film = Film(server, name)
    lines = film.subtitles()
    assert [m["LANGUAGE"] for m in lines] == ["en", "de", "de"]
    assert all(v.attrs["SUBTITLES"] == lines[0]["GROUP-ID"] for v in film.master.variants)
    for line, words in zip(lines, ("English &amp; more", "Deutsch", "Fremdes")):
        playlist, cues = read(server, film.base, line)
        length = sum(s.duration for s in playlist.segments)
        assert abs(length - SECONDS) < 0.5, "rule 18: they cover the whole film"
        everything = check_overlaps(playlist, cues)
        # media time begins with the first picture, up to two of them after the file's own zero
        said = {text: (float(a), float(b)) for a, b, text in everything}
        assert set(said) == {f"{words} stands"} | {f"{words} <i>{n}</i>" for n in range(1, SECONDS)}
        if name == "tx3g.mp4":  # whose samples do not overlap
            continue
        late = 1 - said[f"{words} <i>1</i>"][0]
        assert 0 <= late < 0.1
        for n in range(1, SECONDS):
            assert said[f"{words} <i>{n}</i>"] == pytest.approx((n - late, n + 0.9 - late), abs=2e-3)
        assert said[f"{words} stands"] == pytest.approx((5.5 - late, 10.5 - late), abs=2e-3)


def test_the_playlist_says_what_they_are_for(server):
    """Rules 34 and 35, and names that no two share."""
    english, german, forced = Film(server, "ffmpeg.mkv").subtitles()
    assert german["NAME"] == "Deutsch 'alles'"
    assert len({m["NAME"] for m in (english, german, forced)}) == 3
    assert all(m["AUTOSELECT"] == "YES" and m["DEFAULT"] == "NO"
               for m in (english, german, forced))
    assert [m["FORCED"] for m in (english, german, forced)] == ["NO", "NO", "YES"]
    assert "describes-music-and-sound" in german["CHARACTERISTICS"]
    assert "CHARACTERISTICS" not in english


def test_a_wrong_version_or_number_is_refused(server):
    film = Film(server, "ffmpeg.mkv")
    folder = film.base + "subtitle-1/"
    assert server.get(folder + "0.vtt").status == 200
    assert server.get(folder + "99.vtt").status == 404
    assert server.get(folder + "0.vtt?v=00000000").status == 410
    assert server.get(folder + "0.m4s").status == 404
    assert server.get(film.base + "subtitle-9/0.vtt").status == 404


def test_subtitles_of_the_corpus(server):
    names = [n for n in server.known if n.startswith(("androidx", "bear", "mp4"))]
    if not names:
        pytest.skip("no corpus")
    shown = 0
    for name in names:
        if server.known[name][1] != "ready":
            continue
        film = Film(server, name)
        for line in film.subtitles():
            playlist, cues = read(server, film.base, line)
            shown += len(check_overlaps(playlist, cues))
    assert shown > 3


def test_subtitles_of_a_film_that_arrives(tmp_path):
    film = tmp_path / "arriving.mkv"
    (tmp_path / "lines.srt").write_text(srt("arriving", 40), encoding="utf-8")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(film_of()), "-i",
                    str(tmp_path / "lines.srt"), "-map", "0", "-map", "1", "-c", "copy", str(film)],
                   check=True)
    with Origin({"arriving.mkv": film}, bits_per_s=20e6) as origin, \
            Server(None, settings={"fetch.allow": origin.host}) as server:
        link = server.ask("POST", "/api/v1/links", {"url": origin.url("arriving.mkv")}).json
        arriving = Arriving(server, link["file"])
        master = hls.MasterPlaylist(server.get(f"{arriving.base}master.m3u8").text)
        [line] = [m for m in master.media if m["TYPE"] == "SUBTITLES"]
        folder = arriving.base + line["URI"].rsplit("/", 1)[0] + "/"
        playlist = hls.MediaPlaylist(server.get(arriving.base + line["URI"]).text)
        last = playlist.segments[-2]  # far from what has come
        assert "arriving" in fetch(server, folder + last.uri)
        here = server.get(f"/api/v1/files/{link['file']}/availability").json
        assert not here["complete"], "it was watched while it came"
        _, cues = read(server, arriving.base, line)
        everything = check_overlaps(playlist, cues)
        assert {text for _, _, text in everything} == \
            {"arriving stands"} | {f"arriving <i>{n}</i>" for n in range(1, 40)}


# --- beside the film, and whole ---------------------------------------------------------------

SUBS = films.CORPUS.parent / "subs"


@pytest.fixture
def house(tmp_path):
    """A film with subtitles beside it, in a library of its own."""
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(films.make("plain.mkv"), folder / "Film (2001).mkv")
    (folder / "Film (2001).srt").write_text(srt("plain"), encoding="utf-8")
    (folder / "Film (2001).ru.srt").write_text(srt("Привет мир, это русский текст"),
                                               encoding="cp1251")
    (folder / "Film (2001).en.forced.vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:02.000 align:left\nforced <b>one</b>\n", encoding="utf-8")
    (folder / "Subs").mkdir()
    (folder / "Subs" / "2_German [SDH].ass").write_text(
        "[Script Info]\nPlayResX: 640\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:03.00,0:00:04.50,Default,,0,0,0,,{\\i1}schräg{\\i0} & gerade\n",
        encoding="utf-16")
    (folder / "Film (2001).broken.srt").write_bytes(bytes(range(1, 256)) * 20)
    (folder / "Other.srt").write_text(srt("other"), encoding="utf-8")
    with Server(folder) as server:
        server.known = server.files(wait_s=60)
        yield server, folder


def test_files_beside_are_renditions(house):
    server, folder = house
    film = Film(server, "Film (2001).mkv")
    lines = {m["URI"].split("?")[0]: m for m in film.subtitles()}
    assert len(lines) == 5
    facts = sorted((m["LANGUAGE"], m["FORCED"], "CHARACTERISTICS" in m) for m in lines.values())
    assert facts == [("de", "NO", True), ("en", "YES", False), ("ru", "NO", False),
                     ("und", "NO", False), ("und", "NO", False)]
    said = {}
    for line in lines.values():
        if "broken" in line["NAME"]:
            continue
        playlist, [cues] = read(server, film.base, line)
        assert abs(playlist.duration - SECONDS) < 0.5, "rule 18"
        said[line["LANGUAGE"], line["FORCED"]] = cues
    assert (1, Fraction(19, 10), "plain <i>1</i>") in said["und", "NO"]
    assert (3, Fraction(39, 10), "Привет мир, это русский текст <i>3</i>") in said["ru", "NO"]
    assert said["en", "YES"] == [(1, 2, "forced <b>one</b>")]
    assert said["de", "NO"] == [(3, Fraction(9, 2), "<i>schräg</i> &amp; gerade")]


def test_a_broken_file_beside_is_refused_and_harms_nobody(house):
    server, folder = house
    film = Film(server, "Film (2001).mkv")
    [line] = [m for m in film.subtitles() if "broken" in m["NAME"]]
    answer = server.get(film.base + line["URI"].replace("index.m3u8", "0.vtt"))
    assert answer.status == 502 and "no times in it" in answer.json["detail"]
    assert server.get(film.base + film.renditions()[0][1]).status == 200


def test_files_beside_come_and_go(house):
    server, folder = house
    film = Film(server, "Film (2001).mkv")
    [line] = [m for m in film.subtitles() if m["LANGUAGE"] == "ru"]
    (folder / "Film (2001).ru.srt").unlink()
    (folder / "Film (2001).fr.srt").write_text(srt("nouveau"), encoding="utf-8")
    segment = film.base + line["URI"].replace("index.m3u8", "0.vtt")
    assert server.get(segment).status == 410
    assert server.ask("POST", "/api/v1/playback", {"file": film.id}).status == 201
    again = Film(server, "Film (2001).mkv")
    assert {m["LANGUAGE"] for m in again.subtitles()} == {"de", "en", "fr", "und"}
    assert server.get(film.base + line["URI"]).status == 410
    # another text under the same name is another version
    [line] = [m for m in again.subtitles() if m["LANGUAGE"] == "fr"]
    (folder / "Film (2001).fr.srt").write_text(srt("encore un autre"), encoding="utf-8")
    assert server.ask("POST", "/api/v1/playback", {"file": film.id}).status == 201
    assert server.get(film.base + line["URI"]).status == 410


def whole(server, film, name, **query):
    text = "&".join(f"{k}={v}" for k, v in query.items())
    return server.get(f"/api/v1/files/{film.id}/subtitles/{name}" + (f"?{text}" if text else ""))


def test_whole_files_over_the_api(house):
    server, folder = house
    film = Film(server, "Film (2001).mkv")
    answer = server.get(f"/api/v1/files/{film.id}/subtitles")
    assert answer.status == 200, answer.body
    check_schema("SubtitlePage", answer.json)
    items = {i["name"]: i for i in answer.json["items"]}
    assert set(items) == {"Film (2001).srt", "Film (2001).ru.srt", "Film (2001).en.forced.vtt",
                          "Film (2001).broken.srt", "Subs/2_German [SDH].ass"}
    german = items["Subs/2_German [SDH].ass"]
    assert (german["language"], german["sdh"], german["codec"]) == ("de", True, "ass")

    plain = whole(server, film, items["Film (2001).srt"]["id"] + ".vtt")
    assert plain.status == 200 and plain.header("content-type") == "text/vtt; charset=utf-8"
    assert plain.text.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:01.900\nplain <i>1</i>\n")
    assert "sandbox" in plain.header("content-security-policy")
    assert plain.header("x-content-type-options") == "nosniff"
    assert plain.header("cross-origin-resource-policy") == "same-origin"
    moved = whole(server, film, items["Film (2001).srt"]["id"] + ".vtt", shift="-1.5", scale="2")
    assert moved.text.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:02.300\nplain <i>1</i>\n")

    script = whole(server, film, german["id"] + ".ass")
    assert script.status == 200 and script.header("content-type") == "text/plain; charset=utf-8"
    assert "{\\i1}schräg" in script.text
    original = whole(server, film, items["Film (2001).ru.srt"]["id"] + ".orig")
    assert original.body == (folder / "Film (2001).ru.srt").read_bytes()
    assert original.header("content-type") == "application/octet-stream"
    assert original.header("content-disposition") == "attachment"

    for name, status in ((german["id"] + ".exe", 404), ("beside-00000000.vtt", 404),
                         ("subtitle-1.vtt", 404), (items["Film (2001).srt"]["id"] + ".ass", 404),
                         ("../../x.vtt", 404)):
        assert whole(server, film, name).status == status, name
    for query in ({"shift": "x"}, {"shift": "1e9"}, {"scale": "0"}, {"scale": "nan"}):
        assert whole(server, film, items["Film (2001).srt"]["id"] + ".vtt", **query).status == 400
    assert server.get("/api/v1/files/nosuchfile/subtitles").status == 404


def test_whole_tracks_over_the_api(server):
    film = Film(server, "ffmpeg.mkv")
    items = server.get(f"/api/v1/files/{film.id}/subtitles").json["items"]
    assert [i["id"] for i in items] == ["subtitle-1", "subtitle-2", "subtitle-3"]
    assert [i["codec"] for i in items] == ["subrip", "ass", "webvtt"]
    text = whole(server, film, "subtitle-1.vtt").text
    assert len(re.findall("-->", text)) == SECONDS and "English &amp; more <i>19</i>" in text
    script = whole(server, film, "subtitle-2.ass")
    assert script.status == 200, script.body
    assert len(re.findall("^Dialogue: ", script.text, re.M)) == SECONDS
    assert "[Script Info]" in script.text
    assert whole(server, film, "subtitle-1.ass").status == 404
    assert whole(server, film, "subtitle-9.vtt").status == 404


def test_corpus_beside_a_film(tmp_path):
    """Each file that ffmpeg reads as SubRip, ASS or WebVTT is read, with as many cues or more."""
    if not SUBS.exists():
        pytest.skip("no corpus")
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(films.make("plain.mkv"), folder / "Film.mkv")
    rows = list(csv.DictReader((SUBS / "expected.tsv").open(encoding="utf-8"), delimiter="\t"))
    rows = [r for r in rows if r["file"].endswith((".srt", ".vtt", ".ssa", ".ass"))]
    if not FULL:
        rows = rows[::3]
    for i in range(0, len(rows), 50):
        for old in folder.glob("Film.*.*"):
            old.unlink()
        names = {f"Film.{r['file']}": r for r in rows[i:i + 50]}
        for name, row in names.items():
            (folder / name).write_bytes((SUBS / row["file"]).read_bytes())
        with Server(folder) as server:
            server.known = server.files(wait_s=60)
            film = Film(server, "Film.mkv")
            items = server.get(f"/api/v1/files/{film.id}/subtitles").json["items"]
            for item in items:
                row = names[item["name"]]
                answer = whole(server, film, item["id"] + ".vtt")
                assert answer.status in (200, 502), (item["name"], answer.body)
                cues = int(row["cues"]) if row["codec"] in ("subrip", "webvtt", "ass") else 0
                # those that show nothing are left out
                cues -= len(re.findall(rb"-->.*\r?\n[ \t]+\r?\n", (SUBS / row["file"]).read_bytes()))
                if cues > 0 and "negative" not in item["name"]:  # times that WebVTT has not
                    assert answer.status == 200, (item["name"], answer.body)
                    got = len(re.findall(" --> ", answer.text))
                    least = 2 if "timings-60" in item["name"] else cues * 0.9 - 1  # four are none in WebVTT
                    assert got >= least, (item["name"], got, cues)


def test_fonts_of_a_film(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    fonts = sorted(pathlib.Path("/usr/share/fonts").rglob("*.ttf"))[:2]
    if not fonts:
        pytest.skip("no fonts here")
    (tmp_path / "page.html").write_text("<script>alert(1)</script>", encoding="utf-8")
    (tmp_path / "fake.ttf").write_text("<script>alert(1)</script>", encoding="utf-8")
    attach = []
    for path in [tmp_path / "page.html", *fonts, tmp_path / "fake.ttf"]:
        attach += ["--attach-file", str(path)]
    run("mkvmerge", "-q", "-o", str(folder / "Film.mkv"), *attach, str(films.make("plain.mkv")))
    with Server(folder) as server:
        server.known = server.files(wait_s=60)
        film = server.known["Film.mkv"][0]
        for n, path in enumerate(fonts, 1):
            answer = server.get(f"/api/v1/files/{film}/fonts/{n}")
            assert answer.status == 200, answer.body[:200]
            assert answer.body == path.read_bytes() and answer.header("content-type") == "font/ttf"
            assert "sandbox" in answer.header("content-security-policy")
            assert answer.header("x-content-type-options") == "nosniff"
        fake = server.get(f"/api/v1/files/{film}/fonts/{len(fonts) + 1}")
        assert fake.status == 502 and "font" in fake.json["detail"]
        for n in (len(fonts) + 2, 0, "x", "1e3"):
            assert server.get(f"/api/v1/files/{film}/fonts/{n}").status == 404
