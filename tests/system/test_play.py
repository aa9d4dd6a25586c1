# SPDX-License-Identifier: GPL-3.0-or-later
"""Every film plays whole, exact to the frame, whoever asks and in whichever order."""

import functools
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
from fractions import Fraction

import pytest

import films
import hls
import pictures
from server import FULL, Server
from viewer import Film

CORPUS = {row["file"]: row for row in films.corpus()}
GENERATED = ["plain.mkv", "plain.mp4", "faststart.mp4", "ac3.mkv", "opus.mkv", "flac.mkv",
             "mp3.mkv", "eac3.mp4", "opengop.mkv", "intra_refresh.mkv", "hevc.mkv", "mpeg2.ts",
             "xvid.avi", "sound.flac", "longgop.mkv", "cut.mp4"]


@pytest.fixture(scope="module")
def server():
    """One server over all films, generated and of the corpus."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    for name in GENERATED:
        os.symlink(films.make(name), folder / name)
    for name, row in CORPUS.items():
        os.symlink(films.CORPUS / name, folder / name)
    with Server(folder, settings={"media.processes": 16, "hls.idle_s": 3}) as s:
        s.known = s.files(wait_s=240)
        yield s
    shutil.rmtree(folder)


def fetch_in(film, uri, playlist, order):
    return {n: film.fetch(uri, playlist.segments[n].uri) for n in order}


def fetch_by_many(film, uri, playlist, begin, clients=3):
    """Several clients at once, from the middle on; all must get the same bytes of a copy."""
    results = [None] * clients

    def work(i):
        results[i] = fetch_in(film, uri, playlist, range(begin, len(playlist.segments)))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(r is not None for r in results), "a client failed"
    return results


RATES = [Fraction(12), Fraction(25, 2), Fraction(15), Fraction(20), Fraction(24000, 1001),
         Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30),
         Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60)]


def grid(fps):
    """The exact rate of decision 10 behind a number in JSON."""
    return min(RATES, key=lambda rate: abs(float(rate) - fps))


def check_rendition(film, name, uri, folder, source):
    playlist = film.playlist(uri)
    init = hls.Init(film.fetch(uri, playlist.map))
    whole = fetch_in(film, uri, playlist, range(len(playlist.segments)))
    data = [whole[n] for n in range(len(playlist.segments))]
    is_copy = name.endswith("-copy") or name.endswith("-copy-b")
    is_video = name.startswith("video")
    hls.check_join(init, data, playlist, is_copy)
    for n, segment in enumerate(data):
        parts = hls.parse_segment(segment)
        if is_video:
            assert parts[0].samples[0][2] & 0x01010000 == 0, f"segment {n} begins without a key"
            assert all(s[3] >= 0 for p in parts for s in p.samples), "negative composition offset"
    # The same again, in any order, from the middle, by several at once.
    order = list(range(len(data)))
    random.Random(name).shuffle(order)
    again = fetch_in(film, uri, playlist, order)
    many = fetch_by_many(film, uri, playlist, len(data) // 2)
    for other in [again, *many]:
        for n, segment in other.items():
            same_structure(name, n, whole[n], segment, exact=True)
    path = hls.joined(init.data, data, folder)
    return playlist, init, data, path


def same_structure(name, n, one, other, exact):
    if exact and one == other:
        return
    a, b = hls.parse_segment(one), hls.parse_segment(other)
    key = lambda parts: [(p.tfdt, [(s[0], s[2], s[3]) for s in p.samples]) for p in parts]
    assert key(a) == key(b), f"{name} segment {n} differs between runs"


@functools.lru_cache(maxsize=2)
def video_source_hashes(path):
    return hls.frame_hashes(path, "V:0")


def check_copied_video(path, source):
    got, complaints = hls.frame_hashes(path, "v:0")
    assert complaints == "", complaints[:2000]
    want, _ = video_source_hashes(source)
    assert [h for _, h in got] == [h for _, h in want], \
        f"{len(got)} frames of the copy, {len(want)} of the source, or others"


def check_transcoded_video(film, path, playlist, source):
    got, complaints = hls.frame_hashes(path, "v:0")
    assert complaints == "", complaints[:2000]
    fps = grid(float(film.master.variants[0].attrs["FRAME-RATE"]))
    want = round(playlist.duration * fps)
    assert len(got) == want, f"{len(got)} frames, {want} on the grid of {fps}"
    steps = {b[0] - a[0] for a, b in zip(got, got[1:])}
    assert len(steps) <= 1 or max(steps) - min(steps) < Fraction(1, 10000), steps
    pictures.check_in_step(source, path, float(1 / fps))


def check_audio(path, init, playlist, frame, is_copy):
    code, out, err = hls.run("ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-f", "s16le",
                             "-ac", "1", "-ar", str(init.timescale), "-")
    assert code == 0 and err == "", err[:2000]
    samples = len(out) // 2
    want = playlist.duration * init.timescale
    if is_copy and samples < want:
        return  # copied sound may end before the picture does: hls.check_join saw it is whole
    assert abs(samples - want) <= frame, f"{samples} samples, {float(want)} announced"


def play_whole(server, name, source, tmp_path):
    film = Film(server, name)
    ends = {}
    for rendition, uri in film.renditions():
        playlist, init, data, path = check_rendition(film, rendition, uri, tmp_path, source)
        ends[rendition] = playlist.duration
        if init.kind == "vide":
            if "-copy" in rendition:
                check_copied_video(path, source)
            else:
                check_transcoded_video(film, path, playlist, source)
        else:
            check_audio(path, init, playlist, 4608, "-copy" in rendition)
        path.unlink()
    return film, ends


@pytest.mark.parametrize("name", GENERATED)
def test_generated_film_plays_whole(server, name, tmp_path):
    film, ends = play_whole(server, name, films.make(name), tmp_path)
    assert ends
    about = json.loads(subprocess.run(
        ["ffprobe", "-v", "error", "-show_format", "-of", "json", str(films.make(name))],
        stdout=subprocess.PIPE, check=True).stdout)
    longest = max(ends.values())
    assert abs(float(longest) - float(about["format"]["duration"])) < 0.5


PLAIN_SECONDS, PLAIN_PIXEL_SECONDS = 20, 3e6


def is_short(row):
    """Whether the plain form has time for it."""
    seconds = float(row["duration_s"]) if row["duration_s"] not in ("-", "") else 0
    width, height = map(int, row["size"].split("x")) if "x" in row["size"] else (0, 0)
    return seconds <= PLAIN_SECONDS and width * height * seconds <= PLAIN_PIXEL_SECONDS or \
        row["file"].endswith("fragmented.mp4")  # which says that it lasts for 39 hours


def corpus_names(verdicts):
    return [n for n, row in CORPUS.items() if row["verdict"] in verdicts and (FULL or is_short(row))]


@pytest.mark.parametrize("name", corpus_names({"clean"}))
def test_corpus_film_plays_whole(server, name, tmp_path):
    row = CORPUS[name]
    film, ends = play_whole(server, name, films.CORPUS / name, tmp_path)
    want = max(float(row[c]) for c in ("video_end_s", "audio_end_s") if row[c] != "-")
    assert abs(float(max(ends.values())) - want) <= 0.5, (ends, want)
    if row["size"] != "-":
        check_shape(film, row)


def check_shape(film, row):
    """RESOLUTION of what is shown: square pixels, upright after the rotation."""
    width, height = (int(side) for side in row["size"].split("x"))
    num, den = (int(n) for n in (row["sar"] if ":" in row["sar"] else "1:1").split(":"))
    shape = Fraction(width * max(num, 1), height * max(den, 1))
    if abs(int(row["rotation"])) == 90:
        shape = 1 / shape
    for variant in film.master.variants:
        shown_width, shown_height = map(int, variant.attrs["RESOLUTION"].split("x"))
        # Even sizes, and widths rounded to them: two pixels of slack a side.
        assert abs(shown_width - shown_height * shape) <= 2 + 2 * shape, variant.attrs["RESOLUTION"]


@pytest.mark.parametrize("name", corpus_names({"errors", "partial", "unplayable"}))
def test_corpus_film_that_is_not_clean_says_why(server, name):
    """Played in part, or refused, with words; never a crash, never a hang."""
    file, state, title = server.known[name]
    about = server.get(f"/api/v1/files/{file}")
    assert about.status == 200
    if state == "unreadable":
        assert len(title["reason"]) > 10, title
        assert server.get(f"/hls/{file}/master.m3u8?client=mse").status in (404, 422, 502)
        return
    film = Film(server, name)
    for _, uri in film.renditions():
        playlist = film.playlist(uri)
        for segment in playlist.segments[:2]:
            path = film.base + uri.rsplit("/", 1)[0] + "/" + segment.uri
            assert server.get(path).status in (200, 410, 502)
