#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many small playlists a second from one loop, next to nginx with one worker sending the same
bytes from a file. Needs nginx and wrk.

    bench/requests.py [BUILD-FOLDER] [ROUNDS]"""

import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "system"), str(ROOT / "bench")]
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
os.environ["MATINEE_BIN"] = str(BUILD / "matinee")

import hls
import media
from server import Server

CONNECTIONS, SECONDS = 16, 2
NGINX = """worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=100; types {{ application/vnd.apple.mpegurl m3u8; }}
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}"""


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(url, pid):
    """(requests a second, microseconds of the process's CPU for one)"""
    before = cpu_s(pid)
    said = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    total = int(re.search(r"(\d+) requests in", said)[1])
    return rate, (cpu_s(pid) - before) * 1e6 / total


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """Sends `body` from a file, until it is closed."""

    def __init__(self, body):
        self.folder = tempfile.TemporaryDirectory(prefix="matinee-bench-")
        folder = pathlib.Path(self.folder.name)
        folder.chmod(0o755)
        (folder / "index.m3u8").write_bytes(body)
        port = free_port()
        (folder / "conf").write_text(NGINX.format(folder=folder, port=port))
        self.master = subprocess.Popen(["nginx", "-c", str(folder / "conf")],
                                       stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}/index.m3u8"
        children = pathlib.Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children")
        deadline = time.monotonic() + 5
        while not children.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.worker = int(children.read_text().split()[0])

    def close(self):
        self.master.terminate()
        self.master.wait()
        self.folder.cleanup()


def main():
    folder = media.FOLDER / "short"
    folder.mkdir(parents=True, exist_ok=True)
    film = media.make("m01.mkv", "matroska", 1)
    if not (folder / film.name).exists():
        (folder / film.name).hardlink_to(film)
    settings = {"library.rescan_s": 3600, "http.loops": 1}
    rows = []
    with Server(folder, settings=settings) as server:
        base = f"/hls/{server.files()[film.name][0]}/"
        master = hls.MasterPlaylist(server.get(base + "master.m3u8?client=mse").text)
        path = base + next(v.uri for v in master.variants if v.uri.startswith("video-copy/"))
        body = server.get(path).body
        nginx = Nginx(body)
        try:
            for _ in range(ROUNDS):
                rows.append((*load(server.url.rstrip("/") + path, server.process.pid),
                             *load(nginx.url, nginx.worker)))
        finally:
            nginx.close()
    rate, us, nginx_rate, nginx_us = (statistics.median(column) for column in zip(*rows))
    print(json.dumps({"body_bytes": len(body), "rounds": ROUNDS, "requests_per_s": round(rate),
                      "cpu_us": round(us, 1), "nginx_requests_per_s": round(nginx_rate),
                      "nginx_cpu_us": round(nginx_us, 1), "ratio": round(rate / nginx_rate, 2)},
                     indent=1))


main()
