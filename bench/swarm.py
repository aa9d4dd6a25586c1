#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon a film comes out of a swarm: swarm.py BUILD_DIR [ROUNDS] [VARIANT ...]

The viewer opens the film (its first and last 2 MB: what a player reads before a picture), plays it
at its bitrate, and after 6 s seeks to 60 % (2 MB from there, then on at the bitrate). Beside
matinee, in the same swarm, one after the other: libtorrent in its sequential mode and rarest first,
qBittorrent and WebTorrent where they are installed. Variants (all if none is named): README.md."""

import pathlib
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path = [str(ROOT / "tests" / "system")] + [p for p in sys.path if p != str(ROOT / "bench")]
from swarm import Seed, Swarm, noise  # noqa: E402
sys.path.append(str(ROOT / "bench"))
import swarm_film  # noqa: E402
import swarm_peers as others  # noqa: E402

SIZE, PART, PIECE = 96 << 20, 2 << 20, 1 << 20
SEEK_AFTER_S, BYTES_PER_S = 6, 1.5e6
SEEK_AT = SIZE * 6 // 10 // PIECE * PIECE
CHUNK = 65536
SEEDS = [Seed(5e6, 0.06), Seed(10e6, 0.08), Seed(20e6, 0.05)]
VARIANTS = {
    "plain": [],
    "slow": [Seed(3e5, 0.4)],
    "stalling": [Seed(20e6, 0.05, stall_after_bytes=3 << 20)],
    "lying": [Seed(20e6, 0.05, corrupt=True)],
}
TASK = {"ends": [(0, PART), (SIZE - PART, SIZE)], "sought": (SEEK_AT, SEEK_AT + PART),
        "size": SIZE, "seekAfterMs": SEEK_AFTER_S * 1000, "bytesPerMs": BYTES_PER_S / 1000}


class Clock:
    """A viewer who plays bytes at a rate; `stalled`: how long he waited for them."""

    def __init__(self, begin, rate):
        self.due, self.rate, self.stalled = begin, rate, 0

    def take(self, size, at):
        """`size` bytes more are there at the time `at`. When they have been played."""
        late = max(0, at - self.due)
        self.stalled += late
        self.due += late + size / self.rate
        return self.due


def figures(at, task):
    """Of a program that tells when each piece came."""
    def came(begin, end):
        return max(at[begin // PIECE:(end - 1) // PIECE + 1])

    def play(begin, end, from_s, to_s):
        clock = Clock(from_s, task["bytesPerMs"] * 1000)
        for byte in range(begin, end, CHUNK):
            if clock.due >= to_s:
                break
            clock.take(CHUNK, came(byte, byte + 1))
        return min(clock.stalled, to_s - from_s)

    seek_s = task["seekAfterMs"] / 1000
    begin, end = task["sought"]
    ends = max(came(a, b) for a, b in task["ends"])
    sought = max(0, came(begin, end) - seek_s)
    stalled = play(0, task["size"], ends, seek_s) if ends < seek_s else 0
    stalled += play(begin, task["size"], seek_s + sought, 1e9)
    return {"ends": ends, "seek": sought, "stalled": stalled, "whole": max(at)}


# --- matinee ---


class Viewer:
    """Reads the original of a file of `server` as a player does."""

    def __init__(self, server, file, task):
        self.server, self.file, self.task = server, file, task
        self.stalled = 0

    def open(self, begin, end):
        connection = self.server.connect(120)
        connection.request("GET", f"/api/v1/files/{self.file}/raw",
                           headers={"Range": f"bytes={begin}-{end - 1}"})
        answer = connection.getresponse()
        assert answer.status == 206, answer.status
        return connection, answer

    def read(self, begin, end):
        connection, answer = self.open(begin, end)
        assert len(answer.read()) == end - begin
        connection.close()

    def read_all(self, spans):
        threads = [threading.Thread(target=self.read, args=span) for span in spans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def play(self, begin, lead, until=None):
        """At the bitrate, to the end or to a time; `lead` bytes before have just come."""
        connection, answer = self.open(begin, self.task["size"])
        clock = Clock(time.monotonic(), self.task["bytesPerMs"] * 1000)
        lead_s = clock.take(lead, clock.due) - time.monotonic()
        while (until is None or time.monotonic() < until) and (data := answer.read(CHUNK)):
            next_s = clock.take(len(data), time.monotonic()) - lead_s
            time.sleep(max(0, min(next_s, until or next_s) - time.monotonic()))
        connection.close()
        self.stalled += clock.stalled


def by_matinee(swarm, build, task):
    with swarm_film.start(build) as server:
        begin = time.monotonic()
        path, file = swarm_film.add(server, swarm.magnet)
        viewer = Viewer(server, file, task)
        viewer.read_all(task["ends"])
        ends = time.monotonic() - begin
        seek_at = begin + task["seekAfterMs"] / 1000
        viewer.play(task["ends"][0][1], task["ends"][0][1], seek_at)
        time.sleep(max(0, seek_at - time.monotonic()))
        before = time.monotonic()
        viewer.read(*task["sought"])
        sought = time.monotonic() - before
        sought_from, sought_to = task["sought"]
        player = threading.Thread(target=viewer.play, args=(sought_to, sought_to - sought_from))
        player.start()
        while server.get(path).json["state"] != "complete":
            time.sleep(0.02)
        whole = time.monotonic() - begin
        player.join()
        return {"ends": ends, "seek": sought, "stalled": viewer.stalled, "whole": whole}


# --- rounds ---


def programs(build):
    """{name: what runs it, giving figures}"""
    pieces = SIZE // PIECE
    found = {
        "matinee": lambda s: by_matinee(s, build, TASK),
        "libtorrent sequential":
            lambda s: figures(others.by_libtorrent(s, pieces, True), TASK),
        "libtorrent rarest first":
            lambda s: figures(others.by_libtorrent(s, pieces, False), TASK)}
    if others.has_qbittorrent():
        found["qBittorrent"] = lambda s: figures(others.by_qbittorrent(s, pieces), TASK)
    else:
        print("qBittorrent: not installed")
    if others.has_webtorrent():
        found["WebTorrent"] = lambda s: figures(others.by_webtorrent(s, pieces, TASK), TASK)
    else:
        print("WebTorrent: not installed (NODE_PATH names the folder of its package)")
    return found


def in_words(values):
    return "  ".join(f"{name} {value:6.2f}" for name, value in values.items())


def say_medians(title, got):
    """Medians, and each as a share of what the others took in the same round."""
    print(f"\n{title}: medians of {len(got['matinee'])}, seconds (redundant: MB)")
    for name, runs in got.items():
        medians = {k: statistics.median(run[k] for run in runs) for k in runs[0]}
        print(f"{name:24} {in_words(medians)}")
        if name == "matinee":
            continue
        # What is next to nothing on one side has no ratio.
        ratios = {k: statistics.median(a[k] / b[k] for a, b in zip(got["matinee"], runs))
                  for k in runs[0] if k in ("ends", "seek", "whole", "first")
                  and all(run[k] > 0.01 for run in runs)}
        print(f"{'  matinee of it':24} {in_words(ratios)}", flush=True)


def run_variant(variant, build, rounds, content):
    who = programs(build)
    got = {name: [] for name in who}
    for number in range(rounds):
        for name, run in who.items():
            with Swarm(content, SEEDS + VARIANTS[variant], piece_bytes=PIECE) as swarm:
                values = run(swarm)
                values["redundant"] = (sum(swarm.sent()) - SIZE) / 1e6
            got[name].append(values)
            print(f"{variant} {number + 1} {name:24} {in_words(values)}", flush=True)
    say_medians(variant, got)


def main():
    build = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    variants = sys.argv[3:] or [*VARIANTS, "film"]
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as folder:
        content = noise(pathlib.Path(folder) / "noise.mkv", SIZE)
        for variant in variants:
            if variant == "film":
                tools = {"figures": figures, "in_words": in_words, "say_medians": say_medians}
                swarm_film.run(folder, build, rounds, SEEDS, tools)
            else:
                run_variant(variant, build, rounds, content)


if __name__ == "__main__":
    main()
