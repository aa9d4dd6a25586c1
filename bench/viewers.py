#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can 500 people watch a copied 6 Mbit/s film? Starts a server, runs bench/viewers against it, and
prints stalls, throughput, and the server's CPU and memory.

    bench/viewers.py [BUILD-FOLDER] [VIEWERS] [SECONDS]"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "system"), str(ROOT / "bench")]
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
VIEWERS = sys.argv[2] if len(sys.argv) > 2 else "500"
SECONDS = sys.argv[3] if len(sys.argv) > 3 else "30"
os.environ["MATINEE_BIN"] = str(BUILD / "matinee")

import hls
import media
from server import Server


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def peak_kb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def main():
    folder = media.FOLDER / "library"
    folder.mkdir(parents=True, exist_ok=True)
    path = media.make("m10.mkv", "matroska")
    if not (folder / "m10.mkv").exists():
        (folder / "m10.mkv").hardlink_to(path)
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(folder, data=data, settings={"library.rescan_s": 3600}) as server:
            film = server.files()["m10.mkv"][0]
        with Server(folder, data=data, settings={"library.rescan_s": 3600}) as server:
            server.files()
            pids = [server.process.pid, *server.pids()]
            idle = {"server_rss_kb": memory_kb(pids[0], "Rss"),
                    "all_pss_kb": sum(memory_kb(p, "Pss") for p in pids),
                    "all_rss_kb": sum(memory_kb(p, "Rss") for p in pids)}
            master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client=mse").text)
            uri = next(v.uri for v in master.variants if v.uri.startswith("video-copy"))
            before = cpu_s(server.process.pid)
            done = subprocess.run([BUILD / "bench" / "viewers", f"127.0.0.1:{server.port}",
                                   f"/hls/{film}/{uri}", VIEWERS, SECONDS],
                                  stdout=subprocess.PIPE, check=False)
            result = json.loads(done.stdout)
            result["server_cpu_s"] = round(cpu_s(server.process.pid) - before, 2)
            gigabytes = result["bytes"] / 1e9
            result["server_cpu_s_per_gb"] = round(result["server_cpu_s"] / gigabytes, 3)
            result["server_rss_kb_after"] = memory_kb(server.process.pid, "Rss")
            result["server_rss_kb_peak"] = peak_kb(server.process.pid)
            result.update(idle)
            print(json.dumps(result, indent=1))


main()
