# SPDX-License-Identifier: GPL-3.0-or-later
"""Films that lie or hide, and clients in great number: a clear answer each, and nothing lost.
Garbage, cut and renamed files stand in test_faults.py, damaged bits in test_cases.py."""

import os
import pathlib
import re
import resource
import shutil
import socket
import struct
import tempfile
import time

import pytest

import films
import hls
from server import SLOW, Server
from viewer import Film

SMALL = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=9", "-f", "lavfi", "-i", "sine=d=9"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac"]
KEY = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb",
       "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"]


def cover():
    """A still picture, for the films that begin with one."""
    return films.make("cover.png", ["-f", "lavfi", "-i", "testsrc2=s=320x320:d=1",
                                    "-frames:v", "1"])


def long_duration():
    """A film of 9 s whose header says 39 hours; Duration is 0x4489, EBML 7.4."""
    path = films.FOLDER / "hours.mkv"
    data = bytearray(films.make("small-9.mkv", SMALL + H264).read_bytes())
    at = data.index(b"\x44\x89\x88")
    data[at + 3:at + 11] = struct.pack(">d", 39 * 3600 * 1000)
    part = films.FOLDER / f"part-{os.getpid()}-hours.mkv"
    part.write_bytes(data)
    part.rename(path)
    return path


FILMS = {
    "encrypted.mp4": lambda: films.make("encrypted.mp4", SMALL + H264 + KEY),
    "hours.mkv": long_duration,
    "silent.mkv": lambda: films.make("silent.mkv", SMALL[:4] + H264[:6]),
    "dark.mka": lambda: films.make("dark.mka", SMALL[4:] + ["-c:a", "aac"]),
    "cover-first.mp4": lambda: films.make("cover-first.mp4", [
        "-i", str(cover()), *SMALL, "-map", "0", "-map", "1", "-map", "2", *H264, "-c:v:0", "png",
        "-disposition:v:0", "attached_pic"]),
    "forward.mkv": lambda: films.make("forward.mkv", SMALL + H264 + [
        "-bsf:v", "setts=ts=if(gte(N\\,100)\\,TS+20000\\,TS)",
        "-bsf:a", "setts=ts=if(gte(N\\,170)\\,TS+20000\\,TS)"]),
    "away.mkv": lambda: films.make("away.mkv", SMALL[:4] + H264[:6] + [
        "-bsf:v", "setts=ts=if(gte(N\\,100)\\,TS+140000000\\,TS)"]),
}


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    for name, make in FILMS.items():
        os.symlink(make(), folder / name)
    os.symlink(films.make("plain.mkv"), folder / "plain.mkv")
    with Server(folder) as s:
        s.known = s.files()
        yield s
        assert re.search(r"^matinee_media_deaths_total 0$", s.metrics(), re.M), "a process died"
    shutil.rmtree(folder)


def plays(server, name):
    """The film, after each of its renditions was fetched whole and found to join."""
    film = Film(server, name)
    for rendition, uri in film.uris().items():
        playlist = film.playlist(uri)
        init = hls.Init(film.fetch(uri, playlist.map))
        data = [film.fetch(uri, s.uri) for s in playlist.segments]
        hls.check_join(init, data, playlist, "-copy" in rendition)
    return film


def refused(server, name):
    """The words of the refusal, the same in the list and at the playlist."""
    file, state, title = server.known[name]
    assert state == "unreadable", (name, state)
    answer = server.get(f"/hls/{file}/master.m3u8?client=mse")
    assert answer.status in (404, 422, 502) and len(answer.json["detail"]) > 8
    return title["reason"]


def test_encrypted_tracks_are_refused_as_such(server):
    assert "encrypted" in refused(server, "encrypted.mp4")


def test_a_header_that_says_39_hours_is_not_believed(server):
    film = plays(server, "hours.mkv")
    assert abs(film.about["media"]["duration"] - 9) < 0.2


def test_a_film_without_sound_plays(server):
    film = plays(server, "silent.mkv")
    assert not film.master.media and all(r.startswith("video") for r in film.uris())


def test_sound_without_a_picture_plays(server):
    film = plays(server, "dark.mka")
    assert all(r.startswith("audio") for r in film.uris())


def test_a_cover_that_comes_first_is_not_the_film(server):
    film = plays(server, "cover-first.mp4")
    assert abs(film.about["media"]["duration"] - 9) < 0.2
    assert {v.attrs["RESOLUTION"] for v in film.master.variants} == {"160x90"}


def test_timestamps_that_jump_forward_leave_a_hole(server):
    """Twenty seconds with nothing in them are shown as such: the last picture stands, no sound."""
    film = plays(server, "forward.mkv")
    assert 28 < film.about["media"]["duration"] < 30


def test_timestamps_that_run_away_are_refused(server):
    assert "timestamps" in refused(server, "away.mkv")


def test_ten_thousand_connections_harm_nobody(server):
    """As many as the machine lets both sides have; the film plays on beside them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    want = min(10_000, hard - 1000)
    held = []
    try:
        for i in range(want):
            s = socket.socket()
            s.settimeout(20 * SLOW)
            # Loopback has more addresses than one; each has its own ports.
            s.bind((f"127.0.0.{2 + i % 8}", 0))
            s.connect(("127.0.0.1", server.port))
            held.append(s)
            if i % 500 == 0:
                s.sendall(b"GET /healthz HTTP/1.1\r\n")  # and says no more
        assert len(held) == want
        began = time.monotonic()
        assert server.get("/healthz").status == 200
        film = Film(server, "plain.mkv")
        uri = film.uris()["video-copy"]
        hls.parse_segment(film.fetch(uri, film.playlist(uri).segments[1].uri))
        assert time.monotonic() - began < 10 * SLOW
    finally:
        for s in held:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    deadline = time.monotonic() + 20 * SLOW
    while len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir())) > 300:
        assert time.monotonic() < deadline, "connections that are gone are kept"
        time.sleep(0.1)
