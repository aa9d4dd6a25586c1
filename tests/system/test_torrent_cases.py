# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases that a torrent engine must pass, by their numbers (1 to 10): adding, reading what is still coming,
viewers and seeks, packs, crashes. Those of safety stand in test_torrent_safety.py."""

import concurrent.futures
import pathlib
import random
import socket
import threading
import time

import pytest

from downloading import (Arriving, Reader, add, add_torrent, availability, choose,  # noqa: F401
                         data, fake_disk, film_of, first_file, folder, folder_of, get_raw,
                         is_complete, look, place_of, server_of, wait)
from server import FULL, SLOW
from swarm import Seed, Swarm, Tracker, noise, torrent_of

MIB = 1 << 20


# --- 1: adding, stopping ---

@pytest.mark.parametrize("version", ["v1", "hybrid"])
def test_case_01_what_is_here_is_not_added_again(folder, version):
    """As a .torrent, as a magnet, by either hash, with or without a name: one download, one id."""
    content = noise(folder / "noise.mkv", MIB)
    with Swarm(content, [Seed()], piece_bytes=64 << 10, version=version) as swarm, \
            server_of() as server:
        magnets = [f"magnet:?xt={topic}" for topic in swarm.topics] + [swarm.magnet]
        download = add(server, magnets[0])
        first = look(server, download)
        assert first["state"] == "metadata" and first["hash"] == swarm.infohash
        assert add_torrent(server, swarm.torrent, 200) == download
        for magnet in magnets[:1] + magnets[-1:]:
            assert add(server, magnet, 200) == download
        assert server.ask("DELETE", f"/api/v1/downloads/{download}").status == 204
        described = add_torrent(server, swarm.torrent)
        assert described != download
        assert {add(server, magnet, 200) for magnet in magnets} == {described}
        assert add_torrent(server, swarm.torrent, 200) == described
        assert [d["id"] for d in server.get("/api/v1/downloads").json["items"]] == [described]


def test_case_01_many_add_the_same_at_once(folder):
    torrent, _ = torrent_of(noise(folder / "noise.mkv", MIB), 64 << 10)
    with server_of() as server:
        def post(_):
            return server.ask("POST", "/api/v1/downloads", torrent,
                              {"Content-Type": "application/x-bittorrent"})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(8)))
        assert sorted(a.status for a in answers) == [200] * 7 + [201]
        assert len({a.json["id"] for a in answers}) == 1
        # Nothing is left of the folders of those who came too late.
        assert [p.name for p in (pathlib.Path(server.data) / "torrents").iterdir()] == [
            answers[0].json["id"]]


def test_case_01_an_id_that_is_no_more_is_not_found(folder):
    torrent, _ = torrent_of(noise(folder / "noise.mkv", MIB), 64 << 10)
    with server_of() as server:
        download = add_torrent(server, torrent)
        file = first_file(server, download)
        path = f"/api/v1/downloads/{download}"
        assert server.ask("DELETE", path).status == 204
        for method, body in (("GET", None), ("PATCH", {"state": "paused"}), ("DELETE", None)):
            assert server.ask(method, path, body).status == 404, method
        for what in ("raw", "availability"):
            assert server.get(f"/api/v1/files/{file}/{what}").status in (404, 410)
        assert server.get("/api/v1/downloads").json["items"] == []


@pytest.mark.parametrize("way", ["magnet", "torrent"])
def test_case_01_what_was_added_goes_on_after_a_restart(folder, data, way):
    content = noise(folder / "noise.mkv", 6 * MIB)
    with Tracker() as tracker, Swarm(content, [Seed(12e6)], piece_bytes=64 << 10,
                                     trackers=[tracker.url]) as swarm:
        tracker.peers = swarm.peers
        with server_of(data) as server:
            download = (add(server, swarm.magnet) if way == "magnet"
                        else add_torrent(server, swarm.torrent))
            first = wait(server, download, lambda d: d["progress"] > 0.3)
        with server_of(data) as server:
            again = wait(server, download, lambda d: d["state"] == "downloading")
            assert again["progress"] >= first["progress"] - 0.001
            assert again["files"] == [{**first["files"][0],
                                       "progress": again["files"][0]["progress"]}]
            wait(server, download, is_complete)
            assert get_raw(server, first["files"][0]["file"]) == content.read_bytes()
        assert sum(swarm.sent()) < 6 * MIB * 1.15


def test_case_01_a_server_with_50_torrents_stops_at_once(folder):
    """Though their tracker takes their last word and never answers."""
    limit_s = 10 * SLOW
    with socket.create_server(("127.0.0.1", 0)) as deaf, server_of() as server:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/announce"
        for number in range(50):
            content = noise(folder / f"noise-{number}.mkv", 100_000, number)
            add_torrent(server, torrent_of(content, 16 << 10, trackers=[url])[0])
        items = server.get("/api/v1/downloads").json["items"]
        assert len(items) == 50
        wait(server, items[-1]["id"], lambda d: d["state"] == "downloading")
        begin = time.monotonic()
        assert server.stop() == 0
        took = time.monotonic() - begin
    assert took < limit_s, f"it took {took:.1f} s"


# --- 2, 3: what is said to be here is here ---

def is_here(ranges, begin, end):
    return any(b <= begin and end <= e for b, e in ranges)


def test_case_02_what_is_said_to_be_here_is_here(folder):
    """10,000 questions while it comes: a yes is the bytes of the original, on the disk; what was here stays."""
    content = noise(folder / "noise.mkv", 12 * MIB)
    original = content.read_bytes()
    dice = random.Random(1)
    with Swarm(content, [Seed(16e6), Seed(12e6, 0.02)], piece_bytes=64 << 10) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        file = first_file(server, download)
        asked = yes = partly = 0
        before = []
        reader = Reader(server, file, original, 7 * MIB)
        while asked < 10_000:
            here = availability(server, file)
            assert here["size"] == len(original)
            assert here["complete"] == (here["ranges"] == [[0, len(original)]])
            assert all(is_here(here["ranges"], *span) for span in before), "what was here is gone"
            before = here["ranges"]
            partly += 0 < len(before) and not here["complete"]
            with open(place_of(server, download), "rb") as disk:
                for _ in range(100):
                    asked += 1
                    begin = dice.randrange(len(original))
                    end = min(len(original), begin + dice.randrange(1, 200_000))
                    if not is_here(before, begin, end):
                        continue
                    yes += 1
                    disk.seek(begin)
                    assert disk.read(end - begin) == original[begin:end], (begin, end)
            if dice.random() < 0.2:  # the same by a read that is held until it can be answered
                begin = dice.randrange(len(original))
                end = min(len(original), begin + dice.randrange(1, 300_000))
                assert get_raw(server, file, begin, end) == original[begin:end]
            time.sleep(0.02)
        assert partly > 10 and yes > 500, (partly, yes)
        reader.finish()
        wait(server, download, is_complete)
        here = availability(server, file)
        assert here == {"size": len(original), "complete": True, "ranges": [[0, len(original)]]}


def test_case_03_no_piece_is_here_before_it_is_written(folder):
    """Another process (this one) hashes each of 1,024 pieces as soon as it is said to be here, while writes
    take up to 200 ms more: some of them, all in the full form."""
    piece = 16 << 10
    content = noise(folder / "noise.mkv", 1024 * piece)
    original = content.read_bytes()
    disk = fake_disk(write_ms=200, percent=100 if FULL else 20)
    with Swarm(content, [Seed(), Seed()], piece_bytes=piece) as swarm, \
            server_of(environment=disk) as server:
        download = add(server, swarm.magnet)
        file = first_file(server, download)
        looked = set()
        while len(looked) < 1024:
            ranges = availability(server, file)["ranges"]
            with open(place_of(server, download), "rb", buffering=0) as got:
                for begin, end in ranges:
                    for n in range(begin // piece, end // piece):
                        if n in looked:
                            continue
                        looked.add(n)
                        got.seek(n * piece)
                        assert got.read(piece) == original[n * piece:(n + 1) * piece], (
                            f"piece {n} was not written yet")
            assert look(server, download)["state"] != "failed"
            time.sleep(0.002)


# --- 4 to 7: viewers and seeks ---

def test_case_04_what_is_sought_comes_first(folder):
    """Three peers with 5, 10 and 20 Mbit/s, far away: head and tail, then 2 MB at 60 %, then all of it."""
    size = 96 * MIB if FULL else 32 * MIB
    content = noise(folder / "noise.mkv", size)
    original = content.read_bytes()
    seeds = [Seed(5e6, 0.06), Seed(10e6, 0.08), Seed(20e6, 0.05)]
    floor_s = size * 8 / 35e6
    slack = 5 * SLOW
    with Swarm(content, seeds) as swarm, server_of() as server:
        download = add(server, swarm.magnet)
        file = first_file(server, download)
        begin = time.monotonic()
        head = Reader(server, file, original, 0, 2 * MIB)
        tail = Reader(server, file, original, size - 2 * MIB)
        head.finish()
        tail.finish()
        opened_s = time.monotonic() - begin
        early = sum(swarm.sent())
        sought = size * 6 // 10
        asked = time.monotonic()
        seek = Reader(server, file, original, sought)
        seek.wait_for(2 * MIB)
        sought_s = time.monotonic() - asked
        between = sum(swarm.sent()) - early
        seek.finish()
        wait(server, download, is_complete, 5 * floor_s)
        whole_s = time.monotonic() - begin
    figures = f"open {opened_s:.2f} s, seek {sought_s:.2f} s, whole {whole_s:.2f} s"
    print(figures, f"({early} bytes before the seek, {between} for it)")
    # By bytes: what was sought did not wait for what lies before it.
    assert early < 14 * MIB and between < 14 * MIB, (early, between)
    assert opened_s < 3.6 * slack and sought_s < 3 * slack and whole_s < 1.15 * floor_s * slack, figures


@pytest.mark.parametrize("viewers", [2, 5])
def test_case_05_viewers_at_different_places_are_all_served(folder, viewers):
    """One of them leaves in the middle; nobody starves, each byte is right, and when all have left the rest
    comes too."""
    size = 48 * MIB
    content = noise(folder / "noise.mkv", size)
    original = content.read_bytes()
    with Swarm(content, [Seed(24e6, 0.02), Seed(24e6, 0.04)], piece_bytes=128 << 10) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        file = first_file(server, download)
        readers = [Reader(server, file, original, n * size // viewers, bytes_per_s=750_000)
                   for n in range(viewers)]
        for reader in readers:
            reader.wait_for(512 << 10)
        assert look(server, download)["progress"] < 0.9, "they were served by what came anyway"
        readers[0].leave()
        for reader in readers[1:]:
            reader.wait_for(2 * MIB)
        for reader in readers:
            reader.leave()
            assert reader.failure is None
        wait(server, download, is_complete)
        assert get_raw(server, file) == original
        assert sum(swarm.sent()) < size * 1.15


def memory_of(server):
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no VmRSS")


def part_of_second(server, download):
    return look(server, download)["files"][1]["progress"]


def test_case_06_a_hundred_seeks_in_ten_seconds(folder):
    """What is fetched twice is less than 15 %, memory stays flat, and a file that is not wanted any more is not
    fetched, though somebody sought in it."""
    pack = folder / "Pack"
    size = 32 * MIB
    originals = [noise(pack / name, length, number).read_bytes() for number, (name, length)
                 in enumerate({"01.mkv": size, "02.mkv": 8 * MIB}.items())]
    dice = random.Random(6)
    with Swarm(pack, [Seed(12e6, 0.02), Seed(12e6, 0.03)], piece_bytes=64 << 10) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        files = {f["name"][-6:]: f["file"]
                 for f in wait(server, download, lambda d: d["files"])["files"]}
        other = Reader(server, files["02.mkv"], originals[1], 4 * MIB)
        other.wait_for(1)
        other.leave()
        choose(server, download, "01.mkv")
        time.sleep(1)  # what was asked for before may still come
        part = part_of_second(server, download)
        memory = None
        begin = time.monotonic()
        for n in range(100):
            place = dice.randrange(size - MIB)
            reader = Reader(server, files["01.mkv"], originals[0], place, place + MIB)
            time.sleep(max(0, begin + (n + 1) / 10 - time.monotonic()))
            reader.leave()
            assert reader.failure is None, reader.failure
            if n == 20:
                memory = memory_of(server)
        grown = memory_of(server) - memory
        wait(server, download, is_complete)
        sent, now = sum(swarm.sent()), look(server, download)
        here = sum(f["size"] * f["progress"] for f in now["files"])
        assert get_raw(server, files["01.mkv"]) == originals[0]
        later = part_of_second(server, download)
    print(f"{sent / here - 1:.1%} redundant, {grown >> 10} KiB more memory, "
          f"{part:.0%} and {later:.0%} of what is not wanted")
    assert sent < 1.15 * here, (sent, here)
    assert grown < 48 * MIB * SLOW, grown
    assert part < 0.9 and later < part + 0.15, (part, later)


def test_case_07_who_begins_near_the_end_gets_the_rest_too(folder):
    content = noise(folder / "noise.mkv", 24 * MIB)
    original = content.read_bytes()
    with Swarm(content, [Seed(16e6, 0.02), Seed(16e6, 0.04)], piece_bytes=256 << 10) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        file = first_file(server, download)
        reader = Reader(server, file, original, 16 * MIB)
        reader.finish()
        now = look(server, download)
        if now["progress"] < 1:
            assert now["state"] == "downloading" and now["peers"] > 0, now
        wait(server, download, is_complete)
        assert get_raw(server, file) == original
        # Nobody was hung up on in between: as many connections as there are peers.
        assert swarm.connections() in ([1, 1], [2, 2]), swarm.connections()


# --- 8: who waits for bytes is answered once ---

def held_read(server, file, begin, end):
    """A connection on which a read waits: the bytes of the head of its answer have come."""
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=60 * SLOW)
    sock.sendall(f"GET /api/v1/files/{file}/raw HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 f"Range: bytes={begin}-{end - 1}\r\nConnection: close\r\n\r\n".encode())
    return sock


def rest_of(sock):
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except ConnectionError:
        got += b"<reset>"
    sock.close()
    return got


@pytest.fixture
def stalled(folder):
    """A server with a download of which some came and no more does."""
    content = noise(folder / "noise.mkv", 4 * MIB)
    with Swarm(content, [Seed(8e6, stall_after_bytes=MIB)], piece_bytes=64 << 10) as swarm:
        swarm.original = content.read_bytes()
        yield swarm


def begin_stalled(server, swarm):
    download = add(server, swarm.magnet)
    file = first_file(server, download)
    wait(server, download, lambda d: d["progress"] > 0.1)
    return download, file


def test_case_08_a_read_that_is_given_up_leaves_nothing(stalled):
    """tests/unit/source/sparse_test.c counts the answers to each wait."""
    with server_of() as server:
        download, file = begin_stalled(server, stalled)
        for _ in range(20):
            held_read(server, file, 3 * MIB, 4 * MIB).close()
        stalled.resume(0)
        wait(server, download, is_complete)
        assert get_raw(server, file, 3 * MIB, 4 * MIB) == stalled.original[3 * MIB:]


def test_case_08_a_segment_that_does_not_come_in_time_is_told_once(folder):
    """Its playlist is there, its bytes are not: 503 when it was held long enough; asked again, it comes."""
    with Swarm(film_of(10), [Seed(3e6)], piece_bytes=64 << 10) as swarm, \
            server_of(**{"hls.hold_ms": 300}) as server:
        download = add(server, swarm.magnet)
        arriving = Arriving(server, first_file(server, download))
        uri, playlist = arriving.rendition("video-copy")
        swarm.stall(0)
        missing = f"{arriving.base}{uri.rsplit('/', 1)[0]}/{playlist.segments[-2].uri}"
        answer = server.get(missing)
        assert answer.status == 503 and answer.header("retry-after"), answer.status
        swarm.resume(0)
        wait(server, download, is_complete)
        assert server.get(missing).status == 200


def test_case_08_a_read_of_what_is_removed_ends_once(stalled):
    with server_of() as server:
        download, file = begin_stalled(server, stalled)
        readers = [held_read(server, file, 3 * MIB, 4 * MIB) for _ in range(5)]
        time.sleep(0.3)
        assert server.ask("DELETE", f"/api/v1/downloads/{download}").status == 204
        for sock in readers:
            answer = rest_of(sock)
            assert answer.count(b"HTTP/1.1 ") <= 1
            assert b" 206 " not in answer or len(answer) < MIB, "it is cut short, not made up"


def test_case_08_a_read_outlives_a_full_disk(stalled, folder):
    """It waits while there is no room, and is answered once there is."""
    full = folder / "full"
    with server_of(environment=fake_disk(full=full)) as server:
        download, file = begin_stalled(server, stalled)
        full.touch()
        sock = held_read(server, file, 3 * MIB, 4 * MIB)
        stalled.resume(0)
        told = wait(server, download, lambda d: "disk" in d.get("reason", ""))
        assert told["state"] == "downloading"
        full.unlink()
        answer = rest_of(sock)
        assert answer.count(b"HTTP/1.1 206") == 1
        assert answer.endswith(stalled.original[3 * MIB:])
        wait(server, download, is_complete)
        assert get_raw(server, file) == stalled.original


# --- 9: a pack ---

def test_case_09_of_a_pack_what_is_chosen_comes(folder):
    """Only the chosen file appears on the disk, later another one, then one that is opened."""
    pack = folder / "Pack"
    sizes = {"01.mkv": 3_000_001, "02.mkv": 2_500_003, "extra/notes.txt": 777, "03.mkv": 1_000_000}
    originals = {name: noise(pack / name, size, number).read_bytes()
                 for number, (name, size) in enumerate(sizes.items())}
    with Tracker() as tracker, \
            Swarm(pack, [Seed(40e6, stall_after_bytes=0)], piece_bytes=256 << 10,
                  trackers=[tracker.url]) as swarm, server_of() as server:
        tracker.peers = swarm.peers
        download = add_torrent(server, swarm.torrent)
        made = look(server, download)
        files = {f["name"].split("/", 1)[1]: f["file"] for f in made["files"]}
        assert {f["name"].split("/", 1)[1]: f["size"] for f in made["files"]} == sizes
        choose(server, download, "02.mkv")
        swarm.resume(0)
        wait(server, download, is_complete)
        on_disk = sorted(p.name for p in (folder_of(server, download) / "f").iterdir())
        numbers = {f["name"].split("/", 1)[1]: n for n, f in enumerate(made["files"])}
        assert on_disk == [place_of(server, download, numbers["02.mkv"]).name], on_disk
        assert get_raw(server, files["02.mkv"]) == originals["02.mkv"]
        # The parts of its neighbours that came with its pieces are not fetched again.
        before = sum(swarm.sent())
        choose(server, download, "02.mkv", "01.mkv")
        wait(server, download, is_complete)
        assert get_raw(server, files["01.mkv"]) == originals["01.mkv"]
        assert sum(swarm.sent()) - before < sizes["01.mkv"] * 1.15
        # What is opened is wanted: it comes after all.
        assert get_raw(server, files["03.mkv"]) == originals["03.mkv"]


# --- 10: kill -9 ---

def test_case_10_a_server_that_is_killed_fetches_no_piece_twice(folder, data):
    """Killed at any moment, again and again: playback goes on where it was, what was here is here, nothing is
    checked again; in the end what was sent is the file, and what was under way at each end."""
    rounds = 50 if FULL else 10
    size = (32 if FULL else 12) * MIB
    content = noise(folder / "noise.mkv", size)
    original = content.read_bytes()
    dice = random.Random(3)
    at = before = 0
    with Swarm(content, [Seed(8e6), Seed(6e6, 0.02)], piece_bytes=64 << 10) as swarm:
        for number in range(rounds):
            server = server_of(data).start()
            downloads = server.get("/api/v1/downloads").json["items"]
            download = downloads[0]["id"] if downloads else add(server, swarm.magnet)
            now = wait(server, download, lambda d: d["files"] and d["state"] != "checking")
            file = now["files"][0]["file"]
            assert now["progress"] >= before - 0.001, (number, now["progress"], before)
            reader = Reader(server, file, original, at)
            time.sleep(0.1 + dice.random() * 0.7)
            before = look(server, download)["progress"]
            server.stop(kill=True)
            reader.join(30)
            got_whole = at + reader.got
            # The end of the server ends the read; a wrong byte would be another failure.
            assert "others" not in str(reader.failure), reader.failure
            at = got_whole if got_whole < size - MIB else dice.randrange(size // 2)
        with server_of(data) as server:
            wait(server, download, is_complete)
            assert get_raw(server, file) == original
        sent = sum(swarm.sent())
    lost = (sent - size) / rounds
    print(f"{lost / 1024:.0f} KiB more were sent for each time it was killed")
    assert lost < 1.5 * MIB, f"{sent} bytes were sent for {size}"
