# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures made by a device: one that is made up, works like any other, and fails on command. What stands
in its file is what it does (segments/device.h)."""

import http.client
import os
import pathlib
import shutil
import tempfile
import time

import pytest

import films
import hls
from server import FULL, SLOW, Server
from test_play import check_rendition, check_transcoded_video
from viewer import Film

CUT = 0
FILM = "plain.mp4"
TWO = "faststart.mp4"


class Device:
    """A server over two films, with the made-up device."""

    def __init__(self, command="", **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-device-"))
        self.node = self.folder / "device"
        self.do(command)
        for name in (FILM, TWO):
            os.symlink(films.make(name), self.folder / name)
        self.server = Server(self.folder, settings={
            "media.hardware": f"fake:{self.node}", "media.hang_ms": 10000 * SLOW, **settings})

    def do(self, command):
        """From the next picture on."""
        self.node.write_text(command, encoding="ascii")

    def __enter__(self):
        self.server.start()
        self.server.known = self.server.files()
        deadline = time.monotonic() + 20 * SLOW
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


def test_a_film_plays_whole_on_the_device(tmp_path):
    with Device() as device:
        assert "libx264 on " in device.words()
        film = Film(device.server, FILM)
        assert videos(film) == ["video-copy", "video-360p-gpu"]
        source, uri = films.make(FILM), film.uris()["video-360p-gpu"]
        if FULL:  # in any order, by several at once
            playlist, _, segments, path = check_rendition(film, "video-360p-gpu", uri, tmp_path, source)
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
        assert device.said("hardware.no") == 1
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
        assert device.said("hardware.failure") == 1
        assert videos(Film(device.server, FILM)) == ["video-copy", "video-360p-gpu"]
        # Once more, and it is gone for this film.
        device.do(deed)
        deadline = time.monotonic() + 30 * SLOW
        gone = path_of(film, "video-360p-gpu", 2)
        while (status := status_of(device, gone)) != 410:
            assert status in (CUT, 503) and time.monotonic() < deadline, status
        assert device.said("hardware.failed") == 1
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
