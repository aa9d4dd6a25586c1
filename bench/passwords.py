#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody guesses passwords: 10,000 a minute from 50 addresses, while one who is signed in watches a copied film of
6 Mbit/s. Stalls of that film, what the guesses cost the server, and how long a browser that signed in before waits
for doing so again in the middle of it.

    bench/passwords.py [BUILD-FOLDER] [SECONDS] [GUESSES-A-MINUTE]

Promised: no stall, one core at most."""

import collections
import http.client
import json
import random
import re
import statistics
import tempfile
import threading
import time

import common
import hls
import media
from server import Server

SECONDS, PER_MINUTE = common.number(2, 60), common.number(3, 10_000)
ADDRESSES = 50
PASSWORD = "a long password"
NAMES = ["anna", "ben", "nobody", "root", "admin"]
AHEAD_S = 10  # what a player holds


class Guesser(threading.Thread):
    """One address on one connection, as even as it can."""

    def __init__(self, port, n, until):
        super().__init__(daemon=True)
        self.port, self.source, self.until = port, (f"127.0.1.{n + 1}", 0), until
        self.statuses, self.took = collections.Counter(), []

    def run(self):
        step = 60 * ADDRESSES / PER_MINUTE
        due = time.monotonic() + random.random() * step
        connection = http.client.HTTPConnection("127.0.0.1", self.port, source_address=self.source)
        while due < self.until:
            time.sleep(max(0, due - time.monotonic()))
            wish = json.dumps({"username": random.choice(NAMES), "password": f"guess {random.random()}"})
            began = time.monotonic()
            connection.request("POST", "/api/v1/session", wish, {"Content-Type": "application/json"})
            got = connection.getresponse()
            got.read()
            self.took.append(time.monotonic() - began)
            self.statuses[got.status] += 1
            due += step


class Watcher(threading.Thread):
    """Fetches segments as a player that holds some seconds ahead."""

    def __init__(self, server, cookie, base, playlist, until):
        super().__init__(daemon=True)
        self.port, self.cookie, self.base, self.until = server.port, cookie, base, until
        self.segments, self.took, self.stalled_s = playlist.segments, [], 0.0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        held, shown = 0.0, None
        for segment in self.segments:
            if time.monotonic() > self.until:
                return
            began = time.monotonic()
            connection.request("GET", self.base + segment.uri, headers={"Cookie": self.cookie})
            got = connection.getresponse()
            body = got.read()
            assert got.status == 200 and body, (segment.uri, got.status, body[:200])
            now = time.monotonic()
            self.took.append(now - began)
            shown = now if shown is None else shown
            late = now - (shown + held)
            if held > 0 and late > 0:
                self.stalled_s += late
                shown += late
            held += float(segment.duration)
            time.sleep(max(0, shown + held - AHEAD_S - time.monotonic()))


def known_browser(server):
    got = server.connect()
    got.request("POST", "/api/v1/session", json.dumps({"username": "anna", "password": PASSWORD}),
                {"Content-Type": "application/json"})
    answer = got.getresponse()
    answer.read()
    return "; ".join(c.split(";")[0] for c in answer.msg.get_all("Set-Cookie"))


def hashes(server, cookie):
    text = server.get("/metrics", headers={"Cookie": cookie}).text
    return int(re.search(r"^matinee_password_hashes_total (\d+)$", text, re.M)[1])


def ready_file(server, cookie):
    while True:
        items = server.get("/api/v1/library", headers={"Cookie": cookie}).json["items"]
        for title in items:
            for file in title["files"]:
                if file["state"] == "ready":
                    return file["id"]
        time.sleep(0.1)


def attack(server, cookie, base, playlist):
    until = time.monotonic() + SECONDS
    guessers = [Guesser(server.port, n, until) for n in range(ADDRESSES)]
    watcher = Watcher(server, cookie, base, playlist, until)
    before, hashed = common.cpu_s(server.process.pid), hashes(server, cookie)
    began = time.monotonic()
    for thread in (*guessers, watcher):
        thread.start()
    again = []
    while time.monotonic() < until - 2:
        time.sleep(5)
        asked = time.monotonic()
        got = server.ask("POST", "/api/v1/session", {"username": "anna", "password": PASSWORD},
                         {"Cookie": cookie})
        again.append((got.status, time.monotonic() - asked))
    for thread in (*guessers, watcher):
        thread.join()
    spent = time.monotonic() - began
    statuses = sum((g.statuses for g in guessers), collections.Counter())
    took = sorted(t for g in guessers for t in g.took)
    return {"seconds": round(spent, 1), "guesses": sum(statuses.values()), "statuses": dict(statuses),
            "guess_p50_ms": round(statistics.median(took) * 1000, 1),
            "guess_p99_ms": round(took[len(took) * 99 // 100] * 1000, 1),
            "hashes": hashes(server, cookie) - hashed,
            "server_cores": round((common.cpu_s(server.process.pid) - before) / spent, 3),
            "watcher_segments": len(watcher.took), "watcher_stalled_s": round(watcher.stalled_s, 3),
            "watcher_slowest_ms": round(max(watcher.took) * 1000, 1),
            "known_browser": {"statuses": dict(collections.Counter(s for s, _ in again)),
                              "slowest_ms": round(max(t for _, t in again) * 1000)}}


def main():
    film = media.make("m10.mkv", "matroska")
    folder = common.put_in_library(media.FOLDER / "library", film)
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        settings = {"library.rescan_s": 3600, "torrent.enabled": "false"}
        with Server(folder, auth="accounts", data=data, settings=settings) as server:
            server.ask("POST", "/api/v1/setup", {"username": "anna", "password": PASSWORD})
            cookie = known_browser(server)
            ben = {"username": "ben", "password": PASSWORD}
            assert server.ask("POST", "/api/v1/users", ben, {"Cookie": cookie}).status == 201
            base = f"/hls/{ready_file(server, cookie)}/"
            headers = {"Cookie": cookie}
            master = hls.MasterPlaylist(server.get(base + "master.m3u8?client=mse", headers=headers).text)
            uri = next(v.uri for v in master.variants if v.uri.startswith("video-copy"))
            playlist = hls.MediaPlaylist(server.get(base + uri, headers=headers).text)
            print(json.dumps(attack(server, cookie, base + uri.rsplit("/", 1)[0] + "/", playlist), indent=1))


if __name__ == "__main__":
    main()
