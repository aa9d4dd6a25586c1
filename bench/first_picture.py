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

import http.client
import json
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "system"), str(ROOT / "bench")]

BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 7

import os
os.environ["MATINEE_BIN"] = str(BUILD / "matinee")
import hls
import media
from server import Server

# The x264 settings of the rungs, as segments/encode.c tells them: size, VBV rate (and, for one
# second, its size), level. The film has bits enough that no rung is told less (rates.c).
RUNGS = {
    "video-720p": (1280, 720, "3000k", "3.1"),
    "video-1080p": (1920, 1080, "6000k", "4.0"),
}
NICE = "5"  # media processes run above the server's niceness; so does ffmpeg here
POSITIONS = (0, 396)  # seconds: the start, a far seek
SHORT_S = 2.5  # shorter segments are made with a shorter look-ahead


class Timed:
    """One GET, noting when the first whole part and the last byte came."""

    def __init__(self, port, path):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status, answer.read()[:300])
        steps = []
        self.first_part = None
        while step := answer.read1(1 << 20):
            steps.append(step)
            if self.first_part is None and whole_part(b"".join(steps)):
                self.first_part = time.perf_counter() - began
        self.last = time.perf_counter() - began
        self.body = b"".join(steps)
        connection.close()


def whole_part(data):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if at + size > len(data):
            return False
        at += size
        if kind == b"mdat":
            return True
    return False


def find_segment(playlist, at_s):
    """The segment that shows `at_s`, and where it begins."""
    begin = 0
    for segment in playlist.segments:
        if begin + segment.duration > at_s:
            break
        begin += segment.duration
    return segment, float(begin)


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
    track = "audio-1-copy/" if rendition == "video-copy" else "audio-1-aac/"
    sound = next(m["URI"] for m in master.media if m["URI"].startswith(track))
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


def run_ffmpeg(film, begin, length, rendition):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.mp4"
        command = ["nice", "-n", NICE, "ffmpeg", "-v", "error", "-y", "-ss", f"{begin:.6f}",
                   "-i", str(film), "-t", f"{length:.6f}", "-map", "0:v", "-map", "0:a:0"]
        if rendition == "video-copy":
            command += ["-c", "copy"]
        else:
            width, height, rate, level = RUNGS[rendition]
            x264 = "open-gop=0:scenecut=0:vbv-init=0.50"
            if length < SHORT_S:
                x264 += ":rc-lookahead=3:sync-lookahead=0"
            command += ["-vf", f"scale={width}:{height}:flags=bicubic,setsar=1,format=yuv420p",
                        "-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-maxrate", rate,
                        "-bufsize", rate, "-profile:v", "high", "-level:v", level,
                        "-g", "100000", "-keyint_min", "1", "-threads:v", "2",
                        "-x264-params", x264, "-c:a", "aac", "-ac", "2",
                        "-b:a", "192k", "-aac_coder", "fast"]
        command += ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof",
                    str(out)]
        began = time.perf_counter()
        subprocess.run(command, check=True)
        return time.perf_counter() - began


def main():
    folder = media.FOLDER / "library"
    folder.mkdir(parents=True, exist_ok=True)
    names = {"m10.mkv": "matroska", "m10.mp4": "mp4"}
    for name, container in names.items():
        path = media.make(name, container)
        if not (folder / name).exists():
            (folder / name).hardlink_to(path)
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


main()
