# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture swarm.py does what tests take for granted, as a plain libtorrent client sees it."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

lt = pytest.importorskip("libtorrent", reason="python3-libtorrent is not installed")

from swarm import Seed, Swarm, Tracker, WebSeed, noise, torrent_of  # noqa: E402

SIZE = 3_000_000
PIECE = 1 << 18


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return noise(tmp_path_factory.mktemp("content") / "a film.mkv", SIZE)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("content") / "pack"
    for number, size in enumerate((300_000, 0, 400_001)):
        noise(folder / f"S01/e{number}.mkv", size, seed=number)
    noise(folder / "A.txt", 1234)
    return folder


@contextlib.contextmanager
def leecher(folder, torrent, peers=()):
    """A client that fetches a .torrent (bytes) or a magnet link (str) into the folder."""
    session = lt.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
        "enable_upnp": False, "enable_natpmp": False, "enable_incoming_utp": False,
        "enable_outgoing_utp": False, "smooth_connects": False, "min_reconnect_time": 1,
        # While a session ends it has the interpreter's lock: no tracker of this process answers.
        "stop_tracker_timeout": 0,
        "alert_mask": lt.alert_category.error | lt.alert_category.tracker,
    })
    want = (lt.parse_magnet_uri(torrent) if isinstance(torrent, str)
            else lt.load_torrent_buffer(torrent))
    want.save_path = str(folder)
    want.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(want)
    for peer in peers:
        handle.connect_peer(peer)
    handle.session = session
    try:
        yield handle
    finally:
        session.remove_torrent(handle)
        del handle.session


def until(holds, wait_s=20):
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() < begin + wait_s
        time.sleep(0.01)
    return time.monotonic() - begin


def whole(handle, wait_s=20):
    def seeding():
        status = handle.status()
        # Of a hybrid torrent without piece layers, libtorrent now and then takes a piece that is
        # still being written when its v2 hashes come for one that contradicts them.
        if "v1 and v2 hashes" in status.errc.message():
            handle.clear_error()
            handle.resume()
        return status.is_seeding
    return until(seeding, wait_s)


def same(content, folder):
    for file in [content] if content.is_file() else content.rglob("*"):
        if file.is_file():
            got = folder / file.relative_to(content.parent)
            # A file of no bytes need not be there.
            assert (got.read_bytes() if got.exists() else b"") == file.read_bytes(), file
    return True


def refused(peer):
    with contextlib.closing(socket.socket()) as sock:
        return sock.connect_ex(peer) != 0


def test_a_file_arrives_whole(film, tmp_path):
    with Swarm(film, [Seed(), Seed()], PIECE) as swarm:
        with leecher(tmp_path, swarm.torrent, swarm.peers) as handle:
            whole(handle)
            assert same(film, tmp_path)
            assert SIZE < sum(swarm.sent()) < SIZE * 1.2
            assert swarm.connections() == [1, 1]
            # It knows the lines and nobody else: no way past them.
            assert {peer.ip for peer in handle.get_peer_info()} <= set(swarm.peers)


@pytest.mark.parametrize("version", ["v1", "v2", "hybrid"])
def test_a_folder_arrives_by_its_magnet_link(pack, tmp_path, version):
    with Swarm(pack, piece_bytes=16384, version=version) as swarm:
        assert ("btih:" + swarm.infohash in swarm.magnet) == (version != "v2")
        assert ("btmh:1220" + swarm.infohash_v2 in swarm.magnet) == (version != "v1")
        with leecher(tmp_path, swarm.magnet) as handle:
            whole(handle)
            assert same(pack, tmp_path)


def test_a_torrent_is_the_same_every_time(pack):
    for version in ("v1", "v2", "hybrid"):
        made = torrent_of(pack, 16384, version, private=True, trackers=["http://127.0.0.1/a"])
        assert made == torrent_of(pack, 16384, version, True, ["http://127.0.0.1/a"])
        info = lt.load_torrent_buffer(made[0]).ti
        hashes = info.info_hashes()
        assert info.priv() and made[1] == str(hashes.v1 if hashes.has_v1() else hashes.get_best())
    files = lt.load_torrent_buffer(torrent_of(pack, 16384)[0]).ti.files()
    assert [files.file_path(i) for i in range(files.num_files())] == [
        "pack/A.txt", "pack/S01/e0.mkv", "pack/S01/e1.mkv", "pack/S01/e2.mkv"]
    assert torrent_of(pack, 16384)[1] != torrent_of(pack, 16384, pad=True)[1]


def test_each_seed_keeps_to_its_rate(film, tmp_path):
    with Swarm(film, [Seed(4e6, rtt_s=0.04), Seed(8e6, rtt_s=0.02)], PIECE) as swarm:
        with leecher(tmp_path, swarm.torrent, swarm.peers):
            until(lambda: min(swarm.sent()) > 80_000)
            begin, before = time.monotonic(), swarm.sent()
            time.sleep(1)
            took = time.monotonic() - begin
            slow, fast = (b - a for a, b in zip(before, swarm.sent()))
            assert slow * 8 / took == pytest.approx(4e6, rel=0.3)
            assert fast * 8 / took == pytest.approx(8e6, rel=0.3)


def test_the_way_there_and_back_takes_its_time(film):
    with Swarm(film, [Seed(), Seed(rtt_s=0.3)], PIECE) as swarm:
        hello = b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(swarm.infohash) + b"-" * 20
        took = []
        for peer in swarm.peers:
            with socket.create_connection(peer, timeout=10) as sock:
                begin = time.monotonic()
                sock.sendall(hello)
                assert sock.recv(1) == b"\x13"
                took.append(time.monotonic() - begin)
        assert took[0] < took[1] and 0.3 <= took[1] < 1


def test_a_seed_stalls_and_goes_on(film, tmp_path):
    with Swarm(film, [Seed(stall_after_bytes=1_000_000)], PIECE) as swarm:
        with leecher(tmp_path, swarm.torrent, swarm.peers) as handle:
            until(lambda: swarm.sent() == [1_000_000])
            time.sleep(0.3)
            assert swarm.sent() == [1_000_000]
            assert swarm.connections() == [1] and handle.status().num_peers == 1
            swarm.resume(0)
            whole(handle)
            assert swarm.connections() == [1]
            assert same(film, tmp_path)


def test_a_seed_is_gone_and_comes_back(film, tmp_path):
    with Swarm(film, [Seed(stall_after_bytes=1_000_000)], PIECE) as swarm:
        with leecher(tmp_path, swarm.torrent, swarm.peers) as handle:
            until(lambda: swarm.sent() == [1_000_000])
            swarm.drop(0)
            until(lambda: handle.status().num_peers == 0)
            assert refused(swarm.peers[0])
            swarm.restore(0)
            swarm.resume(0)
            handle.connect_peer(swarm.peers[0])
            whole(handle)
            assert swarm.connections()[0] >= 2
            assert same(film, tmp_path)


# Seed says why the film of the v2 torrent must be a short one.
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_a_corrupt_peer_sends_is_rejected(film, tmp_path, version):
    with Swarm(film, [Seed(corrupt=True), Seed(40e6)], PIECE, version) as swarm:
        with leecher(tmp_path, swarm.torrent, swarm.peers[:1]) as handle:
            until(lambda: swarm.sent()[0] > PIECE)
            handle.connect_peer(swarm.peers[1])
            whole(handle)
            assert same(film, tmp_path)
            assert handle.status().total_failed_bytes > 0
            assert swarm.sent()[1] > SIZE


def test_a_tracker_gives_peers_or_does_not(film, tmp_path):
    with Tracker() as tracker, Swarm(film, [Seed()], PIECE, trackers=[tracker.url]) as swarm:
        tracker.peers = swarm.peers
        with leecher(tmp_path, swarm.torrent) as handle:
            whole(handle)
            assert same(film, tmp_path)
            assert tracker.announces[0]["info_hash"] == swarm.infohash
            assert tracker.announces[0]["event"] == "started"
            assert tracker.announces[0]["left"] == str(SIZE)
        for mode in ({"failure": "go away"}, {"garbage": True}, {"redirect": tracker.url + "2"}):
            vars(tracker).update(failure=None, garbage=False, redirect=None)
            vars(tracker).update(mode)
            folder = tmp_path / str(mode.keys())
            with leecher(folder, swarm.torrent) as handle:
                said = []
                until(lambda: said.extend(a.message() for a in handle.session.pop_alerts()
                                          if a.what() == "tracker_error") or said)
                assert ("go away" in said[0]) == ("failure" in mode)
                assert handle.status().num_peers == 0


def test_a_web_seed_serves_ranges(film, tmp_path):
    with WebSeed(film) as web, Swarm(film, [], PIECE, web_seeds=[web.url]) as swarm:
        with leecher(tmp_path, swarm.torrent) as handle:
            whole(handle)
            assert same(film, tmp_path)
            assert web.requests and all(asked for _, asked in web.requests)
            assert web.sent >= SIZE


def test_a_web_seed_serves_a_folder(pack, tmp_path):
    with WebSeed(pack) as web, Swarm(pack, [], 16384, web_seeds=[web.url]) as swarm:
        with leecher(tmp_path, swarm.torrent) as handle:
            whole(handle)
            assert same(pack, tmp_path)


def test_a_web_seed_that_is_not_right(film):
    def get(web):
        asked = urllib.request.Request(web.url, headers={"Range": "bytes=1000-"})
        with urllib.request.urlopen(asked, timeout=10) as got:
            return got.status, got.headers["Content-Range"], got.read()

    data = film.read_bytes()
    with WebSeed(film) as web:
        assert get(web) == (206, f"bytes 1000-{SIZE - 1}/{SIZE}", data[1000:])
        web.mode = "wrong length"
        half = SIZE // 2
        assert get(web) == (206, f"bytes 1000-{half - 1}/{half}", data[1000:half])
        web.mode = "404"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(web)
        with WebSeed(film, redirect=web.url) as other:
            web.mode, web.bytes_per_s, before = "slow", 100_000, len(web.requests)
            asked = urllib.request.urlopen(other.url, timeout=10)
            time.sleep(0.2)
            assert len(web.requests) == before + 1 and len(other.requests) == 1
        # What is still being sent ends with the server.
    asked.close()
    assert web.sent < SIZE * 2


def living(pid):
    """Whether it is a process that runs; one that has ended and waits to be asked does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_nothing_is_left_behind(film):
    with pytest.raises(KeyError, match="of the test"):
        with Swarm(film, [Seed(corrupt=True)], PIECE) as swarm:
            process, altered, peers = swarm.process, pathlib.Path(swarm.altered), swarm.peers
            assert altered.exists() and not refused(peers[0])
            raise KeyError("of the test")
    assert process.returncode == 0 and not living(process.pid)
    assert not altered.exists() and refused(peers[0])


def test_nothing_is_left_behind_by_a_test_that_was_killed(film):
    program = ("import sys, time; from swarm import Seed, Swarm\n"
               f"with Swarm({str(film)!r}, [Seed(corrupt=True)], {PIECE}) as s:\n"
               "    print(s.process.pid, s.altered, flush=True); time.sleep(100)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)}) as test:
        pid, altered = test.stdout.readline().decode().split()
        assert living(pid) and altered.startswith(tempfile.gettempdir())
        test.kill()
    until(lambda: not living(pid) and not os.path.exists(altered))
