# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures made by a device: one that is made up, works like any other, and fails on command. What stands
in its file is what it does (segments/device.h)."""

import http.client
import os
import pathlib
import re
import shutil
import tempfile
import time

import pytest

import codecs_of_init
import films
import hls
from server import FULL, SLOW, Server
from test_play import check_rendition, check_transcoded_video
from viewer import Film

CUT = 0
LEVEL = re.compile(r"(?<=\.L)(\d+)")
FILM = "plain.mp4"
TWO = "faststart.mp4"


class Device:
    """A server over two films, with the made-up device."""

    def __init__(self, command="", kind="fake", **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-device-"))
        self.node = self.folder / "device"
        self.do(command)
        for name in (FILM, TWO):
            os.symlink(films.make(name), self.folder / name)
        self.server = Server(self.folder, settings={
            "media.hardware": f"{kind}:{self.node}", "media.hang_ms": 10000 * SLOW, **settings})

    def do(self, command):
        """From the next picture on."""
        self.node.write_text(command, encoding="ascii")

    def __enter__(self):
        self.server.start()
        self.server.known = self.server.files()
        deadline = time.monotonic() + 30 * SLOW
        while self.words() == "not tried yet":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def __exit__(self, *error):
        try:
            self.server.__exit__(*error)
        finally:
            shutil.rmtree(self.folder)

    def words(self):
        return self.server.get("/api/v1/status").json["hardware"]

    def said(self, text):
        return sum(text in line for line in self.server.log)

    def says(self, text):
        """The same, once it is said: the log comes a moment after what it tells of."""
        deadline = time.monotonic() + 10 * SLOW
        while not self.said(text) and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.said(text)


def videos(film):
    """Names of the pictures, in the order in which they are offered."""
    return list(dict.fromkeys(v.uri.split("/")[0] for v in film.master.variants))


def path_of(film, name, n):
    """Of a segment."""
    uri = film.uris()[name]
    return film.base + uri.rsplit("/", 1)[0] + "/" + film.playlist(uri).segments[n].uri


def status_of(device, path):
    """CUT: the answer was broken off."""
    try:
        return device.server.get(path).status
    except (OSError, http.client.HTTPException):
        return CUT


@pytest.mark.parametrize("kind, name, words", [
    ("fake", "video-360p-gpu", "libx264 on "),
    ("fake+hevc", "video-360p-gpu-hevc", "libx265 and libx264 on ")])
def test_a_film_plays_whole_on_the_device(tmp_path, kind, name, words):
    with Device(kind=kind) as device:
        assert words in device.words()
        film = Film(device.server, FILM)
        assert videos(film) == ["video-copy", name]
        source, uri = films.make(FILM), film.uris()[name]
        if FULL:  # in any order, by several at once
            playlist, init, segments, path = check_rendition(film, name, uri, tmp_path, source)
        else:
            playlist = film.playlist(uri)
            init = hls.Init(film.fetch(uri, playlist.map))
            segments = [film.fetch(uri, s.uri) for s in playlist.segments]
            hls.check_join(init, segments, playlist)
            path = hls.joined(init.data, segments, tmp_path)
        check_transcoded_video(film, path, playlist, source)
        most = min(int(v.attrs["BANDWIDTH"]) for v in film.master.variants if v.uri == uri)
        for segment, announced in zip(segments, playlist.segments):
            if announced.duration * 2 >= playlist.target:
                assert len(segment) * 8 <= most * announced.duration
        [said] = {v.attrs["CODECS"].split(",")[0] for v in film.master.variants if v.uri == uri}
        if name.endswith("hevc"):  # at most the level that is announced, and else the same
            made = codecs_of_init.Entry(init).codec
            assert LEVEL.sub("", made) == LEVEL.sub("", said), (made, said)
            assert int(LEVEL.search(made)[1]) <= int(LEVEL.search(said)[1]), (made, said)
        assert device.said("hardware.fail") == 0
        assert any("gpu" in line for line in device.server.pids().values())


def test_headers_that_stand_in_the_first_picture_alone(tmp_path):
    """As drivers write them that say none when they are opened: a black picture is asked for first."""
    with Device("bare") as device:
        film = Film(device.server, FILM)
        uri = film.uris()["video-360p-gpu"]
        playlist = film.playlist(uri)
        init = hls.Init(film.fetch(uri, playlist.map))
        segments = [film.fetch(uri, s.uri) for s in playlist.segments]
        hls.check_join(init, segments, playlist)
        path = hls.joined(init.data, segments, tmp_path)
        check_transcoded_video(film, path, playlist, films.make(FILM))
        assert device.said("hardware.fail") == 0


def test_who_plays_no_hevc_gets_h264_of_the_device():
    with Device(kind="fake+hevc") as device:
        film = Film(device.server, FILM)
        answer = device.server.get(f"{film.base}master.m3u8?client=mse&caps=h264,aac")
        uris = {v.uri.split("/")[0] for v in hls.MasterPlaylist(answer.text).variants}
        assert "video-360p-gpu" in uris and not any("hevc" in uri for uri in uris)
        assert device.server.get(path_of(film, "video-360p-gpu-hevc", 1)).status == 200


def test_native_players_hear_of_both():
    with Device() as device:
        film = Film(device.server, FILM, client="native")
        pictures = videos(film)
        assert pictures[:3] == ["video-copy", "video-360p-gpu", "video-360p"]
        # each plays, under an address of its own
        for name in pictures[1:3]:
            assert device.server.get(path_of(film, name, 0)).status == 200


def test_a_device_that_fails_at_the_start_is_left_alone():
    with Device("open") as device:
        assert device.words() == "it was told to fail"
        assert device.says("hardware.no") == 1
        assert videos(Film(device.server, FILM)) == ["video-copy", "video-360p"]


def test_off_is_off():
    with Device(**{"media.hardware": "off"}) as device:
        assert device.words() == "off"
        assert videos(Film(device.server, FILM)) == ["video-copy", "video-360p"]


@pytest.mark.parametrize("deed", ["die 30", "frame 30", "hang 30"] if FULL else ["die 30"])
def test_one_failure_is_one_new_session_and_the_next_is_x264(deed):
    with Device() as device:
        film = Film(device.server, FILM)
        hold = path_of(film, "video-360p-gpu", 3)
        device.do(deed + " once")
        # Who was sent something already is cut off; the next try is made by a new session.
        assert status_of(device, hold) in (CUT, 200, 503)
        again = film.fetch(film.uris()["video-360p-gpu"], hold.rsplit("/", 1)[1])
        assert len(hls.parse_segment(again)) > 0
        assert device.says("hardware.failure") == 1
        assert videos(Film(device.server, FILM)) == ["video-copy", "video-360p-gpu"]
        # Once more, and it is gone for this film.
        device.do(deed)
        deadline = time.monotonic() + 30 * SLOW
        gone = path_of(film, "video-360p-gpu", 2)
        while (status := status_of(device, gone)) != 410:
            assert status in (CUT, 503) and time.monotonic() < deadline, status
        assert device.says("hardware.failed") == 1
        # all of it, what was made before too; and the sound stays where it was
        assert device.server.get(hold).status == 410
        after = Film(device.server, FILM)
        assert videos(after) == ["video-copy", "video-360p"]
        assert {k: v for k, v in film.uris().items() if k.startswith("audio")} == \
            {k: v for k, v in after.uris().items() if k.startswith("audio")}
        assert device.server.get(path_of(after, "video-360p", 2)).status == 200
        # Another film still has the device.
        device.do("")
        other = Film(device.server, TWO)
        assert "video-360p-gpu" in videos(other)
        assert device.server.get(path_of(other, "video-360p-gpu", 1)).status == 200


@pytest.mark.skipif(not FULL, reason="the full form")
def test_a_device_that_fails_three_films_is_off():
    with Device() as device:
        for name in ("a.mp4", "b.mp4"):
            os.symlink(films.make(FILM), device.folder / name)
        device.do("frame 5")
        for name in (FILM, TWO, "a.mp4"):
            device.server.known = device.server.files()
            film = Film(device.server, name)
            gone = path_of(film, "video-360p-gpu", 0)
            while (status := status_of(device, gone)) != 410:
                assert status in (CUT, 503), status
        assert "failed 3 films" in device.words()
        assert videos(Film(device.server, "b.mp4")) == ["video-copy", "video-360p"]
