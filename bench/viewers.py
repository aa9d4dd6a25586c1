#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many people can watch a copied 6 Mbit/s film? Starts a server, runs bench/viewers against it,
and prints stalls, throughput, and the server's CPU and memory. Without a number: as many as draw 0.6
of what a bare loop of pread and send (bench/bare.c, loaded by bench/load.c over eight connections)
moves on this machine in the same run. They come over 20 s: while the buffers of all are filled at
once, there is no rate that is enough.

    bench/viewers.py [BUILD-FOLDER] [VIEWERS, 0: by the bare loop] [SECONDS]"""

import json
import subprocess
import tempfile

import common
import media
import play
from server import Server

VIEWERS = common.number(2, 0)
SECONDS = common.number(3, 30)
SHARE = 0.6
ARRIVE_S = 20
ROUNDS = 5
BARE_CONNECTIONS, BARE_STEP = 8, 4 << 20
SETTINGS = {"library.rescan_s": 3600}


def bare_bytes_per_s(path):
    """The best of some passes over the film."""
    size = path.stat().st_size
    path.read_bytes()
    asked = "".join(f"/{at}-{min(BARE_STEP, size - at)}\n" for at in range(0, size, BARE_STEP))
    with subprocess.Popen([common.BUILD / "bench" / "bare", path], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bare:
        port = int(bare.stdout.readline())
        best = 0
        for _ in range(ROUNDS):
            said = subprocess.run([common.BUILD / "bench" / "load", f"127.0.0.1:{port}",
                                   str(BARE_CONNECTIONS)], input=asked, text=True, check=True,
                                  stdout=subprocess.PIPE).stdout
            result = json.loads(said)
            best = max(best, result["bytes"] / result["seconds"])
        bare.stdin.close()
    return best


def main():
    path = media.make("m10.mkv", "matroska")
    folder = common.put_in_library(media.FOLDER / "library", path)
    bit_per_s = path.stat().st_size * 8 / (12 * media.UNIT_S)
    ceiling = bare_bytes_per_s(path) * 8
    share = round(SHARE * ceiling / bit_per_s)
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(folder, data=data, settings=SETTINGS) as server:
            server.library()
        with Server(folder, data=data, settings=SETTINGS) as server:
            film = play.Film(server, path.name)
            pids = [server.process.pid, *server.pids()]
            idle = {"server_rss_kb": common.memory_kb(pids[0], "Rss"),
                    "all_pss_kb": sum(common.memory_kb(p, "Pss") for p in pids),
                    "all_rss_kb": sum(common.memory_kb(p, "Rss") for p in pids)}
            uri = next(v.uri for v in film.master.variants if v.uri.startswith("video-copy"))
            before = common.all_cpu_s(server)
            done = subprocess.run([common.BUILD / "bench" / "viewers", f"127.0.0.1:{server.port}",
                                   film.base + uri, str(VIEWERS or share), str(SECONDS),
                                   str(min(ARRIVE_S, SECONDS / 2))],
                                  stdout=subprocess.PIPE, check=False)
            result = json.loads(done.stdout)
            result["server_cpu_s"] = round(common.all_cpu_s(server) - before, 2)
            result["server_cpu_s_per_gb"] = round(
                result["server_cpu_s"] / (result["bytes"] / 1e9), 3)
            result["server_rss_kb_after"] = common.memory_kb(server.process.pid, "Rss")
            result["server_rss_kb_peak"] = common.peak_kb(server.process.pid)
            result.update(idle)
    result["bare_mbit_per_s"] = round(ceiling / 1e6)
    result["share_of_bare"] = round(result["viewers"] * bit_per_s / ceiling, 3)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
