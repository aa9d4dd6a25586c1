# SPDX-License-Identifier: GPL-3.0-or-later
"""Good films with some of their bytes changed, cut, doubled or moved: whatever becomes of the film, the
server stays. Ten thousand of them in the long form (MUTATIONS), from a seed that is said (SEED)."""

import concurrent.futures
import http.client
import os
import random
import time

import films
import hls
from server import FULL, SLOW, Server

COUNT = int(os.environ.get("MUTATIONS", 10000 if FULL else 24))
BATCH = 100 if FULL else 24
SEED = int(os.environ.get("SEED", time.time()))
SMALL = {"size": "160x90", "rate": "24", "seconds": "3", "gop": "1"}
KINDS = ("plain.mkv", "plain.mp4", "faststart.mp4", "hevc.mkv", "mpeg2.ts", "xvid.avi", "opus.mkv",
         "flac.mkv", "eac3.mp4")
CORPUS_BYTES = 400_000
# What may be answered of a film that is broken: it plays, it is gone, it cannot be, it is not yet.
EXPECTED = (200, 404, 410, 502, 503)


def originals():
    made = [films.make(f"small-{n}", films.RECIPES[n], **SMALL) for n in KINDS]
    return made + [films.CORPUS / row["file"] for row in films.corpus()
                   if (films.CORPUS / row["file"]).exists() and
                   (films.CORPUS / row["file"]).stat().st_size < CORPUS_BYTES]


def place(dice, size):
    """Headers stand at the ends: most of the harm is done there."""
    edge = min(size, 4096)
    return dice.choice((dice.randrange(size), dice.randrange(edge), size - 1 - dice.randrange(edge)))


def mutated(data, dice):
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5, 20, 100))):
        at = place(dice, len(data))
        what = dice.randrange(8)
        if what < 3:
            data[at] = dice.randrange(256)
        elif what == 3:
            data[at] ^= 1 << dice.randrange(8)
        elif what == 4:
            data[at:at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif what == 5 and len(data) > 1000:
            del data[at:at + dice.randrange(1, 200)]
        elif what == 6:
            data[at:at] = data[at:at + dice.randrange(1, 200)]
        elif dice.random() < 0.2 and len(data) > 1000:
            del data[max(500, at):]
        data = data or bytearray(1)
    return bytes(data)


def play(server, film):
    """The first and the last segment of each of its renditions. What was wrong, in words."""
    base = f"/hls/{film}/"
    wrong = []

    def get(path):
        try:
            answer = server.get(path, timeout=90 * SLOW)
        except (http.client.IncompleteRead, ConnectionError) as error:
            return None if server.process.poll() is None else wrong.append(f"{path}: {error}")
        if answer.status not in EXPECTED:
            wrong.append(f"{path}: {answer.status} {answer.body[:200]}")
        return answer if answer.status == 200 else None

    master = get(base + "master.m3u8?client=mse&caps=h264,hevc,aac,ac3,eac3,flac,opus,mp3,vp9,av1")
    if master is None:
        return wrong
    parsed = hls.MasterPlaylist(master.text)
    for uri in [v.uri for v in parsed.variants] + [m["URI"] for m in parsed.media if "URI" in m]:
        listed = get(base + uri)
        if listed is None:
            continue
        segments = hls.MediaPlaylist(listed.text).segments
        for n in {0, len(segments) - 1}:
            get(base + uri.split("/")[0] + "/" + segments[n].uri)
    return wrong


def test_mutations_of_good_films_take_nothing_down(tmp_path):
    dice = random.Random(SEED)
    sources = [(p.suffix, p.read_bytes()) for p in originals()]
    print("seed", SEED, len(sources), "films")
    with Server(tmp_path, settings={"hls.hold_ms": 10000, "hls.idle_s": 1}) as server:
        pid, done, played = server.process.pid, 0, 0
        while done < COUNT:
            for n in range(done, min(COUNT, done + BATCH)):
                suffix, data = dice.choice(sources)
                (tmp_path / f"film {n:05}{suffix}").write_bytes(mutated(data, dice))
            server.ask("POST", "/api/v1/library/scan")
            known = server.files(wait_s=300)
            assert len(known) == min(BATCH, COUNT - done), len(known)
            ready = [film for film, state, _ in known.values() if state == "ready"]
            with concurrent.futures.ThreadPoolExecutor(4) as threads:
                wrong = [w for found in threads.map(lambda f: play(server, f), ready) for w in found]
            assert not wrong, (SEED, wrong[:5])
            assert server.process.poll() is None and server.get("/healthz").status == 200, SEED
            done += len(known)
            played += len(ready)
            print(done, "mutations,", played, "of them could be played", flush=True)
            for path in tmp_path.iterdir():
                path.unlink()
            server.ask("POST", "/api/v1/library/scan")
            deadline = time.monotonic() + 60 * SLOW
            while any(s != "offline" for _, s, _ in server.files().values()):
                if not server.files():
                    break
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert played > 0 and server.process.pid == pid
