#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long from the request for a film of two hours to its playlists.

    bench/open.py [BUILD-FOLDER] [ROUNDS]

Never seen: the server knows the file's name and no more; its plan is made while the request waits.
(The scan makes plans before anybody asks; so they are taken out of the database of the running
server.) Stored: the plan is there, but the film was not opened since the server started. Again: it
is open. Measured to the end of the multivariant playlist and the one of the copy. The films are
looped with -c copy, 5.4 GB each; without 14 GB in the temporary folder nothing is measured."""

import json
import pathlib
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time

import common
import media
import play
from server import Server

ROUNDS = common.number(2, 9)
REPEATS = 7200 // media.UNIT_S
NEEDED_BYTES = 14e9
SETTINGS = {"library.rescan_s": 3600}
PROMISES_MS = {"mkv": (10, 2), "mp4": (20, 2)}


def forget_plans(data):
    database = next(pathlib.Path(data).glob("*.db"))
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM plan")
    connection.close()


def time_playlists(server, base):
    connection = server.connect()
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", base + "master.m3u8?client=mse")
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, text
    uri = next(l for l in text.splitlines() if l.startswith("video-copy/"))
    connection.request("GET", base + uri)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    took = time.perf_counter() - began
    connection.close()
    return took


def at_rest(server):
    """As a server is that somebody comes to: it has measured its machine, and has a process ready."""
    server.await_trial()
    time.sleep(0.3)


def one_round(folder, data, name):
    """Seconds: never seen, stored, again."""
    with Server(folder, data=data, settings=SETTINGS) as server:
        base = f"/hls/{server.files()[name][0]}/"
        forget_plans(data)
        at_rest(server)
        first = time_playlists(server, base)
        time.sleep(0.3)
    with Server(folder, data=data, settings=SETTINGS) as server:
        server.files()
        at_rest(server)
        stored = time_playlists(server, base)
        again = time_playlists(server, base)
    return first, stored, again


def main():
    if shutil.disk_usage(media.FOLDER.parent).free < NEEDED_BYTES:
        print(f"skipped: the films need {NEEDED_BYTES / 1e9:.0f} GB in {media.FOLDER.parent}")
        sys.exit()
    films = [media.make("m120.mkv", "matroska", REPEATS), media.make("m120.mp4", "mp4", REPEATS)]
    result = []
    print(f"{'film':10} {'never seen ms':>14} {'stored ms':>10} {'again ms':>9}   promised")
    for film in films:
        folder = common.put_in_library(media.FOLDER / film.suffix[1:], film)
        with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
            rows = [one_round(folder, data, film.name) for _ in range(ROUNDS)]
        first, stored, again = (statistics.median(column) * 1e3 for column in zip(*rows))
        most, most_again = PROMISES_MS[film.suffix[1:]]
        print(f"{film.name:10} {first:14.2f} {stored:10.2f} {again:9.2f}   "
              f"at most {most}, again {most_again}")
        result.append({"film": film.name, "never_seen_ms": round(first, 2),
                       "stored_ms": round(stored, 2), "again_ms": round(again, 2)})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
