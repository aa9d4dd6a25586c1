# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's test cases that need the whole server, by their numbers. The others stand in
tests/unit/segments, and those that need a browser in tests/browser."""

import http.client
import itertools
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from fractions import Fraction

import pytest

import films
import hls
import sync
from server import FULL, SLOW, Server
from survey import Survey, presentation
from viewer import Film

# What is equal of a transcode, whoever made it.
SAME = "tfdt, durations, flags, composition offsets"


def merge(target, *arguments):
    """A film by mkvmerge, made once."""
    return films.once(target, lambda part: subprocess.run(
        ["mkvmerge", "-q", "-o", part, *map(str, arguments)], check=True))


def remux(target, source, *arguments, before=()):
    return films.make(target, [*before, "-i", str(films.make(source)), "-map", "0", "-c", "copy",
                               *arguments])


def changed(target, source, change):
    """A copy of a film with `change(bytearray)` made to it."""
    def fill(part):
        data = bytearray(pathlib.Path(source).read_bytes())
        change(data)
        part.write_bytes(data)

    return films.once(target, fill)


@pytest.fixture
def serve():
    """serve(paths...): a server over these films, known by their names; ended with the test."""
    with Servers() as started:
        def start(*paths, **settings):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
            for path in paths:
                os.symlink(path, folder / pathlib.Path(path).name)
            server = started.enter(Server(folder, settings=settings), folder)
            server.known = server.files()
            return server
        yield start


class Servers:
    """Servers and their folders, ended in turn, also when one of them complains."""

    def __enter__(self):
        self.open = []
        return self

    def enter(self, server, folder):
        self.open.append((server, folder))
        return server.__enter__()

    def __exit__(self, *exception):
        complaint = None
        for server, folder in reversed(self.open):
            try:
                server.__exit__(*exception)
            except AssertionError as e:
                complaint = complaint or e
            shutil.rmtree(folder, ignore_errors=True)
        if complaint:
            raise complaint


def fetch(server, path):
    for _ in range(60 * SLOW):
        answer = server.get(path)
        if answer.status != 503:
            break
        time.sleep(0.05)
    return answer


def playlist_of(server, film, rendition):
    """Any rendition's, also one that the multivariant playlist need not name: (playlist, base)."""
    base = f"/hls/{film}/{rendition}/"
    answer = fetch(server, f"{base}index.m3u8?client=mse")
    assert answer.status == 200, answer.body
    return hls.MediaPlaylist(answer.text), base


def whole(server, film, rendition, numbers=None):
    """(init, {n: bytes}, playlist)"""
    playlist, base = playlist_of(server, film, rendition)
    init = fetch(server, base + playlist.map)
    assert init.status == 200
    got = {}
    for s in playlist.segments:
        if numbers is None or s.n in numbers:
            answer = fetch(server, base + s.uri)
            assert answer.status == 200, (rendition, s.n, answer.body[:300])
            got[s.n] = answer.body
    return hls.Init(init.body), got, playlist


def structure(data):
    """Times, durations and flags of all samples; where the parts of it end does not matter."""
    return [(at, s[0], s[2], s[3]) for p in hls.parse_segment(data)
            for at, s in zip(itertools.accumulate([p.tfdt] + [x[0] for x in p.samples]), p.samples)]


def renditions_of(server, film):
    """Those of picture and sound."""
    return [r["name"] for r in server.get(f"/api/v1/files/{film}").json["media"]["renditions"]
            if r["kind"] in ("video", "audio")]


# --- 1, 10, 12: whoever makes it ----------------------------------------------------------------

@pytest.mark.parametrize("name", ["plain.mkv", "eac3.mp4"])
def test_case_01_10_12_a_run_from_0_and_one_from_there_agree(serve, name):
    """Copies and sound byte for byte, transcodes in structure, inits always; each segment of the
    second kind comes from a server that has made nothing before it."""
    path = films.make(name)
    first = serve(path)
    film = first.known[name][0]
    names = renditions_of(first, film)
    from_0 = {r: whole(first, film, r) for r in names}
    assert any(r.startswith("video-copy") for r in names)
    for n in (1, len(from_0["video-360p"][1]) - 1):
        other = serve(path)
        film = other.known[name][0]
        for r in names:
            init, got, _ = whole(other, film, r, {n})
            assert init.data == from_0[r][0].data, f"the init of {r} differs"
            if n not in from_0[r][1]:
                continue
            one, two = from_0[r][1][n], got[n]
            if "-copy" in r or r.startswith("audio"):
                assert one == two, f"{r} {n}: other bytes from a run that began there"
            else:
                assert structure(one) == structure(two), (r, n, SAME)


# --- 5: every start is a start ------------------------------------------------------------------

def test_case_05_copies_only_where_every_segment_can_be_begun_with(serve):
    server = serve(films.make("plain.mkv"), films.make("opengop.mkv"),
                   films.make("intra_refresh.mkv"))
    for name in ("opengop.mkv", "intra_refresh.mkv"):
        film = Film(server, name)
        assert "video-copy" not in film.uris()
        [picture] = [t for t in film.about["media"]["tracks"] if t["kind"] == "video"]
        assert not picture["copy"]["offered"] and "IDR" in picture["copy"]["reason"], picture
    film = server.known["plain.mkv"][0]
    init, segments, _ = whole(server, film, "video-copy")
    for n, data in segments.items():
        check_alone(init, n, data)


def check_alone(init, n, data):
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(init.data + data)
        file.flush()
        frames, complaints = hls.frame_hashes(file.name, "v:0")
    assert complaints == "", (n, complaints)
    assert len(frames) == len(presentation(data)), f"segment {n}: {len(frames)} frames"


# --- 6: with and without an index ---------------------------------------------------------------

def spoil_cues(data):
    at = data.rindex(b"\x1c\x53\xbb\x6b")
    data[at + 12:] = random.Random(6).randbytes(len(data) - at - 12)


def zero_tail(data):
    data[-40_000:] = bytes(40_000)


@pytest.mark.parametrize("name,make,copied", [
    ("front.mkv", lambda n: remux(n, "plain.mkv", "-reserve_index_space", "65536"), True),
    ("cueless.mkv", lambda n: merge(n, "--no-cues", films.make("plain.mkv")), True),
    ("spoilt-cues.mkv", lambda n: changed(n, films.make("plain.mkv"), spoil_cues), True),
    ("zero-tail.mkv", lambda n: changed(n, films.make("plain.mkv"), zero_tail), None),
    ("front.mp4", lambda n: films.make("faststart.mp4"), True),
    ("fragmented.mp4", lambda n: remux(n, "plain.mp4", "-movflags", "frag_keyframe+empty_moov"),
     True),
    ("fragments.mp4", lambda n: remux(n, "plain.mp4", "-movflags", "dash+separate_moof",
                                      "-frag_duration", "500000"), True),
])
def test_case_06_forms_of_an_index(serve, name, make, copied):
    """Played, with a copy or the reason for none; a spoilt tail ends the film early at most."""
    path = make(name)
    server = serve(path)
    file, state, title = server.known[path.name]
    assert state == "ready", title
    media = server.get(f"/api/v1/files/{file}").json["media"]
    [picture] = [t for t in media["tracks"] if t["kind"] == "video"]
    if copied is not None:
        assert picture["copy"]["offered"] == copied, picture
    assert picture["copy"]["offered"] or len(picture["copy"]["reason"]) > 10
    want = 14 if path.name.endswith("mp4") else 20
    assert media["duration"] == pytest.approx(want, abs=0.1 if copied is not None else 4)
    for rendition in [r for r in renditions_of(server, file) if r in ("video-copy", "video-360p")]:
        init, segments, playlist = whole(server, file, rendition)
        hls.check_join(init, [segments[s.n] for s in playlist.segments], playlist,
                       rendition == "video-copy")


# --- 7, 18: sound and picture -------------------------------------------------------------------

def joined_file(init, segments, folder, name):
    path = folder / name
    path.write_bytes(init.data + b"".join(segments[n] for n in sorted(segments)))
    return path


def check_pairs(server, name, folder, source, most, pictures=None):
    """Every picture with every sound, from the start and from the middle on."""
    film = server.known[name][0]
    names = renditions_of(server, film)
    want = sum(sync.offsets(sync.flashes(source), sync.beeps(source))) / sync.SECONDS
    seen, heard = {}, {}
    for r in pictures or [r for r in names if r.startswith("video")]:
        init, segments, _ = whole(server, film, r)
        seen[r] = sync.flashes(joined_file(init, segments, folder, r + ".mp4"))
        # After a seek: what a player has then is these segments alone.
        later = {n: d for n, d in segments.items() if n >= len(segments) // 2}
        seen[r + " after a seek"] = sync.flashes(joined_file(init, later, folder, "later.mp4"))
    for r in [r for r in names if r.startswith("audio")]:
        init, segments, _ = whole(server, film, r)
        heard[r] = sync.beeps(joined_file(init, segments, folder, r + ".mp4"))
        later = {n: d for n, d in segments.items() if n >= len(segments) // 2}
        # Decoders of sound need a frame to begin, which may hide the first beep.
        heard[r + " after a seek"] = sync.beeps(joined_file(init, later, folder, "later.mp4"))[1:]
    for picture, sound in itertools.product(seen, heard):
        for off in sync.offsets(seen[picture][1:], heard[sound])[1:]:
            assert abs(off - want) < most, (picture, sound, off, want)
    return seen


@pytest.mark.parametrize("name,codec", [
    ("sync-aac.mkv", ["-c:a", "aac"]), ("sync-ac3.mkv", ["-c:a", "ac3"]),
    *([("sync-aac.mp4", ["-c:a", "aac"]), ("sync-opus.mkv", ["-c:a", "libopus"])] if FULL else []),
])
def test_case_18_sound_and_picture_together(serve, tmp_path, name, codec):
    """Below 10 ms for every pair of renditions, at the start, after a seek, and over a change of
    quality, where no flash is lost, doubled or moved."""
    source = sync.film(name, *codec)
    server = serve(source)
    seen = check_pairs(server, name, tmp_path, source, 0.010)
    assert len(seen) >= 4, "a copy and a transcode"
    if FULL or name == "sync-aac.mkv":
        check_switches(server, server.known[name][0], tmp_path)


def check_switches(server, film, folder):
    """From the copy to the transcode and back at each cut that both have."""
    parts = {r: whole(server, film, r) for r in ("video-copy", "video-180p")}
    starts = {r: list(itertools.accumulate([Fraction(0)] + [s.duration for s in p.segments]))
              for r, (_, _, p) in parts.items()}
    switches = 0
    for one, other in itertools.permutations(parts):
        done = 0
        for n, m in itertools.product(*(range(1, len(starts[r]) - 1) for r in (one, other))):
            if abs(starts[one][n] - starts[other][m]) > Fraction(1, 50) or (done == 2 and not FULL):
                continue
            done += 1
            before = {k: d for k, d in parts[one][1].items() if k < n}
            after = {k: d for k, d in parts[other][1].items() if k >= m}
            shown = sync.flashes(joined_file(parts[one][0], before, folder, "before.mp4")) + \
                sync.flashes(joined_file(parts[other][0], after, folder, "after.mp4"))
            assert len(shown) == sync.SECONDS, (one, other, n, shown)
            steps = [b - a for a, b in zip(shown, shown[1:])]
            assert all(abs(s - 1) < 0.021 for s in steps), (one, other, n, steps)
            switches += 1
    assert switches >= 4


def test_case_18_through_the_hls_demuxer_of_ffmpeg(serve):
    """It plays the multivariant playlist itself, and adds the most negative composition offset to
    every picture: any there would show here. Each variant's picture with each sound."""
    source = sync.film("sync-ac3.mkv", "-c:a", "ac3")
    server = serve(source)
    film = server.known["sync-ac3.mkv"][0]
    url = f"http://127.0.0.1:{server.port}/hls/{film}/master.m3u8?client=native&caps=h264,aac,ac3"
    code, out, err = hls.run("ffprobe", "-v", "error", "-show_entries", "stream=index,codec_type",
                             "-of", "csv=p=0", url)
    assert code == 0, err
    kinds = [line.split(",")[1] for line in sorted(set(out.decode().split())) if line[0].isdigit()]
    want = sum(sync.offsets(sync.flashes(source), sync.beeps(source))) / sync.SECONDS
    pictures = [sync.flashes(url, f"v:{i}") for i in range(kinds.count("video"))]
    sounds = [sync.beeps(url, f"a:{i}") for i in range(kinds.count("audio"))]
    assert len(pictures) >= 2 and len(sounds) >= 2, kinds
    for picture, sound in itertools.product(pictures, sounds):
        assert len(picture) >= sync.SECONDS - 1
        for off in sync.offsets(picture, sound)[1:]:
            assert abs(off - want) < 0.010, (off, want)


@pytest.mark.parametrize("name,arguments,before", [
    ("cut-at-key.mp4", [], ["-ss", "4"]), ("cut-inside.mp4", [], ["-ss", "5.5"]),
    ("primed.mp4", [], []), ("negative.mp4", ["-avoid_negative_ts", "disabled"], ["-ss", "6.3"]),
    ("cut-inside.mkv", [], ["-ss", "5.5"]),
])
def test_case_07_edit_lists_keep_sound_and_picture_together(serve, tmp_path, name, arguments,
                                                            before):
    """Where a copy is offered, within a millisecond of the source; else it is refused with the
    reason, and converted within ten."""
    original = sync.film("sync-aac.mp4", "-c:a", "aac")
    source = films.make(name, [*before, "-i", str(original), "-map", "0", "-c", "copy", *arguments])
    server = serve(source)
    file, state, title = server.known[name]
    assert state == "ready", title
    tracks = server.get(f"/api/v1/files/{file}").json["media"]["tracks"]
    for track in tracks:
        assert track["copy"]["offered"] or len(track["copy"]["reason"]) > 10, track
    want = sync.offsets(sync.flashes(source)[1:], sync.beeps(source))
    want = sum(want) / len(want)
    found = {}
    for r in renditions_of(server, file):
        init, segments, _ = whole(server, file, r)
        read = sync.flashes if r.startswith("video") else sync.beeps
        found[r] = read(joined_file(init, segments, tmp_path, r + ".mp4"))
    for video, audio in itertools.product([r for r in found if r.startswith("video")],
                                          [r for r in found if r.startswith("audio")]):
        # A millisecond, and the length of a window or the rounding of Matroska's times.
        most = 0.0015 if "copy" in video and "copy" in audio else 0.010
        for off in sync.offsets(found[video][1:], found[audio])[1:]:
            assert abs(off - want) < most, (video, audio, off, want)


# --- 8: parameter sets that change --------------------------------------------------------------

def group(name, seconds, references):
    return films.make(name, ["-f", "lavfi", "-i", f"testsrc2=s=320x180:r=25:d={seconds}", "-c:v",
                             "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
                             "-x264-params", "keyint=100:min-keyint=100:scenecut=0:bframes=0:"
                             f"ref={references}", "-f", "h264"])


def island():
    """Other parameter sets from 4 to 8 s, where no sample looks."""
    raw = films.once("island.h264", lambda part: part.write_bytes(b"".join(p.read_bytes() for p in (
        group("island-a.h264", 4, 1), group("island-b.h264", 4, 4), group("island-c.h264", 40, 1)))))
    return films.make("island.mkv", ["-v", "quiet", "-r", "25", "-i", str(raw), "-c", "copy", "-bsf:v",
                             "setts=pts=N*40:dts=N*40:duration=40"])


def test_case_08_changed_parameter_sets_withdraw_the_copy(serve):
    """410 with the reason, a plan without the copy, and a page that loads it anew plays on."""
    server = serve(island())
    film = server.known["island.mkv"][0]
    before = Film(server, "island.mkv")
    uri = before.uris()["video-copy"]
    playlist = before.playlist(uri)
    paths = [before.base + uri.rsplit("/", 1)[0] + "/" + s.uri for s in playlist.segments]
    assert fetch(server, paths[0]).status == 200
    gone = fetch(server, paths[1])
    assert gone.status == 410 and "parameter sets" in gone.json["detail"], gone.body
    deadline = time.monotonic() + 10 * SLOW
    while True:
        master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client=mse").text)
        [picture] = server.get(f"/api/v1/files/{film}").json["media"]["tracks"]
        if not any(v.uri.startswith("video-copy") for v in master.variants) and \
                not picture["copy"]["offered"]:
            break
        assert time.monotonic() < deadline, "the copy is offered still"
        time.sleep(0.1)
    assert "parameter sets" in picture["copy"]["reason"]
    after = Film(server, "island.mkv")
    [(rendition, uri), *_] = after.renditions()
    assert "copy" not in rendition
    playlist = after.playlist(uri)
    init = hls.Init(after.fetch(uri, playlist.map))
    for n in (1, 2, 3):
        check_alone(init, n, after.fetch(uri, playlist.segments[n].uri))


# --- 13, 14 -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["plain.mkv", "plain.mp4", "longgop.mkv"])
def test_case_13_each_segment_decodes_alone(serve, name):
    server = serve(films.make(name))
    film = server.known[name][0]
    for rendition in [r for r in renditions_of(server, film) if r.startswith("video")]:
        init, segments, _ = whole(server, film, rendition)
        for n, data in segments.items():
            check_alone(init, n, data)


INTERLACED = ["-f", "lavfi", "-i", "testsrc2=s=352x288:r=50:d=8", "-vf", "interlace=scan=tff",
              "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-b:v", "4M", "-g", "12", "-bf", "2"]
MIXED = ["-f", "lavfi", "-i", "testsrc2=s=192x108:r=60:d=3", "-f", "lavfi", "-i",
         "testsrc2=s=192x108:r=30:d=3", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=48:d=3",
         "-filter_complex", "[0]settb=1/1000[a];[1]settb=1/1000[b];[2]settb=1/1000[c];"
         "[a][b][c]concat=n=3", "-fps_mode", "vfr", "-enc_time_base", "1/1000", "-c:v", "libx264",
         "-preset", "veryfast", "-g", "60"]


@pytest.mark.parametrize("name,recipe", [
    ("interlaced.mkv", INTERLACED), ("mixed.mkv", MIXED), ("plain.mkv", None), ("xvid.avi", None),
])
def test_case_14_odd_rates_come_out_even(serve, tmp_path, name, recipe):
    """As many pictures as the grid has, one step apart, none combed."""
    server = serve(films.make(name, recipe) if recipe else films.make(name))
    film = Film(server, name)
    rendition = max(r for r in film.uris() if r.startswith("video-") and "copy" not in r)
    init, segments, playlist = whole(server, film.id, rendition)
    path = joined_file(init, segments, tmp_path, "joined.mp4")
    frames, complaints = hls.frame_hashes(path, "v:0")
    assert complaints == ""
    rate = Fraction(film.master.variants[0].attrs["FRAME-RATE"])
    assert abs(len(frames) - playlist.duration * rate) <= 1
    steps = [b[0] - a[0] for a, b in zip(frames, frames[1:])]
    assert min(steps) > 0 and max(steps) - min(steps) < Fraction(1, 10_000)
    if name == "interlaced.mkv":
        combed = {p: comb(p) for p in (films.make(name), path)}
        assert combed[films.make(name)] > 0.5 and combed[path] < 0.1, combed


def comb(path):
    """The share of pictures that idet takes for interlaced."""
    _, _, err = hls.run("ffmpeg", "-i", path, "-vf", "idet", "-f", "null", "-")
    tff, bff, progressive = map(int, re.search(
        r"Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)", err).groups())
    return (tff + bff) / (tff + bff + progressive)


# --- 17: sound with gaps ------------------------------------------------------------------------

def holes(path, begin):
    """(from, to) of silences, from the film's start, by silencedetect."""
    _, _, err = hls.run("ffmpeg", "-copyts", "-i", path, "-map", "0:a:0", "-af",
                        "silencedetect=noise=-50dB:duration=0.2", "-f", "null", "-")
    starts = [float(t) - begin for t in re.findall(r"silence_start: (\S+)", err)]
    ends = [float(t) - begin for t in re.findall(r"silence_end: (\S+)", err)]
    return list(itertools.zip_longest(starts, ends))


TONE = "aevalsrc=0.4*sin(2000*t)|0.4*sin(2000*t):s=48000:d="


@pytest.mark.parametrize("name,sound,expected", [
    ("late.mkv", [TONE + "11", "-af", "asetpts=PTS+5/TB"], [(0, 5)]),
    ("hole.mkv", [TONE + "11", "-af", "asetpts=PTS+5*gte(T\\,4)/TB"], [(4, 9)]),
    ("shorter.mkv", [TONE + "10"], [(10, None)]),
    ("longer.mkv", [TONE + "19"], []),
])
def test_case_17_holes_in_sound_stay_where_they_are(serve, tmp_path, name, sound, expected):
    source = films.make(name, ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=16", "-f", "lavfi",
                               "-i", sound[0], "-map", "0", "-map", "1", *sound[1:], "-c:v",
                               "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac"])
    server = serve(source)
    film = server.known[name][0]
    init, segments, playlist = whole(server, film, "audio-1-aac")
    # Sound lasts as long as the picture, to a frame (playlists: case 17, rule 18).
    pictures = [r for r in renditions_of(server, film) if r.startswith("video")]
    lasts = playlist_of(server, film, pictures[0])[0].duration
    assert abs(playlist.duration - lasts) <= Fraction(1024, init.timescale) + Fraction(1, 25)
    found = holes(joined_file(init, segments, tmp_path, "sound.mp4"), hls.OFFSET_S)
    assert len(found) == len(expected), found
    for (begin, end), (want_begin, want_end) in zip(found, expected):
        frame = 2 * 1024 / 48000  # one frame of the source's grid, one of ours
        assert abs(begin - want_begin) < frame, (found, expected)
        assert want_end is None or abs(end - want_end) < frame, (found, expected)


def move_clusters_back(data):
    """From the third cluster on, times are 300 ms earlier: they overlap what came before."""
    for n, match in enumerate(re.finditer(rb"\x1f\x43\xb6\x75", bytes(data))):
        at = data.index(b"\xe7", match.end())
        size = data[at + 1] & 0x7F
        if n >= 2:
            was = int.from_bytes(data[at + 2:at + 2 + size], "big")
            data[at + 2:at + 2 + size] = (was - 300).to_bytes(size, "big")


def test_case_17_sound_that_overlaps_itself(serve, tmp_path):
    plain = films.make("tone.mka", ["-f", "lavfi", "-i", TONE + "12", "-c:a", "aac",
                                    "-cluster_time_limit", "2000"])
    source = changed("overlap.mka", plain, move_clusters_back)
    assert source.read_bytes() != plain.read_bytes()
    server = serve(source)
    film, state, title = server.known["overlap.mka"]
    assert state == "ready", title
    for rendition in renditions_of(server, film):
        init, segments, playlist = whole(server, film, rendition)
        hls.check_join(init, [segments[s.n] for s in playlist.segments], playlist,
                       rendition.endswith("copy"))
        if rendition.endswith("aac"):
            path = joined_file(init, segments, tmp_path, "sound.mp4")
            assert [h for h in holes(path, hls.OFFSET_S) if h[1] is not None] == []


# --- 20: seeks ----------------------------------------------------------------------------------

def test_case_20_fifty_random_seeks(serve):
    """Each is answered; those given up leave nothing behind; one process works for the film."""
    server = serve(films.make("longgop.mkv"), **{"hls.idle_s": 1})
    server.await_trial()
    before = server_fds(server)
    film = Film(server, "longgop.mkv")
    uris = {r: u for r, u in film.uris().items()
            if r in ("video-360p", "audio-1-aac", "audio-1-copy")}
    assert len(uris) >= 2
    playlists = {r: film.playlist(u) for r, u in uris.items()}
    chance = random.Random(20)
    for seek in range(50):
        for r, playlist in playlists.items():
            n = chance.randrange(len(playlist.segments))
            path = film.base + uris[r].rsplit("/", 1)[0] + "/" + playlist.segments[n].uri
            if seek % 3 != 0:
                leave(server, path + "&p=seeker")
                continue
            answer = fetch(server, path + "&p=seeker")
            assert answer.status == 200, (path, answer.body[:200])
            hls.parse_segment(answer.body)
        assert len(server.film_pids()) <= 1, "more than one process for one film"
    assert metric(server, "media_deaths_total") == 0
    # Nobody watches: the film is closed, and with it all that the seeks had opened.
    deadline = time.monotonic() + 90 * SLOW
    while server.film_pids() or server_fds(server) > before + 2:
        assert time.monotonic() < deadline, (before, server_fds(server), server.pids())
        time.sleep(0.2)


def metric(server, name):
    return int(re.search(rf"^matinee_{name} (\d+)$", server.metrics(), re.M).group(1))


def server_fds(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def leave(server, path):
    connection = server.connect(5 * SLOW)
    connection.request("GET", path)
    time.sleep(0.02)
    connection.close()


# --- 23, 24: the sandbox ------------------------------------------------------------------------

def damaged(folder, source, count, chance):
    data = source.read_bytes()
    for i in range(count):
        bad = bytearray(data)
        # The head with the tracks, the packets, the tail with the index.
        begin, end = [(0, 2000), (0, len(bad)), (len(bad) - 3000, len(bad))][i % 3]
        for _ in range(chance.choice([1, 8, 64])):
            bad[chance.randrange(max(0, begin), end)] ^= 1 << chance.randrange(8)
        (folder / f"damaged-{i}{source.suffix}").write_bytes(bad)
        cut = chance.randrange(100, len(data))
        (folder / f"cut-{i}{source.suffix}").write_bytes(data[:cut])


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "avi", "ts"])
def test_case_23_damaged_films_harm_nobody(suffix):
    """Bits flipped in head, packets and index, and cut ends: played, in part or not at all, with
    words; the server lives, and no process tried what it may not."""
    codec = {"avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"], "ts": ["-c:v", "mpeg2video"]}
    source = films.make(f"small.{suffix}", [
        "-f", "lavfi", "-i", "testsrc2=s=128x72:r=25:d=5", "-f", "lavfi", "-i",
        "sine=d=5", *codec.get(suffix, ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"])])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    damaged(folder, source, 9, random.Random(suffix))
    shutil.copyfile(source, folder / f"good.{suffix}")
    with Server(folder, settings={"media.hang_ms": 10_000 * SLOW}) as server:
        server.known = server.files(wait_s=240)
        for name, (file, state, title) in server.known.items():
            if state == "unreadable":
                assert len(title["reason"]) > 8, (name, title)
                continue
            ask_for_damaged(server, file)
        good = server.known[f"good.{suffix}"][0]
        for rendition in renditions_of(server, good):
            whole(server, good, rendition)
        assert server.get("/healthz").status == 200
        log = "".join(server.log)
        assert "signal 31" not in log and "SIGSYS" not in log, log[-3000:]
    shutil.rmtree(folder)


def ask_for_damaged(server, file):
    for rendition in renditions_of(server, file):
        answer = fetch(server, f"/hls/{file}/{rendition}/index.m3u8?client=mse")
        # 404: a copy that was withdrawn since.
        assert answer.status in (200, 404, 410, 502), answer.body
        if answer.status != 200:
            continue
        segments = hls.MediaPlaylist(answer.text).segments
        for s in {segments[0], segments[-1]}:
            try:
                got = fetch(server, f"/hls/{file}/{rendition}/{s.uri}")
            except (http.client.IncompleteRead, ConnectionError):
                continue  # broken off: never a wrong length
            assert got.status in (200, 404, 410, 502), got.body
            if got.status == 200:
                hls.parse_segment(got.body)


def test_case_24_everything_runs_under_the_sandbox(serve):
    """Copies and converts films of all kinds; nobody dies, and each process is locked as said."""
    names = ["plain.mkv", "hevc.mkv", "mpeg2.ts", "xvid.avi", "flac.mkv", "eac3.mp4", "sound.flac"]
    server = serve(*[films.make(n) for n in names])
    for name in names:
        film = server.known[name][0]
        for rendition in renditions_of(server, film):
            playlist, _ = playlist_of(server, film, rendition)
            whole(server, film, rendition, {0, len(playlist.segments) - 1})
        for pid in server.film_pids():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            assert re.search(r"^NoNewPrivs:\s*1$", status, re.M), status
            assert re.search(r"^Seccomp:\s*2$", status, re.M), status
    assert "matinee_media_deaths_total 0" in server.metrics()
    assert not any("SIGSYS" in l or "signal 31" in l for l in server.log)


# --- 26, 27 -------------------------------------------------------------------------------------

def test_case_26_rungs_made_together_are_those_made_alone(serve):
    """A ladder's run and a single rung's: equal inits, times, and numbers of pictures."""
    path = films.make("tall.mkv", films.PICTURE + films.X264 + films.GOP, size="854x480",
                      seconds="9")
    both, alone = serve(path), serve(path)
    film = both.known["tall.mkv"][0]
    names = [r for r in renditions_of(both, film) if re.fullmatch(r"video-\d+p", r)]
    assert len(names) >= 2
    got = {}

    def work(rendition):
        got[rendition] = whole(both, film, rendition)

    threads = [threading.Thread(target=work, args=(r,)) for r in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in names:
        init, segments, _ = whole(alone, alone.known["tall.mkv"][0], r)
        assert init.data == got[r][0].data
        for n, data in segments.items():
            assert structure(data) == structure(got[r][1][n]), (r, n, SAME)


@pytest.mark.parametrize("name", ["plain.mkv", "plain.mp4", "hevc.mkv", "longgop.mkv",
                                  "sound.flac"])
def test_case_27_the_playlist_is_the_media(serve, name):
    """The sum of EXTINF within 50 ms of the media, each segment within 100 ms of its place."""
    server = serve(films.make(name))
    survey = Survey(server, name)
    for r in survey.whole:
        begin, end = r.times[0][0], r.times[-1][1]
        assert abs(r.playlist.duration - (end - begin)) < Fraction(1, 20) or \
            (r.is_copy and not r.is_video), r.name
        for n, shown in enumerate(r.first_shown):
            slack = Fraction(1, 10) if not r.is_copy or r.playlist.independent else Fraction(1, 4)
            assert abs(shown - r.cuts[n]) < slack, (r.name, n, float(shown))
    length = survey.film.about["media"]["duration"]
    longest = max(float(r.playlist.duration) for r in survey.whole)
    assert abs(longest - length) < 0.05, (longest, length)
