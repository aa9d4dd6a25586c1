# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers who play, seek, switch and leave at random, while media processes are killed under them.
In the long form thirty of them for an hour (CHAOS_S seconds): the server's memory stays level, no
request hangs, no process is left over, and the cache keeps its budget."""

import http.client
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import threading
import time

import films
import hls
from server import FULL, SLOW, Server

VIEWERS = 30 if FULL else 10
SECONDS = int(os.environ.get("CHAOS_S", 3600 if FULL else 15))
CACHE_BYTES = (2 if FULL else 16) << 20
# In the long form there is more than the server may keep, so that it makes all of it again and again.
VARIANTS = 8 if FULL else 0
HOLD_MS = 5000
HANGS_AFTER_S = 45 * SLOW
SEED = int(os.environ.get("CHAOS_SEED", time.time()))
# What a player must expect: not yet; what killed its process twice; a plan that was made anew.
EXPECTED = (200, 410, 502, 503)


class Chaos:
    def __init__(self, server, known):
        self.server, self.known = server, known
        self.ends = time.monotonic() + SECONDS
        self.wrong, self.rss, self.lock = [], [], threading.Lock()
        self.counts = {"segments": 0, "later": 0, "broken": 0, "refused": 0, "killed": 0, "left": 0}

    def runs(self):
        return time.monotonic() < self.ends

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def complain(self, words):
        with self.lock:
            self.wrong.append(words)

    # --- viewers ---

    def ask(self, method, path, body=None):
        """None: the body broke, as it must when its process was killed."""
        begun = time.monotonic()
        try:
            return self.server.ask(method, path, body, timeout=HANGS_AFTER_S)
        except (http.client.IncompleteRead, ConnectionError):
            self.count("broken")
        except socket.timeout:
            self.complain(f"{path} hangs")
        finally:
            if time.monotonic() - begun > HANGS_AFTER_S - 1:
                self.complain(f"{path} took {time.monotonic() - begun:.0f} s")
        return None

    def leave_in_mid_body(self, path, dice):
        connection = self.server.connect(HANGS_AFTER_S)
        try:
            connection.request("GET", path)
            if dice.random() < 0.5:
                time.sleep(dice.random() * 0.2)
            else:
                connection.getresponse().read(1000)
        except (http.client.HTTPException, OSError):
            pass
        finally:
            connection.close()
        self.count("left")

    def segment(self, base, uri, segment, dice):
        path = base + uri.split("/")[0] + "/" + segment.uri
        if dice.random() < 0.15:
            self.leave_in_mid_body(path, dice)
            return
        answer = self.ask("GET", path)
        if answer is None:
            return
        if answer.status not in EXPECTED:
            self.complain(f"{path}: {answer.status} {answer.body[:200]}")
        self.count("segments" if answer.status == 200 else "later")
        # As fast as people who skip about, whatever the answer: what was refused for good is refused at once, and
        # more and more is, as whatever two processes were killed over stays so until the end.
        time.sleep(dice.uniform(0.1, 0.5))

    def watch(self, playback, dice):
        base = f"/hls/{playback['file']}/"
        master = self.ask("GET", playback["master"])
        if master is None or master.status != 200:
            return
        parsed = hls.MasterPlaylist(master.text)
        uris = [v.uri for v in parsed.variants] + [m["URI"] for m in parsed.media if "URI" in m]
        playlists = {}
        uri, n = dice.choice(uris), 0
        for _ in range(dice.randrange(3, 20)):
            if not self.runs():
                return
            if uri not in playlists:
                answer = self.ask("GET", base + uri)
                if answer is None or answer.status != 200:
                    return
                playlists[uri] = hls.MediaPlaylist(answer.text).segments
            segments = playlists[uri]
            self.segment(base, uri, segments[min(n, len(segments) - 1)], dice)
            what = dice.random()
            if what < 0.6:
                n += 1
            elif what < 0.8:
                n = dice.randrange(len(segments))
            else:
                uri = dice.choice(uris)
            if dice.random() < 0.2:
                self.ask("PUT", f"/api/v1/playback/{playback['id']}", {"position": float(n)})

    def warm(self):
        """Asks for all that is copied once: the server keeps copies in memory, up to 48 MB (hls/job.c). What is kept
        after that stands in for something else; what grows after that is a leak."""
        for files in self.known.values():
            base = f"/hls/{files[0]}/"
            master = self.ask("GET", base + "master.m3u8?client=mse")
            if master is None or master.status != 200:
                continue
            parsed = hls.MasterPlaylist(master.text)
            for uri in [v.uri for v in parsed.variants] + [m["URI"] for m in parsed.media if "URI" in m]:
                playlist = self.ask("GET", base + uri)
                if "-copy/" not in uri or playlist is None or playlist.status != 200:
                    continue
                for segment in hls.MediaPlaylist(playlist.text).segments:
                    self.ask("GET", base + uri.split("/")[0] + "/" + segment.uri)

    def live(self, number):
        dice = random.Random(SEED + number)
        while self.runs():
            film = self.known[dice.choice(sorted(self.known))][0]
            answer = self.ask("POST", "/api/v1/playback", {"file": film})
            if answer is not None and answer.status == 201:
                self.watch(answer.json, dice)
                if dice.random() < 0.7:
                    self.ask("DELETE", f"/api/v1/playback/{answer.json['id']}")
            elif answer is not None:
                if answer.status != 503:
                    self.complain(f"POST playback: {answer.status} {answer.body[:200]}")
                self.count("refused")
                time.sleep(0.5)

    # --- harm, and the watch ---

    def kill(self):
        dice = random.Random(SEED - 1)
        while self.runs():
            time.sleep(dice.uniform(0.3, 3))
            children = self.server.film_pids()
            # What starts them too, but rarely: it is started three times a minute at most, and while it
            # rests nothing of what this is about happens.
            if dice.random() < 0.02:
                children = [p for p in self.server.pids() if p not in children]
            if children and self.runs():
                try:
                    os.kill(dice.choice(children), signal.SIGKILL)
                    self.count("killed")
                except ProcessLookupError:
                    pass

    def weigh(self):
        while self.runs():
            status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
            self.rss.append(int(status.split("VmRSS:")[1].split()[0]))
            if len(self.rss) % 600 == 0:
                print(self.counts, "rss kB", self.rss[-1], flush=True)
            time.sleep(1)

    def run(self):
        threads = [threading.Thread(target=self.live, args=(i,)) for i in range(VIEWERS)]
        threads += [threading.Thread(target=t) for t in (self.kill, self.weigh)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 2 * HANGS_AFTER_S)
            assert not thread.is_alive(), "a viewer hangs"


def mean(numbers):
    return sum(numbers) / len(numbers)


def is_level(rss):
    """The last fifth beside the one after the server has warmed up."""
    fifth = len(rss) // 5
    early, late = mean(rss[fifth:2 * fifth]), mean(rss[-fifth:])
    return late < early * 1.05, early, late


def folder_bytes(folder):
    return sum(f.stat().st_size for f in pathlib.Path(folder).rglob("*") if f.is_file())


def copy_of(path, folder, number):
    """The same film in a file of its own: behind it stands what its container lets one skip."""
    tail = struct.pack("<I", number)
    tails = {".mkv": b"\xec\x84" + tail, ".mp4": b"\0\0\0\x0cfree" + tail,
             ".avi": b"JUNK\x04\0\0\0" + tail}
    target = folder / f"{path.stem} {number}{path.suffix}"
    target.write_bytes(path.read_bytes() + tails[path.suffix])


def test_chaos(tmp_path):
    for name in ("plain.mkv", "plain.mp4", "hevc.mkv", "xvid.avi"):
        film = films.make(name)
        shutil.copy(film, tmp_path / name)
        for number in range(VARIANTS):
            copy_of(film, tmp_path, number)
    shutil.copy(films.make("chaos.ts", films.RECIPES["mpeg2.ts"], size="320x180", seconds="30"),
                tmp_path / "chaos.ts")
    settings = {"media.cores": 3, "hls.cache_bytes": CACHE_BYTES, "hls.idle_s": 2,
                "hls.hold_ms": HOLD_MS}
    with Server(tmp_path, settings=settings) as server:
        chaos = Chaos(server, server.files())
        if FULL:
            chaos.warm()
            chaos.ends = time.monotonic() + SECONDS
        chaos.run()
        print("seed", SEED, chaos.counts, "rss kB", chaos.rss[:: max(1, len(chaos.rss) // 10)])
        assert not chaos.wrong, chaos.wrong[:10]
        assert chaos.counts["segments"] > 2 * VIEWERS, chaos.counts
        assert chaos.counts["killed"] > max(1, SECONDS / 30), chaos.counts
        assert folder_bytes(pathlib.Path(server.data) / "cache") <= CACHE_BYTES
        if FULL:
            level, early, late = is_level(chaos.rss)
            assert level, f"{early:.0f} kB, then {late:.0f}"
        # Nobody watches: the films' processes go, the zygote stays, and the server answers.
        deadline = time.monotonic() + 20 * SLOW
        while server.film_pids():
            assert time.monotonic() < deadline, server.pids()
            time.sleep(0.2)
        assert server.get("/healthz").status == 200
