# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures to scrub by: I-frame playlists (rules 37 to 40 of our list; RFC 8216 4.3.3.6, 4.3.4.3), and
storyboards."""

import bisect
import os
import pathlib
import re
import shutil
import tempfile
import time
from fractions import Fraction

import pytest

import films
import hls
import pictures
from server import FULL, SLOW, Server
from survey import Rendition, presentation
from viewer import ALL_CAPS, Film

NAMES = ["plain.mp4", "hevc.mkv", "vfr.mkv", "mpeg2.ts"] + \
    (["plain.mkv", "opengop.mkv", "longgop.mkv", "faststart.mp4", "cut.mp4", "ac3.mkv", "xvid.avi"]
     if FULL else [])
MADE = {"hls.storyboard_bytes": 1 << 26}
WITH_KEYS = ["plain.mkv", "plain.mp4", "hevc.mkv", "vfr.mkv"]


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    for name in NAMES:
        os.symlink(films.make(name), folder / name)
    with Server(folder, settings={"media.processes": 16, "hls.idle_s": 3, **MADE}) as s:
        s.known = s.files(wait_s=240)
        yield s
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=NAMES)
def film(server, request):
    found = Film(server, request.param)
    found.name = request.param
    found.iframes = {a["URI"].split("/")[0]: Rendition(found, a["URI"].split("/")[0], a["URI"])
                     for a in found.master.iframes}
    return found


def some(rendition):
    """All in full size; in the plain form the first, one from the middle, the last."""
    count = len(rendition.playlist.segments)
    return list(range(count)) if FULL else sorted({0, count // 2, count - 1})


def alone(rendition, n, folder):
    """The path of a film that is the init segment and one segment; nothing else is asked for."""
    return hls.joined(rendition.init.data, [rendition.segment(n)], folder)


def time_of(rendition, n):
    """Media time of the picture, as the segment says."""
    [(ticks, _)] = presentation(rendition.segment(n))
    return Fraction(ticks, rendition.init.timescale) - hls.OFFSET_S


# --- playlists --------------------------------------------------------------------------------

def test_rule_37_they_are_announced(film):
    """A 6.1, 6.8, 9.3, 9.4: BANDWIDTH, CODECS, RESOLUTION, the URI, and nothing of sound."""
    assert film.master.iframes
    for a in film.master.iframes:
        for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "URI"):
            assert name in a, f"rule 37: {name}"
        assert int(a["BANDWIDTH"]) >= int(a["AVERAGE-BANDWIDTH"])
        assert re.fullmatch(r"[1-9]\d*x[1-9]\d*", a["RESOLUTION"])
        assert a["VIDEO-RANGE"] in ("SDR", "PQ", "HLG")
        assert not {"FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"} & set(a), "R 4.3.4.3"
        assert re.fullmatch(r"(avc1|hvc1|av01|vp09)\.[\w.]+", a["CODECS"]), "one codec"
    for r in film.iframes.values():
        assert r.playlist.iframes_only and r.playlist.version >= 4 and r.playlist.map_count == 1
        assert "BYTERANGE" not in r.playlist.text, "each is a resource of its own"
        hls.check_media_playlist(r.playlist)


def test_rule_37_ordinary_playlists_are_none(film):
    for uri in film.uris().values():
        assert not film.playlist(uri).iframes_only


def test_rule_37_only_for_who_can_decode_them(server):
    base = Film(server, "hevc.mkv").base
    for client in ("mse", "native"):
        plain = hls.MasterPlaylist(server.get(f"{base}master.m3u8?client={client}&caps=h264").text)
        assert [a["URI"].split("/")[0] for a in plain.iframes] == ["iframes-video-360p"]
        able = hls.MasterPlaylist(server.get(
            f"{base}master.m3u8?client={client}&caps={ALL_CAPS}").text)
        assert [a["URI"].split("/")[0] for a in able.iframes] == ["iframes-video-copy",
                                                                  "iframes-video-360p"]


def test_rule_39_one_is_sdr_and_h264(film):
    """A 6.14 to 6.17."""
    assert any(a["CODECS"].startswith("avc1.") and a["VIDEO-RANGE"] == "SDR"
               for a in film.master.iframes)


def test_rule_40_they_are_dense(film):
    """A 6.2 would have one a second; the index has one in two, and all of them are there."""
    for r in film.iframes.values():
        mean = r.playlist.duration / len(r.playlist.segments)
        assert mean <= (Fraction(21, 10) if film.name in WITH_KEYS else 5), (r.name, float(mean))
        assert abs(r.playlist.duration - Fraction(film.about["duration"])) < Fraction(1, 20)


def test_rule_21_bandwidth_is_true(film):
    """R 4.4.6.2: no run of them from half to one and a half of the target has a higher rate."""
    for a in film.master.iframes:
        r = film.iframes[a["URI"].split("/")[0]]
        if len(r.playlist.segments) < 60:
            assert r.peak(r.playlist.target) <= int(a["BANDWIDTH"]), r.name


# --- segments ---------------------------------------------------------------------------------

def test_rule_38_each_is_one_picture_that_decodes_alone(film, tmp_path):
    """A 6.10: moof and exactly one I-frame, decodable with the init segment alone."""
    for r in film.iframes.values():
        for n in some(r):
            [part] = hls.parse_segment(r.segment(n))
            [(duration, _, flags, _)] = part.samples
            assert flags == 0x02000000, "ISO 14496-12 8.8.3.1: it depends on nothing"
            assert time_of(r, n) + Fraction(duration, r.init.timescale) == \
                pytest.approx(r.cuts[n + 1], abs=2e-6), "up to the next"
            assert time_of(r, n) == pytest.approx(r.cuts[n], abs=2e-6 if n else 0.101)
            path = alone(r, n, tmp_path)
            frames, errors = hls.frame_hashes(path, "v:0")
            assert len(frames) == 1 and not errors, (r.name, n, len(frames), errors)
            code, out, _ = hls.run("ffprobe", "-v", "error", "-show_entries",
                                   "frame=pict_type,key_frame", "-of", "csv=p=0", path)
            assert code == 0 and sorted(out.decode().strip().rstrip(",").split(",")) == ["1", "I"]


def test_copies_are_the_films_own_pictures(film, tmp_path):
    """Bit by bit what decoding the whole film shows at that time."""
    if "iframes-video-copy" not in film.iframes:
        pytest.skip("its pictures are not copied")
    r = film.iframes["iframes-video-copy"]
    source = films.make(film.name)
    frames, _ = hls.frame_hashes(source, "V:0", "-copyts")
    times = [float(t - frames[0][0]) for t, _ in frames]  # ffmpeg rounds them to its grid
    for n in some(r):
        since = float(time_of(r, n) - time_of(r, 0))
        at = bisect.bisect(times, since + 0.021) - 1
        assert times[at] == pytest.approx(since, abs=0.022)
        [(_, shown)], _ = hls.frame_hashes(alone(r, n, tmp_path), "v:0")
        assert shown == frames[at][1], (n, times[at])


def test_transcodes_show_what_the_film_shows_then(film, tmp_path):
    """The picture of that moment, told from its neighbours by how it looks."""
    [r] = [r for name, r in film.iframes.items() if name != "iframes-video-copy"]
    source = pictures.of_source(films.make(film.name))
    times = [t for t, _ in source]
    step = 1 / 23.976
    for n in some(r):
        at = float(r.cuts[n]) + max(times[0], 0)
        [(_, shown)] = pictures.small(alone(r, n, tmp_path))
        near = range(max(0, bisect.bisect(times, at) - 4),
                     min(len(times), bisect.bisect(times, at) + 4))
        scored = sorted((pictures.unlike(shown, source[i][1]), times[i]) for i in near)
        like = [t for score, t in scored if score <= scored[0][0] * 1.5 + 0.35]
        assert scored[0][0] < 8, (r.name, n, scored[:3])
        assert any(at - 2 * step <= t <= at + step for t in like), (r.name, n, at, scored[:4])


def test_they_are_had_in_any_order_and_as_others_are(server):
    """Immutable by `v`, whole ones with ranges; a further number is 404, another version 410."""
    film = Film(server, "plain.mp4")
    [a] = [a for a in film.master.iframes if "copy" in a["URI"]]
    r = Rendition(film, "iframes-video-copy", a["URI"])
    last = r.playlist.segments[-1]
    for s in (last, r.playlist.segments[0], last):
        answer = server.get(r.path(s.uri))
        assert answer.status == 200 and answer.header("content-type") == "video/mp4"
        assert "immutable" in answer.header("cache-control") or \
            answer.header("cache-control") == "no-store"
    part = server.ask("GET", r.path(last.uri), headers={"Range": "bytes=0-7"})
    assert part.status == 206 and part.body[4:8] == b"styp"
    beyond = last.uri.replace(f"{last.n}.m4s", f"{last.n + 1}.m4s")
    assert server.get(r.path(beyond)).status == 404
    assert server.get(r.path(re.sub("v=[0-9a-f]{8}", "v=00000000", last.uri))).status == 410


def test_ffmpeg_reads_the_multivariant_playlist(server):
    film = Film(server, "plain.mp4")
    code, out, err = hls.run("ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of",
                             "csv=p=0", f"{server.url.rstrip('/')}{film.base}master.m3u8?client=native")
    assert code == 0 and not err, err
    assert {"video", "audio"} <= set(out.decode().split())


# --- storyboards ------------------------------------------------------------------------------

def storyboard(server, base, wait_s=60):
    """[(begin, end, sheet, (x, y, width, height))], once it is made."""
    deadline = time.monotonic() + wait_s * SLOW
    while True:
        answer = server.get(f"{base}storyboard.vtt")
        assert answer.status == 200, answer.body
        if answer.header("retry-after") is None:
            break
        assert "-->" not in answer.text and answer.header("cache-control") == "no-store"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.text.startswith("WEBVTT\n\n") and answer.header("content-type").startswith("text/vtt")
    stamp = r"(\d\d+):(\d\d):(\d\d\.\d{3})"
    cues = re.findall(rf"^{stamp} --> {stamp}\n(storyboard/[0-9a-f]{{32}}\.jpg)"
                      r"#xywh=(\d+),(\d+),(\d+),(\d+)$", answer.text, re.M)
    assert len(cues) == answer.text.count("-->")
    seconds = [(int(c[0]) * 3600 + int(c[1]) * 60 + float(c[2]),
                int(c[3]) * 3600 + int(c[4]) * 60 + float(c[5])) for c in cues]
    return [(*s, c[6], tuple(map(int, c[7:]))) for s, c in zip(seconds, cues)]


def tile(sheet, place):
    """One picture of a sheet, small and grey, as pictures.small makes them."""
    x, y, width, height = place
    code, out, err = hls.run(
        "ffmpeg", "-v", "error", "-i", sheet, "-vf", f"crop={width}:{height}:{x}:{y},"
        f"scale={pictures.WIDTH}:{pictures.HEIGHT}:flags=area,format=gray", "-f", "rawvideo", "-")
    assert code == 0, err
    return out


def test_storyboards_show_the_film(film, tmp_path):
    """Each picture is the film's own of the time at which its cue begins; the cues leave no gap."""
    cues = storyboard(film.server, film.base)
    assert cues[0][0] == 0
    assert all(a[1] == b[0] for a, b in zip(cues, cues[1:]))
    assert cues[-1][1] == pytest.approx(film.about["duration"], abs=0.01)
    source = pictures.of_source(films.make(film.name))
    times = [t - source[0][0] for t, _ in source]
    for begin, _, uri, place in cues:
        assert max(place[2:]) == 240, "the longer side"
        sheet = tmp_path / uri.split("/")[1]
        sheet.write_bytes(film.server.get(film.base + uri).body)
        shown = tile(sheet, place)
        near = bisect.bisect(times, begin + 0.03) - 1
        scored = sorted((pictures.unlike(shown, source[i][1]), i)
                        for i in range(max(0, near - 4), min(len(times), near + 5)))
        assert scored[0][0] < 10, (film.name, begin, scored[:3])
        like = [i for score, i in scored if score <= scored[0][0] * 1.5 + 0.5]
        assert any(abs(i - near) <= 1 for i in like), (film.name, begin, near, scored[:4])


def test_sheets_are_had_as_bytes_of_others_are(server):
    """What a browser runs is none of them: our type, nosniff, a sandbox; immutable, since the content's
    hash is the name; of this film alone."""
    film = Film(server, "plain.mp4")
    uri = storyboard(server, film.base)[0][2]
    answer = server.get(film.base + uri)
    assert answer.status == 200 and answer.body[:3] == b"\xff\xd8\xff" and answer.body[-2:] == b"\xff\xd9"
    assert answer.header("content-type") == "image/jpeg"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("content-security-policy") == "sandbox; default-src 'none'"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert answer.header("cache-control") == "private, max-age=31536000, immutable"
    again = server.ask("GET", film.base + uri, headers={"If-None-Match": answer.header("etag")})
    assert again.status == 304
    assert server.get(Film(server, "vfr.mkv").base + uri).status == 404
    for name in ("x.jpg", "0" * 32 + ".jpg", "0" * 32 + ".png", "..%2f..%2fmatinee.jpg", "index.m3u8",
                 "0.m4s", "%00" * 32 + ".jpg"):
        assert server.get(f"{film.base}storyboard/{name}").status in (400, 404), name
    text = server.get(f"{film.base}storyboard.vtt")
    assert text.header("cache-control") == "private, no-cache" and text.header("etag")


def test_storyboards_survive_a_restart_and_may_be_switched_off(tmp_path):
    os.symlink(films.make("plain.mp4"), tmp_path / "plain.mp4")
    data = tempfile.mkdtemp(prefix="matinee-data-")
    with Server(tmp_path, data=data, settings=MADE) as s:
        base = f"/hls/{s.files()['plain.mp4'][0]}/"
        made = storyboard(s, base)
        assert "matinee_storyboards_made_total 1\n" in s.metrics()
    with Server(tmp_path, data=data, settings=MADE) as s:
        assert storyboard(s, base, wait_s=0) == made
        assert s.get(base + made[0][2]).status == 200
    with Server(tmp_path, data=data) as s:  # 0 bytes
        assert s.get(f"{base}storyboard.vtt").status == 404
        assert s.get(base + made[0][2]).status == 404
    shutil.rmtree(data)
