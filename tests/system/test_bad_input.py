# SPDX-License-Identifier: GPL-3.0-or-later
"""Films that lie or hide, and clients in great number: a clear answer each, and nothing lost.
Garbage, cut and renamed files stand in test_faults.py, damaged bits in test_cases.py."""

import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import socket
import struct
import subprocess
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
    data = bytearray(films.make("small-9.mkv", SMALL + H264).read_bytes())
    at = data.index(b"\x44\x89\x88")
    data[at + 3:at + 11] = struct.pack(">d", 39 * 3600 * 1000)
    return put("hours.mkv", data)


def put(name, data):
    return films.once(name, lambda part: part.write_bytes(data))


def encrypted():
    """A film whose track says that it is encrypted: in place of the ContentCompression (0x5034) that
    mkvmerge writes stands a ContentEncodingType (0x5033, RFC 9559 5.1.4.1.31.4) of 1, and Void."""
    path = films.FOLDER / f"stripped-{os.getpid()}.mkv"
    plain = films.make("simple-9.mkv", SMALL[:4] + ["-c:v", "mpeg4", "-bf", "2"])
    subprocess.run(["mkvmerge", "-q", "-o", path, "--compression", "0:mpeg4_p2", plain], check=True)
    data = bytearray(path.read_bytes())
    path.unlink()
    at = data.index(b"\x62\x40") + 3  # in ContentEncoding
    assert data[at:at + 2] == b"\x50\x34", data[at:at + 8]
    left = data[at + 2] - 0x80 + 3 - 4
    data[at:at + 4 + left] = b"\x50\x33\x81\1" + bytes([0xec, 0x80 + left - 2]) + bytes(left - 2)
    return put("encrypted.mkv", data)


def false_key():
    """A film of 60 s with a key every 4 s, of which the one at 20 s only says that it is one: its NAL
    unit is of type 1, not 5 (H.264 7.4.1). The planner, which looks at five, does not see it."""
    data = bytearray(films.make("keys-60.mkv", [
        "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=60", "-c:v", "libx264", "-preset",
        "ultrafast", "-g", "100", "-sc_threshold", "0"]).read_bytes())
    packets = hls.run("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                      "packet=pts_time,pos,size", "-of", "csv=p=0", films.FOLDER / "keys-60.mkv")[1]
    row = next(r for r in packets.decode().split() if r.startswith("20.0"))
    size, at = (int(x) for x in row.split(",")[1:3])
    at = data.index(struct.pack(">I", size - 4) + b"\x65", at) + 4
    data[at] = 0x61
    return put("false-key.mkv", data)


def without_index():
    """A film without Cues (RFC 9559 22.1) that takes a while to read through: before each of its
    clusters stands one of a million empty elements (Void, RFC 8794 11.3.2)."""
    data = films.make("cueless.mkv", ["-i", str(films.make("plain.mkv")), "-map", "0", "-c", "copy",
                                      "-f", "matroska", "-live", "1"]).read_bytes()
    cluster = b"\x1f\x43\xb6\x75"
    inside = b"\xe7\x81\0" + b"\xec\x80" * 1_000_000
    between = cluster + struct.pack(">Q", len(inside) | 1 << 56) + inside
    return put("through.mkv", data.replace(cluster, between + cluster))


FILMS = {
    "encrypted.mp4": lambda: films.make("encrypted.mp4", SMALL + H264 + KEY),
    "encrypted.mkv": encrypted,
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


def test_what_cannot_be_played_can_be_had_as_it_is(server):
    """By its bytes, under a type that no browser runs."""
    name = next(n for n, (_, state, _) in server.known.items() if state == "unreadable")
    file = server.known[name][0]
    answer = server.get(f"/api/v1/files/{file}/raw")
    assert answer.status == 200 and answer.body == FILMS[name]().read_bytes()
    assert answer.header("content-security-policy") == "sandbox; default-src 'none'"


@pytest.mark.parametrize("name", ["encrypted.mp4", "encrypted.mkv"])
def test_encrypted_tracks_are_refused_as_such(server, name):
    assert "encrypted" in refused(server, name)


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


def ready(server, playback):
    """The playback, when there is nothing to wait for any more."""
    deadline = time.monotonic() + 60 * SLOW
    while "waiting" in playback:
        assert time.monotonic() < deadline, playback
        time.sleep(0.01)
        playback = server.get(f"/api/v1/playback/{playback['id']}").json
    assert "failed" not in playback, playback
    return playback


def read_through(server, file):
    """How far the file is read, each time that is something new, until it is read."""
    told = []
    deadline = time.monotonic() + 120 * SLOW
    while True:
        at = server.get(f"/api/v1/files/{file}").json
        pending = at["media"]["copy"]["pending"]
        if "reading" in at and at["reading"] not in told:
            told.append(at["reading"])
            scan = server.get("/api/v1/library/scan").json
            assert scan.get("reading", {"file": file})["file"] == file
        if not pending:
            return told
        assert time.monotonic() < deadline, at
        time.sleep(0.005)


def joins(film, uri, is_copy):
    """All of a rendition is fetched, and is one film."""
    playlist = film.playlist(uri)
    init = hls.Init(film.fetch(uri, playlist.map))
    hls.check_join(init, [film.fetch(uri, s.uri) for s in playlist.segments], playlist, is_copy)
    return playlist


def test_a_film_without_an_index_plays_at_once_and_is_copied_later(tmp_path):
    """Decision 11: it is converted at once, while it is read through; who opens it after that gets
    the copy; who began before plays on with what was announced."""
    film = without_index()
    try:
        os.link(film, tmp_path / "through.mkv")
    except OSError:
        shutil.copy(film, tmp_path / "through.mkv")
    film.unlink()
    with Server(tmp_path) as server:
        deadline = time.monotonic() + 20 * SLOW
        while not (titles := server.get("/api/v1/library").json["items"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        file = titles[0]["files"][0]["id"]
        ready(server, server.ask("POST", "/api/v1/playback", {"file": file}).json)
        beside = concurrent.futures.ThreadPoolExecutor(1)
        reading = beside.submit(read_through, server, file)
        media = server.get(f"/api/v1/files/{file}").json["media"]
        assert media["copy"] == {"segments": 0, "pending": True}, "was read through too soon to tell"
        picture = next(t for t in media["tracks"] if t["kind"] == "video")
        assert not picture["copy"]["offered"] and "no index" in picture["copy"]["reason"]
        server.known = {"through.mkv": (file, "ready", titles[0])}
        early = Film(server, "through.mkv")
        rung = min((u for u in early.uris() if u.startswith("video-")), key=len)
        assert "copy" not in rung
        old = early.uris()[rung]
        first = early.playlist(old)
        early.fetch(old, first.segments[0].uri)

        told = reading.result()
        beside.shutdown()
        assert len(told) >= 2 and told == sorted(told) and told[-1] <= 1, told
        server.files()  # all is at rest
        late = Film(server, "through.mkv")
        joins(late, late.uris()["video-copy"], True)
        assert late.uris()[rung] != old, "the same URL for other cuts"
        assert joins(early, old, False).text == first.text
        assert late.about["media"]["duration"] == media["duration"]


def test_a_key_that_is_none_ends_the_copy_for_those_who_come_later(tmp_path):
    """Decision 12: what the playlist announced is served, and the next opening offers no copy."""
    os.symlink(false_key(), tmp_path / "false-key.mkv")
    with Server(tmp_path, settings={"hls.idle_s": 1}) as server:
        server.known = server.files()
        film = Film(server, "false-key.mkv")
        uri = film.uris()["video-copy"]
        playlist = film.playlist(uri)
        init = hls.Init(film.fetch(uri, playlist.map))
        data = [film.fetch(uri, s.uri) for s in playlist.segments]
        hls.check_join(init, data, playlist, True)
        assert "video-copy" not in Film(server, "false-key.mkv").uris()
        assert "?v=" in uri or "&v=" in uri
        assert server.get(film.base + uri).status == 200, "who plays it holds it"
        deadline = time.monotonic() + 30 * SLOW
        while server.get(film.base + uri).status != 410:
            assert time.monotonic() < deadline, "a plan that nobody can get is still there"
            time.sleep(3)  # longer than a film stays open that nobody looks at


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
