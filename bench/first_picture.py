#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long from pressing play to a picture, next to the ffmpeg program making the same segment.

    bench/first_picture.py [BUILD-FOLDER] [ROUNDS]

Each round starts a server whose library has seen the film (the scan stores the plan) but that has
never opened it, asks for the multivariant playlist, the media playlists, the init segments and the
segments of picture and sound at one position, and notes when the first part (moof + mdat, what a
player can show) and the last byte have come. In the same round ffmpeg makes the same piece of the
same film: -c copy, or the same x264 and AAC settings. Ratios are of medians over the rounds; files
are in the page cache. Every segment measured begins on a key of the source."""

import json
import re
import statistics
import subprocess
import tempfile
import threading
import time

import common
import hls
import media
from play import Timed, find_segment, run_ffmpeg
from server import Server

ROUNDS = common.number(2, 7)
POSITIONS = (0, 396)  # seconds: the start, a far seek


def key_near(server, film, at_s):
    """Where the copied segment that shows `at_s` begins: at a key of the source."""
    master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client=mse").text)
    uri = next(v.uri for v in master.variants if v.uri.startswith("video-copy/"))
    return find_segment(hls.MediaPlaylist(server.get(f"/hls/{film}/{uri}").text), at_s)[1]


def press_play(server, film, rendition, at_s):
    """(seconds to the first picture, to the last byte of picture and sound, begin, length)."""
    began = time.perf_counter()
    base = f"/hls/{film}/"
    master = hls.MasterPlaylist(Timed(server.port, base + "master.m3u8?client=mse").body.decode())
    sound = next(m["URI"] for m in master.media if m.get("TYPE") == "AUDIO" and
                 ("-copy/" if rendition == "video-copy" else "audio-1-aac/") in m["URI"])
    picture = next(v.uri for v in master.variants if v.uri.startswith(rendition + "/"))
    results = {}

    def fetch(name, uri):
        playlist = hls.MediaPlaylist(Timed(server.port, base + uri).body.decode())
        folder = base + uri.rsplit("/", 1)[0] + "/"
        segment, begin = find_segment(playlist, at_s)
        Timed(server.port, folder + playlist.map)
        asked = time.perf_counter()
        got = Timed(server.port, folder + segment.uri)
        results[name] = (asked - began + got.first_part, asked - began + got.last, begin,
                         float(segment.duration))

    threads = [threading.Thread(target=fetch, args=a) for a in (("v", picture), ("a", sound))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    v, a = results["v"], results["a"]
    return v[0], max(v[1], a[1]), v[2], v[3]


def main():
    folder = media.FOLDER / "library"
    names = {"m10.mkv": "matroska", "m10.mp4": "mp4"}
    for name, container in names.items():
        common.put_in_library(folder, media.make(name, container))
    cases = [(name, rendition, at) for name in names for rendition in
             ("video-copy", "video-720p", "video-1080p") for at in POSITIONS
             if rendition == "video-copy" or name == "m10.mkv"]
    rows = {case: [] for case in cases}
    opened_us = []
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(folder, data=data, settings={"library.rescan_s": 3600}) as server:
            server.library()
            # A hair behind the key: cuts of transcodes are rounded to frames.
            keys = {(name, at): key_near(server, server.files()[name][0], at) + 0.05
                    for name in names for at in POSITIONS}
        for _ in range(ROUNDS):
            for name, rendition, at in cases:
                subprocess.run(["rm", "-rf", data + "/cache"], check=True)
                settings = {"library.rescan_s": 3600, "log_level": "debug"}
                with Server(folder, data=data, settings=settings) as server:
                    server.await_trial()  # it measures the machine, and so takes of it
                    film = server.files()[name][0]
                    first, last, begin, length = press_play(server, film, rendition,
                                                            keys[name, at])
                    assert abs(begin + 0.05 - keys[name, at]) < 0.05, (begin, keys[name, at])
                opened_us += [int(us) for line in server.log if "media.opened" in line
                              for us in re.findall(r" us=(\d+)", line)]
                peer = run_ffmpeg(folder / name, begin, length, rendition)
                rows[(name, rendition, at)].append((first, last, peer, length))
    print(f"{'film':8} {'rendition':12} {'at s':>5} {'len s':>6} {'first ms':>9} {'whole ms':>9} "
          f"{'ffmpeg ms':>9} {'first/ff':>8} {'whole/ff':>8}")
    result = []
    for (name, rendition, at), measured in rows.items():
        first, last, peer, length = (statistics.median(column) for column in zip(*measured))
        print(f"{name:8} {rendition:12} {at:5} {length:6.2f} {first * 1e3:9.1f} {last * 1e3:9.1f} "
              f"{peer * 1e3:9.1f} {first / peer:8.3f} {last / peer:8.3f}")
        result.append({"film": name, "rendition": rendition, "at_s": at, "first_ms": first * 1e3,
                       "whole_ms": last * 1e3, "ffmpeg_ms": peer * 1e3,
                       "first_ratio": first / peer, "whole_ratio": last / peer})
    print(f"process of a title there after {statistics.median(opened_us) / 1000:.1f} ms "
          f"(median of {len(opened_us)}), its request to its first word")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
