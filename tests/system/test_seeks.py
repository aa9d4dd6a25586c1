# SPDX-License-Identifier: GPL-3.0-or-later
"""A seek in a download: what is sought comes first, from all peers; what was left comes no more."""

import http.client
import random
import subprocess
import threading
import time

import pytest

import films
import hls
from downloading import (COSTLY, add, folder, get_held, is_complete, look,  # noqa: F401
                         server_of, wait)
from server import FULL, SLOW
from swarm import Seed, Swarm, noise

PIECE = 256 << 10
#: Hardly faster than the film.
SLOW_SEEDS = [Seed(4e6, 0.04), Seed(2e6, 0.08)]
SLOW_RATE = sum(seed.bits_per_s for seed in SLOW_SEEDS) / 8
#: Peers that had nothing to do for so long were forgotten: libtorrent looks at them after 5 s.
IDLE_S = 2.5 * SLOW


class Watch:
    """How long each seed has sent nothing at a stretch, at most, while `with` lasts."""

    def __init__(self, swarm):
        self.swarm, self.over = swarm, threading.Event()
        self.worst = [0] * len(swarm.seeds)

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def look(self):
        before, since = self.swarm.sent(), [time.monotonic()] * len(self.worst)
        while not self.over.wait(0.1):
            now, sent = time.monotonic(), self.swarm.sent()
            for i, (old, new) in enumerate(zip(before, sent)):
                if new - old > 1000:
                    since[i] = now
                self.worst[i] = max(self.worst[i], now - since[i])
            before = sent


class Player:
    """Asks for the film of a download as the page does: side by side for picture and sound, under a
    playback's name; what it leaves it hangs up on."""

    def __init__(self, server, file, rendition):
        self.server, self.base = server, f"/hls/{file}/"
        while (made := server.ask("POST", "/api/v1/playback", {"file": file})).status == 503:
            time.sleep(0.1)
        self.query = f"client=mse&p={made.json['id']}"
        master = hls.MasterPlaylist(get_held(server, f"{self.base}master.m3u8?{self.query}").text)
        pictures = [v.uri for v in master.variants]
        is_copy = rendition == "copy"
        self.picture = [u for u in pictures if ("-copy" in u) == is_copy][-1]
        self.sound = master.media[0]["URI"]
        self.lists = {uri: hls.MediaPlaylist(get_held(server, self.base + uri).text)
                      for uri in (self.picture, self.sound)}
        self.is_over = threading.Event()
        self.open = []
        self.failures = []

    def span(self, uri, n):
        """The time of a segment."""
        durations = [float(s.duration) for s in self.lists[uri].segments[:n + 1]]
        return sum(durations[:-1]), sum(durations)

    def at(self, uri, time_s):
        """The segment that plays then."""
        return next(s.n for s in self.lists[uri].segments if self.span(uri, s.n)[1] > time_s)

    def fetch(self, uri, n):
        path = self.base + uri.rsplit("/", 1)[0] + "/" + self.lists[uri].segments[n].uri
        connection = self.server.connect(60 * SLOW)
        self.open.append(connection)
        try:
            while not self.is_over.is_set():
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    return body
                assert answer.status in (502, 503), (path, answer.status, body[:200])
                time.sleep(0.05)
        except (OSError, http.client.HTTPException, AttributeError) as error:
            if not self.is_over.is_set():
                self.failures.append((path, error))
        return b""

    def begin(self, time_s):
        """Asks for what plays then."""
        self.is_over.clear()
        self.threads = [threading.Thread(target=self.fetch, args=(uri, self.at(uri, time_s)))
                        for uri in (self.picture, self.sound)]
        for thread in self.threads:
            thread.start()

    def leave(self):
        self.is_over.set()
        for connection in self.open:
            if connection.sock:
                connection.sock.shutdown(2)
        self.end()

    def end(self):
        for thread in self.threads:
            thread.join()
        self.open.clear()
        assert self.failures == []


def packets_of(film):
    """[(which stream, time, place, size)]"""
    listed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=stream_index,pts_time,size,pos",
         "-of", "csv=p=0", str(film)], stdout=subprocess.PIPE, check=True, text=True).stdout
    rows = [line.split(",")[:4] for line in listed.split()]
    return [(int(row[0]), float(row[1]), int(row[3]), int(row[2])) for row in rows if len(row) == 4]


def pieces_of(packets, stream, begin_s, end_s):
    return {piece for at, pts, pos, size in packets if at == stream and begin_s <= pts < end_s
            for piece in range(pos // PIECE, (pos + size - 1) // PIECE + 1)}


def missing_of(server, file, pieces):
    here = server.get(f"/api/v1/files/{file}/availability").json["ranges"]
    return [p for p in pieces if not any(a <= p * PIECE < b for a, b in here)]


@pytest.mark.parametrize("rendition,kind", [("copy", "mkv"), ("rung", "mp4")] + (
    [("copy", "mp4"), ("rung", "mkv")] if FULL else []))
def test_a_seek_of_the_page_fetches_what_it_needs(rendition, kind):
    """Three segments in, the next one under way, then to 60 %: until picture and sound are there,
    hardly more comes than they are made of, and what was under way."""
    film = films.make(f"sought.{kind}", COSTLY, seconds="40")
    packets = packets_of(film)
    with Swarm(film, SLOW_SEEDS, piece_bytes=PIECE) as swarm, server_of() as server:
        download = add(server, swarm.magnet)
        file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        player = Player(server, file, rendition)
        for n in range(3):
            player.begin(player.span(player.picture, n)[0] + 0.1)
            player.end()
        player.begin(player.span(player.picture, 3)[0] + 0.1)
        time.sleep(0.3)
        sought = player.span(player.picture, player.at(player.picture, 24))
        player.leave()
        needed = missing_of(server, file, pieces_of(packets, 0, *sought) | pieces_of(
            packets, 1, *player.span(player.sound, player.at(player.sound, sought[0] + 0.1))))
        before, begin = sum(swarm.sent()), time.monotonic()
        with Watch(swarm) as watch:
            player.begin(sought[0] + 0.1)
            player.end()
        took, fetched = time.monotonic() - begin, sum(swarm.sent()) - before
    needed_bytes = len(needed) * PIECE
    print(f"needed {needed_bytes / 1e6:.2f} MB, fetched {fetched / 1e6:.2f} MB in {took:.1f} s, "
          f"idle for {max(watch.worst):.1f} s")
    assert len(needed) > 5
    assert fetched < needed_bytes + 3 * SLOW_RATE * SLOW
    assert took < 5 * SLOW * (needed_bytes / SLOW_RATE + 1)
    assert max(watch.worst) < IDLE_S


def seek_often(seeks, begin, leave):
    """So many of them in ten seconds."""
    dice = random.Random(7)
    for _ in range(seeks):
        begin(dice.random())
        time.sleep(10 / seeks)
        leave()


def check_after_seeks(server, swarm, download, size, worst):
    wait(server, download, is_complete)
    redundant = sum(swarm.sent()) - size
    print(f"redundant {redundant / size:.1%}, idle for {max(worst):.1f} s")
    assert redundant < 0.15 * size
    assert max(worst) < IDLE_S


class RawReader:
    """Reads the original from some place on, and hangs up."""

    def __init__(self, server, file, size):
        self.server, self.path, self.size = server, f"/api/v1/files/{file}/raw", size

    def begin(self, part):
        self.connection = self.server.connect()
        self.connection.request("GET", self.path, headers={
            "Range": f"bytes={int(self.size * part)}-"})

    def leave(self):
        self.connection.close()


def test_a_hundred_seeks_in_the_original_keep_all_peers_busy(folder):
    content = noise(folder / "noise.mkv", 40 << 20)
    size = content.stat().st_size
    seeds = [Seed(12e6, 0.05), Seed(6e6, 0.08), Seed(4e6, 0.06)]
    with Swarm(content, seeds, piece_bytes=PIECE) as swarm, server_of() as server:
        download = add(server, swarm.magnet)
        file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        reader = RawReader(server, file, size - PIECE)
        time.sleep(1)
        with Watch(swarm) as watch:
            seek_often(100, reader.begin, reader.leave)
        check_after_seeks(server, swarm, download, size, watch.worst)


def test_a_hundred_seeks_of_the_page_keep_all_peers_busy():
    film = films.make("sought.mkv", COSTLY, seconds="40")
    size = film.stat().st_size
    with Swarm(film, [Seed(9e6, 0.05), Seed(5e6, 0.08)], piece_bytes=PIECE) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        player = Player(server, file, "copy")
        with Watch(swarm) as watch:
            seek_often(100, lambda part: player.begin(39 * part), player.leave)
            is_short = look(server, download)["progress"] < 1
        assert is_short, "nothing was left to seek in"
        check_after_seeks(server, swarm, download, size, watch.worst)


@pytest.mark.parametrize("so_far", [0.3, 0.97])
def test_other_files_that_are_chosen_are_fetched_by_all_peers(folder, so_far):
    """Whoever was asked for the one goes on with the other, even if little of it was left."""
    pack = folder / "Pack"
    for number, name in enumerate(("1.mkv", "2.mkv")):
        noise(pack / name, 8 << 20, number)
    seeds = [Seed(8e6, 0.05), Seed(4e6, 0.08), Seed(2e6, 0.03)]
    with Swarm(pack, seeds, piece_bytes=PIECE) as swarm, server_of() as server:
        download = add(server, swarm.magnet)
        files = wait(server, download, lambda d: d["files"])["files"]
        path = f"/api/v1/downloads/{download}"

        def choose(*wanted):
            choice = [{"file": f["file"], "wanted": i in wanted} for i, f in enumerate(files)]
            assert server.ask("PATCH", path, {"files": choice}).status == 200

        choose(0)
        wait(server, download, lambda d: d["files"][0]["progress"] > so_far)
        with Watch(swarm) as watch:
            choose(1)
            time.sleep(4)
        print(f"idle for {watch.worst} s")
        assert max(watch.worst) < IDLE_S
        choose(0, 1)
        wait(server, download, is_complete)
