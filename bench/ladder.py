#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU for a minute of film in one to four sizes, next to the ffmpeg program with the same settings.

    bench/ladder.py [BUILD-FOLDER] [ROUNDS]

A server makes every segment of a film of one minute for as many viewers as there are rungs, each on
a rung of its own, who ask for one segment at a time and go on together. ffmpeg makes the same rungs
of the same minute, once in one process with `split`, once in a process for each, with keys at the
same cuts. What counts is CPU: of the server, its media process and the kernel for them; rounds
alternate, and ratios are medians of the rounds' own."""

import concurrent.futures
import json
import pathlib
import statistics
import tempfile

import common
import media
import play
from server import Server

ROUNDS = common.number(2, 5)
SECONDS = 60
SETTINGS = {"library.rescan_s": 3600, "hls.hold_ms": 60000}
NAMES = list(play.RUNGS)


def cuts_of(film):
    at, cuts = 0, []
    for segment in film.playlist(NAMES[0]).segments:
        cuts.append(float(at))
        at += segment.duration
    return cuts


def make_by_matinee(folder, data, name, rungs):
    """(CPU seconds, bytes)"""
    with Server(folder, data=data, settings=SETTINGS) as server:
        film = play.Film(server, name)
        connections = {rung: server.connect() for rung in rungs}
        before = common.all_cpu_s(server)
        size = 0

        def fetch(rung, path):
            while True:
                connections[rung].request("GET", path)
                answer = connections[rung].getresponse()
                body = answer.read()
                assert answer.status in (200, 503), (path, answer.status)
                if answer.status == 200:  # not one that was held for too long
                    return len(body)

        with concurrent.futures.ThreadPoolExecutor(len(rungs)) as viewers:
            for paths in zip(*(film.paths(rung) for rung in rungs)):
                size += sum(viewers.map(fetch, rungs, paths))
        return common.all_cpu_s(server) - before, size


def output(rung, cuts, label, path):
    keys = ",".join(f"{max(cut - 0.01, 0):.6f}" for cut in cuts)
    return ["-map", label, *play.x264(rung), "-forced-idr", "1", "-force_key_frames", keys,
            "-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof", path]


def make_by_ffmpeg(film, rungs, cuts):
    """(CPU seconds, bytes) of one ffmpeg that makes all of `rungs`."""
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as folder:
        graph = f"[0:v]split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs)))
        command = []
        for i, rung in enumerate(rungs):
            width, height, _, _ = play.RUNGS[rung]
            scale = "" if height == 1080 else f"scale={width}:{height}:flags=bicubic,"
            graph += f";[s{i}]{scale}setsar=1,format=yuv420p[o{i}]"
            command += output(rung, cuts, f"[o{i}]", pathlib.Path(folder) / f"{rung}.mp4")
        run = common.Run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", play.THREADS,
                          "-i", film, "-filter_complex_threads", play.THREADS,
                          "-filter_complex", graph, *command])
        return run.cpu_s, sum(f.stat().st_size for f in pathlib.Path(folder).iterdir())


def one_round(folder, data, film, rungs, cuts):
    ours, size = make_by_matinee(folder, data, film.name, rungs)
    split, split_size = make_by_ffmpeg(film, rungs, cuts)
    each = [make_by_ffmpeg(film, [rung], cuts)[0] for rung in rungs] if len(rungs) > 1 else [split]
    return ours, split, sum(each), size / split_size


def main():
    film = media.make("m01.mkv", "matroska", 2, SECONDS)
    folder = common.put_in_library(media.FOLDER / "minute", film)
    rows = {count: [] for count in range(1, len(NAMES) + 1)}
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(folder, data=data, settings={"library.rescan_s": 3600}) as server:
            cuts = cuts_of(play.Film(server, film.name))
        for _ in range(ROUNDS):
            for count, measured in rows.items():
                common.forget_cache(data)
                measured.append(one_round(folder, data, film, NAMES[:count], cuts))
    print(f"{'rungs':>5} {'matinee':>8} {'split':>8} {'each':>8} {'m/split':>8} {'m/each':>8} "
          f"{'bytes':>6}   CPU seconds for a minute")
    result = []
    for count, measured in rows.items():
        ours, split, each, size = (statistics.median(column) for column in zip(*measured))
        by_split = statistics.median(m[0] / m[1] for m in measured)
        by_each = statistics.median(m[0] / m[2] for m in measured)
        print(f"{count:5} {ours:8.1f} {split:8.1f} {each:8.1f} {by_split:8.3f} {by_each:8.3f} "
              f"{size:6.3f}")
        result.append({"rungs": count, "cpu_s": round(ours, 2), "split_cpu_s": round(split, 2),
                       "each_cpu_s": round(each, 2), "to_split": round(by_split, 3),
                       "to_each": round(by_each, 3), "bytes_to_split": round(size, 3)})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
