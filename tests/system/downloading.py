# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of downloads share: a server that may speak to this machine, its downloads, a player."""

import os
import pathlib
import random
import shutil
import socket
import tempfile
import threading
import time

import pytest

import films
import hls
from server import BIN, SLOW, Server

ALONE = {"torrent.listen": "127.0.0.1:0", "torrent.dht": "false", "torrent.allow_local": "true",
         "torrent.spare_bytes": 0}
#: 40 s of 5 Mbit/s, Cues at the end, keys every 2 s.
COSTLY = films.PICTURE + films.SOUND + [
    "-vf", "noise=alls=40:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2",
    "-pix_fmt", "yuv420p", "-b:v", "5M", "-maxrate", "5M", "-bufsize", "5M", "-c:a", "aac"
    ] + films.GOP


def film_of(seconds=40):
    return films.make(f"arriving-{seconds}.mkv", COSTLY, seconds=str(seconds))


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-swarm-"))
    yield made
    shutil.rmtree(made)


def server_of(data=None, environment=None, wrapper=(), **settings):
    return Server(None, settings={**ALONE, **settings}, data=data, environment=environment,
                  wrapper=wrapper)


@pytest.fixture
def data():
    """The data folder of servers that follow each other."""
    made = tempfile.mkdtemp(prefix="matinee-data-")
    yield made
    shutil.rmtree(made)


def add(server, magnet, status=201):
    answer = server.ask("POST", "/api/v1/downloads", {"magnet": magnet})
    assert answer.status == status, answer.body
    return answer.json["id"]


def look(server, download):
    answer = server.get(f"/api/v1/downloads/{download}")
    assert answer.status == 200, answer.body
    return answer.json


def wait(server, download, enough, wait_s=60):
    """The download, once it is as `enough` asks."""
    deadline = time.monotonic() + wait_s * SLOW
    while True:
        now = look(server, download)
        if enough(now):
            return now
        assert now["state"] != "failed", now
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def until(holds, wait_s=60):
    deadline = time.monotonic() + wait_s * SLOW
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_complete(download):
    return download["state"] == "complete"


def get_held(server, path, wait_s=60):
    """An answer that may have to wait for bytes, as a player waits."""
    deadline = time.monotonic() + wait_s * SLOW
    while True:
        answer = server.get(path)
        if answer.status not in (503, 502) or time.monotonic() > deadline:
            assert answer.status in (200, 206), (path, answer.status, answer.body[:300])
            return answer
        time.sleep(0.05)


class Arriving:
    """A film of a download, asked for as a player does."""

    def __init__(self, server, file):
        self.server, self.file = server, file
        for _ in range(20 * SLOW):
            playback = server.ask("POST", "/api/v1/playback", {"file": file})
            if playback.status != 503:
                break
            time.sleep(0.1)
        assert playback.status == 201, playback.body
        self.base = f"/hls/{file}/"
        self.master = hls.MasterPlaylist(get_held(server, f"{self.base}master.m3u8?client=mse").text)
        self.uris = [v.uri for v in self.master.variants] + [m["URI"] for m in self.master.media]

    def rendition(self, name):
        uri = next(u for u in self.uris if u.startswith(name + "/"))
        return uri, hls.MediaPlaylist(get_held(self.server, self.base + uri).text)

    def segment(self, uri, playlist, n):
        relative = playlist.segments[n].uri
        return get_held(self.server, self.base + uri.rsplit("/", 1)[0] + "/" + relative).body


def left_behind(server):
    root = pathlib.Path(server.data) / "torrents"
    # What goes away meanwhile is passed over, as os.walk does.
    return [name for _, folders, names in os.walk(root) for name in [*folders, *names]]


def segments_of(server, file, name):
    film = Arriving(server, file)
    uri, playlist = film.rendition(name)
    return [film.segment(uri, playlist, s.n) for s in playlist.segments]


FAKE_DISK = pathlib.Path(BIN).parent / "tests" / "fake_disk.so"


def read_randomly(server, file, content, reads, seed):
    """Ranges of the file while it comes: each byte is that of the original, never a hole."""
    dice = random.Random(seed)
    for _ in range(reads):
        begin = dice.randrange(len(content) - 1)
        end = min(len(content), begin + dice.randrange(1, 300_000)) - 1
        answer = server.ask("GET", f"/api/v1/files/{file}/raw",
                            headers={"Range": f"bytes={begin}-{end}"})
        assert answer.status == 206, (answer.status, answer.body[:200])
        assert answer.body == content[begin:end + 1], f"bytes {begin} to {end} are others"


def fake_disk(**how):
    """The environment of a server whose disk is as tests/fakes/disk.c says: write_ms=200, ..."""
    assert FAKE_DISK.exists(), f"{FAKE_DISK} was not built"
    checks = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return {"LD_PRELOAD": str(FAKE_DISK), "ASAN_OPTIONS": checks.lstrip(":"),
            **{f"FAKE_DISK_{name.upper()}": str(value) for name, value in how.items()}}


def add_torrent(server, torrent, status=201):
    answer = server.ask("POST", "/api/v1/downloads", torrent,
                        {"Content-Type": "application/x-bittorrent"})
    assert answer.status == status, answer.body
    return answer.json["id"]


def first_file(server, download):
    return wait(server, download, lambda d: d["files"])["files"][0]["file"]


def change(server, download, **what):
    answer = server.ask("PATCH", f"/api/v1/downloads/{download}", what)
    assert answer.status == 200, answer.body
    return answer.json


def choose(server, download, *wanted):
    """Of its files these alone, by the ends of their names."""
    files = look(server, download)["files"]
    return change(server, download, files=[
        {"file": f["file"], "wanted": f["name"].endswith(wanted)} for f in files])


def availability(server, file):
    answer = server.get(f"/api/v1/files/{file}/availability")
    assert answer.status == 200, answer.body
    return answer.json


def get_raw(server, file, begin=0, end=None):
    last = "" if end is None else end - 1
    answer = server.ask("GET", f"/api/v1/files/{file}/raw",
                        headers={"Range": f"bytes={begin}-{last}"})
    assert answer.status == 206, (answer.status, answer.body[:200])
    return answer.body


def folder_of(server, download):
    """Where it keeps its things, as the server sees it."""
    return pathlib.Path(server.data) / "torrents" / download


def place_of(server, download, number=0):
    return folder_of(server, download) / "f" / f"{number:06}.mkv"


def log_of(server, event):
    return [line for line in server.log if f" {event} " in line]


class Reader(threading.Thread):
    """Somebody who plays a file: reads it from a place on, each byte compared with the original.

    `got` bytes came; `failure` is what was wrong; `leave()` ends it in the middle."""

    def __init__(self, server, file, content, begin=0, end=None, bytes_per_s=None):
        super().__init__(daemon=True)
        self.bytes_per_s = bytes_per_s  # as fast as it plays; None: as fast as it comes
        self.content, self.begin, self.end = content, begin, end or len(content)
        self.got, self.failure, self.is_leaving = 0, None, False
        self.first_s = None
        self.connection = server.connect(timeout=120 * SLOW)
        self.path = f"/api/v1/files/{file}/raw"
        self.start()

    def run(self):
        try:
            asked = time.monotonic()
            self.connection.request("GET", self.path,
                                    headers={"Range": f"bytes={self.begin}-{self.end - 1}"})
            answer = self.connection.getresponse()
            assert answer.status == 206, answer.status
            while data := answer.read1(65536):
                at = self.begin + self.got
                assert data == self.content[at:at + len(data)], f"bytes from {at} on are others"
                self.got += len(data)
                self.first_s = self.first_s or time.monotonic() - asked
                if self.bytes_per_s:
                    time.sleep(len(data) / self.bytes_per_s)
            assert self.begin + self.got == self.end, "it ended early"
        except Exception as error:  # of the thread: told by `failure`
            if not self.is_leaving:
                self.failure = error

    def leave(self):
        self.is_leaving = True
        if self.connection.sock:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(30)
        self.connection.close()

    def wait_for(self, size, wait_s=60):
        """Until it has so many bytes."""
        deadline = time.monotonic() + wait_s * SLOW
        while self.got < size and self.failure is None:
            assert time.monotonic() < deadline, f"{self.got} of {size} bytes from {self.begin} on"
            time.sleep(0.01)
        assert self.failure is None, self.failure

    def finish(self, wait_s=120):
        self.join(wait_s * SLOW)
        assert not self.is_alive(), f"{self.got} bytes from {self.begin} on"
        assert self.failure is None, self.failure
        self.connection.close()
