#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast segments leave the server, next to nginx sending the same bytes from finished files.

    bench/segment.py [BUILD-FOLDER] [ROUNDS]

Three kinds: transcoded segments out of the cache on disk, and copies that are made while they are
asked for, out of Matroska and out of MP4. Every segment of a film is asked for once a pass, over
eight connections, so that no processor's cache holds them: 1 GB of copies, all of them new to a
server that has just started, or some passes over 80 MB of transcodes. matinee has one loop
(`http.loops=1`) and its CPU is that of all its processes; nginx has one worker and sendfile. Both
are loaded by bench/load.c, which receives into memory."""

import json
import pathlib
import statistics
import subprocess
import tempfile

import common
import media
import play
from server import Server

ROUNDS = common.number(2, 5)
CONNECTIONS = 8
CACHED_PASSES = 8
SETTINGS = {"library.rescan_s": 3600, "http.loops": 1}


def paths_of(server, name, renditions):
    film = play.Film(server, name)
    return [path for rendition in renditions for path in film.paths(rendition)]


def load(port, paths, cpu_s):
    """What bench/load.c says, and `cpu_s_per_gb` by the function given."""
    before = cpu_s()
    said = subprocess.run([common.BUILD / "bench" / "load", f"127.0.0.1:{port}", str(CONNECTIONS)],
                          input="\n".join(paths) + "\n", stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    result = json.loads(said)
    result["rate"] = result["requests"] / result["seconds"]
    result["gb_per_s"] = result["bytes"] / 1e9 / result["seconds"]
    result["cpu_s_per_gb"] = (cpu_s() - before) / (result["bytes"] / 1e9)
    return result


def write_files(server, paths, root):
    """The segments as finished files; their paths for nginx."""
    names = []
    for i, path in enumerate(paths):
        answer = server.get(path)
        assert answer.status == 200, path
        (root / f"{i}.m4s").write_bytes(answer.body)
        names.append(f"/{i}.m4s")
    return names


def load_matinee(server, paths, passes):
    load_s = lambda: common.all_cpu_s(server)
    server.await_trial()  # else what is measured is x264, as long as all the rest takes
    server.get(paths[0])  # its process is there
    if passes > 1:
        load(server.port, paths, load_s)  # checksums are looked at once
    return load(server.port, paths * passes, load_s)


def compare(folder, data, name, renditions, passes):
    """[(matinee, nginx)] of the rounds."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as root:
        pathlib.Path(root).chmod(0o755)
        with Server(folder, data=data, settings=SETTINGS) as server:
            files = write_files(server, paths_of(server, name, renditions), pathlib.Path(root))
        with common.Nginx(root) as nginx:
            load(nginx.port, files, lambda: 0)
            for _ in range(ROUNDS):
                with Server(folder, data=data, settings=SETTINGS) as server:
                    ours = load_matinee(server, paths_of(server, name, renditions), passes)
                theirs = load(nginx.port, files * passes, lambda: common.cpu_s(nginx.worker))
                assert ours["bytes"] == theirs["bytes"]
                rows.append((ours, theirs))
    return rows


def main():
    short = media.make("m01.mkv", "matroska", 2, 60)
    films = [media.make("m20.mkv", "matroska", 24), media.make("m20.mp4", "mp4", 24)]
    folder = media.FOLDER / "segments"
    for film in (short, *films):
        common.put_in_library(folder, film)
    kinds = [("transcodes, cached", short.name, play.RUNGS, CACHED_PASSES),
             *((f"copies from {film.suffix[1:]}", film.name, ("video-copy",), 1) for film in films)]
    result = []
    print(f"{'kind':20} {'segments':>8} {'MB':>6} {'req/s':>7} {'GB/s':>6} {'CPU s/GB':>8}  "
          f"{'nginx':>7} {'GB/s':>6} {'CPU s/GB':>8}  {'rate':>5} {'CPU':>5}")
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        for kind, name, renditions, passes in kinds:
            rows = compare(folder, data, name, renditions, passes)
            mean = lambda side, key: statistics.median(row[side][key] for row in rows)
            ratio = lambda key: statistics.median(a[key] / b[key] for a, b in rows)
            said = {"kind": kind, "segments": rows[0][0]["requests"] // passes,
                    "bytes": rows[0][0]["bytes"] // passes}
            for side, who in enumerate(("", "nginx_")):
                for key in ("rate", "gb_per_s", "cpu_s_per_gb", "ms_p50", "ms_p99"):
                    said[who + key] = round(mean(side, key), 3)
            said["rate_ratio"] = round(ratio("rate"), 3)
            said["cpu_ratio"] = round(ratio("cpu_s_per_gb"), 3)
            print(f"{kind:20} {said['segments']:8} {said['bytes'] / 1e6:6.0f} {said['rate']:7.0f} "
                  f"{said['gb_per_s']:6.2f} {said['cpu_s_per_gb']:8.3f}  {said['nginx_rate']:7.0f} "
                  f"{said['nginx_gb_per_s']:6.2f} {said['nginx_cpu_s_per_gb']:8.3f}  "
                  f"{said['rate_ratio']:5.2f} {said['cpu_ratio']:5.2f}")
            result.append(said)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
