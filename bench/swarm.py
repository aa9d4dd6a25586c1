#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon the bytes that a viewer needs come out of a swarm: swarm.py BUILD_DIR [ROUNDS]

The swarm: three seeds of 5, 10 and 20 Mbit/s, 60, 80 and 50 ms away, 96 MiB in pieces of 1 MiB. The
viewer opens the film (its first and last 2 MB: what a player reads before a picture), and after 6 s seeks to
60 % (2 MB from there). Beside matinee, in the same swarm, plain libtorrent: its sequential mode, and
rarest first (for the whole file). Medians; each round has all of them, one after the other."""

import pathlib
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))
import libtorrent as lt  # noqa: E402
from swarm import Seed, Swarm, noise  # noqa: E402

SIZE, PART, PIECE = 96 << 20, 2 << 20, 1 << 20
SEEK_AT, SEEK_AFTER_S = SIZE * 6 // 10 // PIECE * PIECE, 6
SEEDS = [Seed(5e6, 0.06), Seed(10e6, 0.08), Seed(20e6, 0.05)]
ENDS = [(0, PART), (SIZE - PART, SIZE)]
SOUGHT = [(SEEK_AT, SEEK_AT + PART)]


def by_matinee(swarm, build):
    import server as servers
    servers.BIN = str(pathlib.Path(build).resolve() / "matinee")
    settings = {"torrent.listen": "127.0.0.1:0", "torrent.dht": "false",
                "torrent.allow_local": "true", "torrent.into_library": "false"}
    with servers.Server(None, settings=settings) as server:
        begin = time.monotonic()
        made = server.ask("POST", "/api/v1/downloads", {"magnet": swarm.magnet}).json
        path = f"/api/v1/downloads/{made['id']}"
        while not (files := server.get(path).json["files"]):
            time.sleep(0.01)
        file = files[0]["file"]
        described = time.monotonic() - begin

        def read(spans):
            threads = [threading.Thread(target=server.ask, args=(
                "GET", f"/api/v1/files/{file}/raw"), kwargs={
                    "headers": {"Range": f"bytes={a}-{b - 1}"}, "timeout": 120})
                       for a, b in spans]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return time.monotonic() - begin

        ends = read(ENDS)
        time.sleep(max(0, begin + SEEK_AFTER_S - time.monotonic()))
        before = time.monotonic() - begin
        sought = read(SOUGHT) - before
        while server.get(path).json["state"] != "complete":
            time.sleep(0.02)
        return {"described": described, "ends": ends, "seek": sought,
                "whole": time.monotonic() - begin}


def by_libtorrent(swarm, sequential):
    folder = tempfile.mkdtemp(prefix="matinee-bench-")
    session = lt.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
        "enable_upnp": False, "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
        "stop_tracker_timeout": 0})
    params = lt.parse_magnet_uri(swarm.magnet)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if sequential:
        params.flags |= lt.torrent_flags.sequential_download
    begin = time.monotonic()
    handle = session.add_torrent(params)

    def wait(spans):
        pieces = {p for a, b in spans for p in range(a // PIECE, (b - 1) // PIECE + 1)}
        while not handle.status().has_metadata or not all(handle.have_piece(p) for p in pieces):
            time.sleep(0.02)
        return time.monotonic() - begin

    found = {}

    def look(name, spans, after_s):
        time.sleep(after_s)
        found[name] = wait(spans) - after_s

    threads = [threading.Thread(target=look, args=("ends", ENDS, 0)),
               threading.Thread(target=look, args=("seek", SOUGHT, SEEK_AFTER_S))]
    for thread in threads:
        thread.start()
    whole = wait([(0, SIZE)])
    for thread in threads:
        thread.join()
    session.remove_torrent(handle, lt.options_t.delete_files)
    return {"described": 0, "ends": found["ends"], "seek": found["seek"], "whole": whole}


def main():
    build, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    who = {"matinee": lambda s: by_matinee(s, build),
           "libtorrent, sequential": lambda s: by_libtorrent(s, True),
           "libtorrent, rarest first": lambda s: by_libtorrent(s, False)}
    got = {name: [] for name in who}
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as folder:
        content = noise(pathlib.Path(folder) / "film.mkv", SIZE)
        for number in range(rounds):
            for name, run in who.items():
                with Swarm(content, SEEDS, piece_bytes=PIECE) as swarm:
                    got[name].append(run(swarm))
                print(f"round {number + 1}, {name}: " + ", ".join(
                    f"{k} {v:.2f} s" for k, v in got[name][-1].items()), flush=True)
    print(f"\nmedians of {rounds}")
    medians = {name: {k: statistics.median(r[k] for r in runs) for k in runs[0]}
               for name, runs in got.items()}
    for name, values in medians.items():
        print(f"{name:26}" + "  ".join(f"{k} {v:6.2f} s" for k, v in values.items()))
    ours = medians["matinee"]
    plain, rarest = medians["libtorrent, sequential"], medians["libtorrent, rarest first"]
    print(f"of sequential: first and last 2 MB {ours['ends'] / plain['ends']:.2f}, "
          f"seek {ours['seek'] / plain['seek']:.2f}; "
          f"of rarest first: whole {ours['whole'] / rarest['whole']:.2f}")


if __name__ == "__main__":
    main()
