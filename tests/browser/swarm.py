# SPDX-License-Identifier: GPL-3.0-or-later
"""The swarm of the system tests for a test that is not written in Python.

The first line of the input says what is seeded by whom: {"content": PATH, "piece_bytes": N,
"seeds": [{"bits_per_s": N, ...}, ...]}. It is answered with {"magnet": URI}; each line after it with
what the method of Swarm that it names returns: {"do": "sent"}. The end of the input ends the swarm. Exit status 77: the machine has no
libtorrent for Python."""

import importlib.util
import json
import pathlib
import sys

if not importlib.util.find_spec("libtorrent"):
    sys.exit(77)
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "system"))

from swarm import Seed, Swarm  # noqa: E402


def main():
    order = json.loads(sys.stdin.readline())
    seeds = [Seed(**words) for words in order["seeds"]]
    with Swarm(order["content"], seeds, order["piece_bytes"]) as swarm:
        print(json.dumps({"magnet": swarm.magnet}), flush=True)
        for line in sys.stdin:
            question = json.loads(line)
            print(json.dumps({"answer": getattr(swarm, question.pop("do"))(**question)}), flush=True)


main()
