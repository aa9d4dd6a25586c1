# SPDX-License-Identifier: GPL-3.0-or-later
"""Subtitles that are pictures: timed for a page that draws them, and drawn into the film for players
that do not. What comes out is held against what was put in, pixel by pixel."""

import base64
import pathlib
import shutil
import tempfile
import time
from fractions import Fraction

import pytest

import discs
import hls
from downloading import Arriving
from origin import Origin
from server import FULL, SLOW, Server
from test_openapi import check_schema

PGS = ["pgs.mkv", "packed.mkv", "walk.mkv"]
OTHERS = ["vobsub.mkv", "vobsub.mp4", "dvb.mkv"]
WITH_TEXT = "text.mkv"
HOLD_S = 2  # decision 26
NEAR = 12   # levels of a colour that went through YCbCr, or a coder


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-pictures-"))
    discs.make_films(made, [*PGS, *OTHERS, WITH_TEXT])
    discs.ffmpeg("-i", made / "dvb.mkv", "-map", "0", "-c", "copy", made / "broadcast.ts")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder) as s:
        s.known = s.files(wait_s=120)
        yield s


class Track:
    """The only subtitles of a film, as a page asks for them."""

    def __init__(self, server, file):
        self.server, self.file = server, file
        for _ in range(50 * SLOW):  # as a page asks again as long as the plan is waited for
            answer = server.ask("POST", "/api/v1/playback", {"file": file})
            assert answer.status == 201, answer.body
            check_schema("Playback", answer.json)
            if answer.json["pictures"] or answer.json.get("waiting", {}).get("for") != "plan":
                break
            time.sleep(0.1)
        [self.about] = answer.json["pictures"]
        self.base = self.about["url"].rsplit("/", 1)[0] + "/"
        answer = server.get(self.about["url"])
        assert answer.status == 200, answer.body
        self.playlist = hls.MediaPlaylist(answer.text)
        self.starts = [Fraction(0)]
        for s in self.playlist.segments:
            self.starts.append(self.starts[-1] + s.duration)

    def cues(self, n):
        """Those of a segment; the answer is never held for longer than decision 26 says."""
        for _ in range(60 * SLOW):
            begun = time.monotonic()
            answer = self.server.get(self.base + self.playlist.segments[n].uri)
            assert time.monotonic() - begun < HOLD_S + 2 * SLOW
            if answer.status != 503:
                break
            time.sleep(0.1)
        assert answer.status == 200, answer.body[:300]
        assert answer.header("content-type") == "application/json"
        check_schema("Pictures", answer.json)
        return answer.json["cues"]

    def overlapping(self, n, shown):
        return [s for s in shown if s[0] < self.starts[n + 1] - Fraction(1, 10)
                and s[1] > self.starts[n] + Fraction(1, 10)]


def is_near(pixel, name, near=NEAR):
    wanted = discs.RGBA[name] if name else (0, 0, 0, 0)
    if wanted[3] == 0:
        return pixel[3] == 0
    return all(abs(a - b) <= near for a, b in zip(pixel, wanted))


def check_picture(picture, placed, palette):
    box, x, y, forced = placed
    assert [picture[k] for k in ("x", "y", "width", "height")] == [x, y, box.width, box.height]
    assert picture["forced"] == forced
    rows = discs.read_png(base64.b64decode(picture["png"]))
    assert (len(rows), len(rows[0])) == (box.height, box.width)
    for row, wanted in zip(rows, box.rows()):
        assert all(is_near(p, palette.get(c)) for p, c in zip(row, wanted))


@pytest.mark.parametrize("name", PGS)
def test_every_segment_shows_what_the_disc_has(server, name):
    """Of each segment alone, the last one first: whoever seeks into a cue, or into an epoch, sees what
    those see who watch from the begin."""
    track = Track(server, server.known[name][0])
    assert track.about["codec"] == "hdmv_pgs_subtitle" and track.about["id"] == "subtitle-1"
    assert (track.about["language"], track.about["title"]) == ("en", "Signs")
    assert abs(track.playlist.duration - discs.SECONDS) < 0.5
    late = None
    for n in reversed(range(len(track.playlist.segments))):
        cues = track.cues(n)
        due = track.overlapping(n, discs.SHOWN)
        assert len(cues) >= len(due), (n, due)
        for cue in cues:
            begin, end, placed, palette = min(discs.SHOWN, key=lambda s: abs(s[0] - cue["start"]))
            late = begin - cue["start"] if late is None else late
            assert 0 <= late < 0.1 and cue["start"] == pytest.approx(begin - late, abs=1.5e-3)
            if end < discs.SECONDS:
                assert cue["end"] == pytest.approx(end - late, abs=1.5e-3)
            else:
                assert abs(cue["end"] - float(track.playlist.duration)) < 0.01, "to the film's end"
            assert (cue["width"], cue["height"]) == (1280, 720)
            assert cue["start"] < track.starts[n + 1] and cue["end"] > track.starts[n]
            assert len(cue["pictures"]) == len(placed)
            for picture, put in zip(cue["pictures"], placed):
                check_picture(picture, put, palette)


@pytest.mark.parametrize("name", OTHERS)
def test_discs_and_broadcasts(server, name):
    track = Track(server, server.known[name][0])
    shown = [s for s in discs.SHOWN if s[1] < discs.SECONDS]
    for n in reversed(range(len(track.playlist.segments))):
        cues = track.cues(n)
        assert len(cues) >= len(track.overlapping(n, shown)), n
        for cue in cues:
            begin, end, placed, palette = min(shown, key=lambda s: abs(s[0] - cue["start"]))
            assert cue["start"] == pytest.approx(begin, abs=0.1)
            assert cue["end"] == pytest.approx(end, abs=0.1)
            if len(placed) > 1:  # one picture, or in another order
                continue
            [picture], [(box, x, y, _)] = cue["pictures"], placed
            assert [picture[k] for k in ("x", "y", "width", "height")] == \
                [x, y, box.width, box.height]
            rows = discs.read_png(base64.b64decode(picture["png"]))
            # the encoder has 16 colours for a DVD
            assert is_near(rows[1][1], palette[1], 2 * NEAR) and rows[1][1][3] == 255


def test_what_the_api_says_of_them(server):
    [listed] = server.get(f"/api/v1/files/{server.known['pgs.mkv'][0]}/subtitles").json["items"]
    check_schema("Subtitle", listed)
    assert (listed["kind"], listed["offered"], listed["id"]) == ("pictures", True, "subtitle-1")
    base = f"/api/v1/files/{server.known['pgs.mkv'][0]}/subtitles/"
    answer = server.get(base + "subtitle-1.vtt")
    assert answer.status == 404 and "pictures" in answer.json["detail"]
    master = server.get(f"/hls/{server.known['pgs.mkv'][0]}/master.m3u8?client=mse").text
    assert "pictures" not in master and "burn" not in master and "SUBTITLES" not in master


def test_what_is_not_read_is_said(server):
    """Of a transport stream the film plays, and its subtitles have a reason."""
    file = server.known["broadcast.ts"][0]
    [listed] = server.get(f"/api/v1/files/{file}/subtitles").json["items"]
    check_schema("Subtitle", listed)
    assert not listed["offered"] and "Matroska" in listed["reason"] and "kind" not in listed
    assert server.ask("POST", "/api/v1/playback", {"file": file}).json["pictures"] == []


def test_a_wrong_version_or_number_is_refused(server):
    track = Track(server, server.known["pgs.mkv"][0])
    assert server.get(track.base + "0.json").status == 200
    assert server.get(track.base + "99.json").status == 404
    assert server.get(track.base + "0.json?v=00000000").status == 410
    assert server.get(track.base + "0.vtt").status == 404
    assert server.get(track.base + "0.m4s").status == 404
    assert server.get(track.base.replace("pictures-1", "video-copy") + "0.json").status == 404


def test_of_a_film_that_arrives(folder):
    """Far from what has come, the pictures come before the film does."""
    with Origin({"film.mkv": folder / "pgs.mkv"}, bits_per_s=8e6) as origin, \
            Server(None, settings={"fetch.allow": origin.host}) as server:
        link = server.ask("POST", "/api/v1/links", {"url": origin.url("film.mkv")}).json
        Arriving(server, link["file"])
        track = Track(server, link["file"])
        [cue] = track.cues(len(track.playlist.segments) - 1)
        check_picture(cue["pictures"][0], discs.SHOWN[-1][2][0], discs.RED)
        here = server.get(f"/api/v1/files/{link['file']}/availability").json
        assert not here["complete"], "it was read while the film came"


# --- drawn into the film ---

class Burnt:
    """The rung of a film with its subtitles in it, and the same without."""

    def __init__(self, server, name, query="&burn=subtitle-1"):
        self.server = server
        self.base = f"/hls/{server.known[name][0]}/"
        answer = server.get(f"{self.base}master.m3u8?client=native{query}")
        assert answer.status == 200, answer.body
        self.master = hls.MasterPlaylist(answer.text)
        hls.check_master_playlist(self.master)
        self.uri = self.master.variants[0].uri
        self.folder = self.base + self.uri.split("/")[0] + "/"
        self.playlist = hls.MediaPlaylist(server.get(self.base + self.uri).text)
        hls.check_media_playlist(self.playlist, native=True)
        self.init = server.get(self.folder + self.playlist.map).body

    def at(self, seconds):
        """The number of the segment in which that is, and where it begins."""
        begin = Fraction(0)
        for s in self.playlist.segments:
            if begin + s.duration > seconds:
                return s.n, begin
            begin += s.duration
        raise AssertionError(seconds)

    def frame(self, seconds, tmp_path):
        """The picture that is shown then: rows of RGB."""
        n, begin = self.at(Fraction(seconds))
        body = self.server.get(self.folder + self.playlist.segments[n].uri, timeout=120).body
        path = tmp_path / f"{n}.mp4"
        path.write_bytes(self.init + body)
        frame = int((Fraction(seconds) - begin) * 24000 / 1001)
        code, out, err = hls.run("ffmpeg", "-v", "error", "-i", path, "-vf",
                                 f"select=eq(n\\,{frame})", "-frames:v", "1", "-f", "rawvideo",
                                 "-pix_fmt", "rgb24", "-")
        assert code == 0 and len(out) == 640 * 360 * 3, err
        return out


def color_at(frame, x, y):
    """The mean of a few pixels: a coder's noise is less then."""
    area = [(x + i, y + j) for i in range(-2, 3) for j in range(-2, 3)]
    return [sum(frame[(py * 640 + px) * 3 + c] for px, py in area) / len(area) for c in range(3)]


def test_drawn_into_the_picture(server, tmp_path):
    """At the time of a cue, outside of it, and where a player begins in the midst of one: the middle of
    the film is asked for first."""
    burnt, plain = Burnt(server, "pgs.mkv"), Burnt(server, "pgs.mkv", "")
    assert {v.uri.split("/")[0] for v in burnt.master.variants if "RESOLUTION" in v.attrs} == \
        {"video-360p-burn-1", "video-360p-burn-1-b"}, "no copy: nothing is drawn into that"
    filling = (500 // 2, 630 // 2)  # the plane is twice as large
    n, begin = burnt.at(Fraction(18))
    assert begin > 17 or n > 0
    for seconds in (18, 11, 13, 9.5, 19.5):
        with_it, without = burnt.frame(seconds, tmp_path), plain_frame(plain, seconds, tmp_path)
        is_shown = any(a <= seconds < b for a, b, *_ in discs.SHOWN)
        drawn, around = color_at(with_it, *filling), color_at(without, *filling)
        if is_shown:
            assert all(abs(a - 255) < 20 for a in drawn), (seconds, drawn)
        else:
            assert all(abs(a - b) < 20 for a, b in zip(drawn, around)), (seconds, drawn, around)
        beside = [color_at(f, 560, 320) for f in (with_it, without)]
        assert all(abs(a - b) < 20 for a, b in zip(*beside)), (seconds, beside)


def plain_frame(plain, seconds, tmp_path):
    """Of the transcode without subtitles."""
    plain.folder = plain.base + "video-360p/"
    plain.playlist = hls.MediaPlaylist(plain.server.get(plain.folder + "index.m3u8").text)
    plain.init = plain.server.get(plain.folder + plain.playlist.map).body
    return plain.frame(seconds, tmp_path)


def test_the_first_and_last_frame_of_a_cue(server, tmp_path):
    burnt = Burnt(server, "pgs.mkv")
    step = 1001 / 24000
    white = (500 // 2, 630 // 2)
    late = 10 - Track(server, server.known["pgs.mkv"][0]).cues(burnt_segment(burnt, 10.5))[0]["start"]
    for seconds, is_there in ((10 - late - 1.5 * step, False), (10 - late + 1.5 * step, True),
                              (19 - late - 1.5 * step, True), (19 - late + 1.5 * step, False)):
        seen = color_at(burnt.frame(Fraction(seconds).limit_denominator(24000), tmp_path), *white)
        assert all(a > 235 for a in seen) == is_there, (seconds, seen)


def burnt_segment(burnt, seconds):
    """Segments of subtitles follow the copy's cuts: those of that time."""
    text = burnt.server.get(f"{burnt.base}pictures-1/index.m3u8").text
    begin = Fraction(0)
    for s in hls.MediaPlaylist(text).segments:
        begin += s.duration
        if begin > seconds:
            return s.n
    raise AssertionError(seconds)


def test_colors_that_cover_in_part(server, tmp_path):
    """Half of white over the film is in the middle between both."""
    burnt, plain = Burnt(server, "pgs.mkv"), Burnt(server, "pgs.mkv", "")
    with_it, without = burnt.frame(3, tmp_path), plain_frame(plain, 3, tmp_path)
    drawn, under = color_at(with_it, 250 // 2, 620 // 2), color_at(without, 250 // 2, 620 // 2)
    assert all(abs(a - (b + 255) / 2) < 22 for a, b in zip(drawn, under)), (drawn, under)


def test_what_cannot_be_drawn_in_is_said(server):
    base = f"/hls/{server.known[WITH_TEXT][0]}/master.m3u8?client=native&burn="
    assert server.get(base + "subtitle-1").status == 200
    for wish, status, words in (("subtitle-2", 400, "is text"), ("subtitle-3", 404, "no such"),
                                ("beside-0a1b2c3d", 400, "subtitle-1"), ("1", 400, "subtitle-1"),
                                ("subtitle-0", 400, ""), ("subtitle-99999", 400, ""), ("", 400, "")):
        answer = server.get(base + wish)
        assert answer.status == status and answer.json["field"] == "burn", (wish, answer.body)
        assert words in answer.json["detail"]


def test_text_and_pictures_in_one_film(server):
    """Each has the number that it has among all subtitles, and the playlist lists the text alone."""
    track = Track(server, server.known[WITH_TEXT][0])
    assert track.about["id"] == "subtitle-1"
    pictures, text = server.get(
        f"/api/v1/files/{track.file}/subtitles").json["items"]
    assert [(t["id"], t["kind"]) for t in (pictures, text)] == \
        [("subtitle-1", "pictures"), ("subtitle-2", "text")]
    master = hls.MasterPlaylist(server.get(f"/hls/{track.file}/master.m3u8?client=mse").text)
    [line] = [m for m in master.media if m["TYPE"] == "SUBTITLES"]
    assert line["LANGUAGE"] == "de" and line["URI"].startswith("subtitle-2/")


@pytest.mark.skipif(not FULL, reason="FULL=1")
@pytest.mark.parametrize("name", OTHERS + ["walk.mkv", "packed.mkv"])
def test_all_kinds_drawn_in(server, tmp_path, name):
    burnt = Burnt(server, name)
    for seconds, is_there in ((11, True), (20, False)):
        seen = color_at(burnt.frame(seconds, tmp_path), 500 // 2, 630 // 2)
        assert all(a > 225 for a in seen) == is_there, (seconds, seen)
