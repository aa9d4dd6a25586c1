# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten want to see ten films that have to be converted, on a machine that can do it for some of them:
each gets what was promised, who gets nothing is told why, and who leaves makes room."""

import re
import shutil
import threading
import time

import films
import hls
import pytest
from server import FULL, SLOW, Server

VIEWERS = 10


@pytest.fixture(scope="module")
def household(tmp_path_factory):
    """Ten films of MPEG-2, which no browser plays as they are."""
    seconds = "60" if FULL else "12"
    film = films.make(f"admission-{seconds}.ts", films.RECIPES["mpeg2.ts"],
                      size="640x360" if FULL else "320x180", seconds=seconds)
    folder = tmp_path_factory.mktemp("household")
    for i in range(VIEWERS):
        shutil.copy(film, folder / f"Film {i} (2001).ts")
    return folder


def gauge(server, name):
    return float(re.search(rf"^matinee_{name} ([\d.]+)$", server.metrics(), re.M)[1])


class Viewer:
    def __init__(self, server, film):
        self.server, self.film = server, film
        self.answer = server.ask("POST", "/api/v1/playback", {"file": film})
        self.is_in = self.answer.status == 201
        self.late_s, self.got, self.broken = 0.0, 0, []

    def open(self):
        master = self.server.get(self.answer.json["master"])
        assert master.status == 200, master.body
        self.variants = hls.MasterPlaylist(master.text).variants
        base = f"/hls/{self.film}/"
        self.folder = base + self.variants[0].uri.split("/")[0] + "/"
        listed = self.server.get(base + self.variants[0].uri)
        assert listed.status == 200, listed.body
        return hls.MediaPlaylist(listed.text)

    def segment(self, segment):
        """Asked for again, as players do, while the answer is that it is not there yet."""
        deadline = time.monotonic() + 20 * SLOW
        while True:
            answer = self.server.get(self.folder + segment.uri)
            if answer.status != 503 or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def watch(self, playlist, seconds):
        """As a player: two segments, then each before the one before has played."""
        begun = None
        ready_s = 0.0
        for segment in playlist.segments:
            if ready_s > seconds:
                return
            answer = self.segment(segment)
            now = time.monotonic()
            if answer.status != 200:
                self.broken.append((answer.status, answer.body[:200]))
                return
            self.got += 1
            if begun is None and ready_s + segment.duration >= 4:
                begun = now
            if begun is not None:
                self.late_s = max(self.late_s, now - begun - ready_s)
            ready_s += segment.duration
            if begun is not None:
                time.sleep(max(0, begun + ready_s - 8 - time.monotonic()))


def test_ten_viewers_of_ten_conversions(household):
    with Server(household, settings={"media.cores": 2 if FULL else 1}) as server:
        server.await_trial()
        known = server.files()
        viewers = [Viewer(server, known[f"Film {i} (2001).ts"][0]) for i in range(VIEWERS)]
        assert viewers[0].is_in, "alone, anybody is let in"
        capacity, promised = gauge(server, "convert_capacity_cores"), \
            gauge(server, "convert_promised_cores")
        assert promised <= capacity or not viewers[1].is_in
        for viewer in viewers:
            if viewer.is_in:
                continue
            assert viewer.answer.status == 503
            assert int(viewer.answer.header("retry-after")) >= 1
            assert "converting for" in viewer.answer.json["detail"], viewer.answer.json
        refused = [v for v in viewers if not v.is_in]
        if refused:
            assert any("admission.limited" in line and "converting for" in line
                       for line in server.log)
        watchers = [(v, v.open()) for v in viewers if v.is_in]
        threads = [threading.Thread(target=v.watch, args=(p, 50 if FULL else 10))
                   for v, p in watchers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(v.got > 2 and not v.broken for v, _ in watchers), [v.broken for v, _ in watchers]
        if FULL:
            assert max(v.late_s for v, _ in watchers) < 1, [v.late_s for v, _ in watchers]


def test_who_leaves_makes_room(household):
    with Server(household, settings={"media.cores": 1}) as server:
        server.await_trial()
        known = server.files()
        viewers = []
        for i in range(VIEWERS):
            viewers.append(Viewer(server, known[f"Film {i} (2001).ts"][0]))
            if not viewers[-1].is_in:
                break
        if viewers[-1].is_in:
            pytest.skip("this machine converts for ten at once")
        last = viewers[-1].film
        # Nor does the playlist without a playback let one in, and its words are the same.
        assert server.get(f"/hls/{last}/master.m3u8?client=mse").status == 503
        for viewer in viewers[:-1]:
            left = server.ask("DELETE", f"/api/v1/playback/{viewer.answer.json['id']}")
            assert left.status == 204
        again = Viewer(server, last)
        assert again.is_in, again.answer.body
        assert again.segment(again.open().segments[0]).status == 200


def test_what_plays_as_it_is_is_never_refused(household, tmp_path):
    shutil.copy(films.make("plain.mp4"), tmp_path / "plain.mp4")
    with Server(None, folders=[household, tmp_path], settings={"media.cores": 1}) as server:
        server.await_trial()
        known = server.files()
        for i in range(VIEWERS):
            Viewer(server, known[f"Film {i} (2001).ts"][0])
        viewer = Viewer(server, known["plain.mp4"][0])
        assert viewer.is_in
        playlist = viewer.open()
        assert viewer.variants[0].uri.startswith("video-copy")
        assert viewer.segment(playlist.segments[0]).status == 200
