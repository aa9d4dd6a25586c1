#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in memory: the server at rest, with viewers of a copy, and while it transcodes.

    bench/memory.py [BUILD-FOLDER] [VIEWERS]

At rest: a library of one film, looked at. Viewers: bench/viewers, once 20 of them and once as many
more as said; what each adds to the server and its processes at their highest. Transcode: the 1080p
rung, from its first segment to the end of a minute, next to the ffmpeg program's own."""

import json
import pathlib
import subprocess
import tempfile
import threading
import time

import common
import media
import play
from server import Server

VIEWERS = common.number(2, 200)
FEW = 20
WATCH_S = 10
SETTINGS = {"library.rescan_s": 3600}


def pss_kb(server):
    total = 0
    for pid in [server.process.pid, *server.pids()]:
        try:
            total += common.memory_kb(pid, "Pss")
        except OSError:
            continue
    return total


class Highest:
    """The most memory of a server and all below it, looked at ten times a second."""

    def __init__(self, server):
        self.server, self.kb, self.is_over = server, 0, False
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.is_over:
            self.kb = max(self.kb, pss_kb(self.server))
            time.sleep(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()


def watch(folder, data, name, viewers):
    """(the server's peak RSS, the peak PSS of all) with so many viewers of the copy."""
    with Server(folder, data=data, settings=SETTINGS) as server:
        film = play.Film(server, name)
        uri = next(v.uri for v in film.master.variants if v.uri.startswith("video-copy"))
        with Highest(server) as highest:
            subprocess.run([common.BUILD / "bench" / "viewers", f"127.0.0.1:{server.port}",
                            film.base + uri, str(viewers), str(WATCH_S)],
                           stdout=subprocess.DEVNULL, check=True)
        return common.peak_kb(server.process.pid), highest.kb


def transcode(folder, data, name):
    """(peak PSS of all of matinee, peak RSS of ffmpeg, peak RSS of the media process)"""
    with Server(folder, data=data, settings=SETTINGS) as server:
        film = play.Film(server, name)
        with Highest(server) as highest:
            for path in film.paths("video-1080p"):
                server.get(path)
            process = max(common.peak_kb(pid) for pid in server.pids())
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as out:
        run = common.Run(["ffmpeg", "-v", "error", "-y", "-threads", play.THREADS,
                          "-i", folder / name, "-map", "0:v", *play.x264("video-1080p"),
                          "-f", "mp4", pathlib.Path(out) / "out.mp4"])
    return highest.kb, run.peak_kb, process


def main():
    film = media.make("m10.mkv", "matroska")
    minute = media.make("m01.mkv", "matroska", 2, 60)
    folder = common.put_in_library(media.FOLDER / "library", film)
    short = common.put_in_library(media.FOLDER / "minute", minute)
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(folder, data=data, settings=SETTINGS) as server:
            server.library()
        with Server(folder, data=data, settings=SETTINGS) as server:
            server.files()
            time.sleep(1)
            result = {"idle_server_rss_kb": common.memory_kb(server.process.pid, "Rss"),
                      "idle_all_pss_kb": pss_kb(server)}
        few, few_all = watch(folder, data, film.name, FEW)
        many, many_all = watch(folder, data, film.name, FEW + VIEWERS)
    result["viewer_server_kb"] = round((many - few) / VIEWERS, 1)
    result["viewer_all_kb"] = round((many_all - few_all) / VIEWERS, 1)
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(short, data=data, settings=SETTINGS) as server:
            server.library()
        ours, theirs, process = transcode(short, data, minute.name)
    result.update({"transcode_all_pss_kb": ours, "transcode_process_rss_kb": process,
                   "ffmpeg_rss_kb": theirs, "transcode_ratio": round(process / theirs, 3)})
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
