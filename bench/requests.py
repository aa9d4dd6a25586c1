#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many small playlists a second from one loop, next to nginx with one worker sending the same
bytes from a file. Needs nginx and wrk.

    bench/requests.py [BUILD-FOLDER] [ROUNDS]"""

import json
import pathlib
import re
import statistics
import subprocess
import tempfile

import common
import hls
import media
from server import Server

ROUNDS = common.number(2, 5)
CONNECTIONS, SECONDS = 16, 2


def load(url, pid):
    """(requests a second, microseconds of the process's CPU for one)"""
    before = common.cpu_s(pid)
    said = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    total = int(re.search(r"(\d+) requests in", said)[1])
    return rate, (common.cpu_s(pid) - before) * 1e6 / total


def main():
    film = media.make("m01.mkv", "matroska", 2, 60)
    folder = common.put_in_library(media.FOLDER / "minute", film)
    settings = {"library.rescan_s": 3600, "http.loops": 1}
    rows = []
    with Server(folder, settings=settings) as server:
        base = f"/hls/{server.files()[film.name][0]}/"
        master = hls.MasterPlaylist(server.get(base + "master.m3u8?client=mse").text)
        path = base + next(v.uri for v in master.variants if v.uri.startswith("video-copy/"))
        body = server.get(path).body
        with tempfile.TemporaryDirectory(prefix="matinee-bench-") as root:
            pathlib.Path(root).chmod(0o755)
            (pathlib.Path(root) / "index.m3u8").write_bytes(body)
            with common.Nginx(root) as nginx:
                for _ in range(ROUNDS):
                    rows.append((*load(server.url.rstrip("/") + path, server.process.pid),
                                 *load(nginx.url + "index.m3u8", nginx.worker)))
    rate, us, nginx_rate, nginx_us = (statistics.median(column) for column in zip(*rows))
    print(json.dumps({"body_bytes": len(body), "rounds": ROUNDS, "requests_per_s": round(rate),
                      "cpu_us": round(us, 1), "nginx_requests_per_s": round(nginx_rate),
                      "nginx_cpu_us": round(nginx_us, 1), "ratio": round(rate / nginx_rate, 2)},
                     indent=1))


if __name__ == "__main__":
    main()
