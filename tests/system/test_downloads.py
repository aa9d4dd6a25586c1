# SPDX-License-Identifier: GPL-3.0-or-later
"""A magnet is a film one can press play on: downloads out of real swarms, watched while they come."""

import contextlib
import datetime
import os
import pathlib
import shutil
import tempfile
import time

import pytest

import hls
from downloading import (ALONE, Arriving, add, fake_disk, film_of, folder,  # noqa: F401
                         is_complete, left_behind, look, segments_of, server_of, until, wait)
from origin import Origin
from server import SLOW, Server
from swarm import Seed, Swarm, Tracker, noise


def test_a_magnet_plays_while_it_comes(folder):
    """Copy and transcode while the swarm is hardly faster than the film; what comes is the film."""
    film = film_of()
    size = film.stat().st_size
    source = folder / "Arriving (2001).mkv"
    os.symlink(film, source)
    with Server(folder) as whole:
        known = whole.files()
        want = segments_of(whole, known[source.name][0], "video-copy")
    with Swarm(film, [Seed(6e6, 0.04), Seed(4e6, 0.08)], piece_bytes=256 << 10) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        arriving = Arriving(server, file)
        uri, playlist = arriving.rendition("video-copy")
        assert arriving.segment(uri, playlist, 0) == want[0]
        early = sum(swarm.sent())
        assert early < size * 0.6, f"{early} of {size} bytes came for the first segment"
        rungs = [u for u in arriving.uris if u.startswith("video-") and "copy" not in u]
        low = rungs[-1].split("/")[0]
        low_uri, low_playlist = arriving.rendition(low)
        assert len(hls.parse_segment(arriving.segment(low_uri, low_playlist, 1))) > 0
        got = [arriving.segment(uri, playlist, s.n) for s in playlist.segments]
        assert got == want
        wait(server, download, is_complete)
        raw = server.get(f"/api/v1/files/{file}/raw").body
        assert raw == film.read_bytes()


def test_a_seek_brings_what_is_sought_first(folder):
    """What lies before the new place waits: the sought segment is there while that is not."""
    with Swarm(film_of(), [Seed(4e6, 0.04), Seed(2e6, 0.08)], piece_bytes=256 << 10) as swarm, \
            server_of() as server:
        download = add(server, swarm.magnet)
        file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        arriving = Arriving(server, file)
        uri, playlist = arriving.rendition("video-copy")
        arriving.segment(uri, playlist, 0)
        n = len(playlist.segments) * 6 // 10
        arriving.segment(uri, playlist, n)
        here = server.get(f"/api/v1/files/{file}/availability").json
        sought = here["size"] * n // len(playlist.segments)
        before = sum(min(end, sought) - begin for begin, end in here["ranges"] if begin < sought)
        assert before < sought * 0.75, (sought, here["ranges"])


@contextlib.contextmanager
def filing(folder, library=None, settings=(), **how):
    """A film that comes to a library: (what comes, the library's folder, the server, the download)."""
    content, library = folder / "A.Film.2001.720p.mkv", library or folder / "library"
    shutil.copy(film_of(10), content)
    library.mkdir(exist_ok=True)
    with Swarm(content, [Seed(20e6)], piece_bytes=64 << 10) as swarm, \
            Server(library, settings={**ALONE, **dict(settings)}, **how) as server:
        yield content, library, server, add(server, swarm.magnet)


def test_what_came_whole_is_in_the_library(folder):
    """Under its title, with the id it had; who was watching goes on."""
    with filing(folder) as (content, library, server, download):
        file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        arriving = Arriving(server, file)
        uri, playlist = arriving.rendition("video-copy")
        before = arriving.segment(uri, playlist, 0)
        wait(server, download, is_complete)
        deadline = time.monotonic() + 20 * SLOW
        while not (titles := server.library()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (titles[0]["title"], titles[0]["year"]) == ("A Film", 2001)
        assert [f["id"] for f in titles[0]["files"]] == [file]
        placed = library / "A Film (2001)" / content.name
        assert placed.read_bytes() == content.read_bytes()
        assert [p.name for p in library.rglob("*")] == ["A Film (2001)", content.name]
        assert arriving.segment(uri, playlist, 0) == before
        last = len(playlist.segments) - 1
        assert len(arriving.segment(uri, playlist, last)) > 1000
        assert server.ask("DELETE", f"/api/v1/downloads/{download}").status == 204
        assert placed.exists()
        again = Arriving(server, file)
        assert again.segment(*again.rendition("video-copy"), 0) == before


@pytest.fixture
def other_disk():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-other-", dir="/dev/shm"))
    yield made
    shutil.rmtree(made)


def is_placed(library, content):
    return sorted(library.rglob("*")) == [library / "A Film (2001)",
                                          library / "A Film (2001)" / content.name]


@pytest.mark.parametrize("kind", ["disk", "share"])
def test_a_library_elsewhere_gets_a_copy(folder, other_disk, kind):
    """No second link can lead there; a share has no RENAME_NOREPLACE either."""
    library = other_disk if kind == "disk" else folder / "library"
    assert kind == "share" or os.stat(library).st_dev != os.stat(folder).st_dev
    environment = fake_disk(share=folder / "full") if kind == "share" else None
    with filing(folder, library, environment=environment) as (content, _, server, download):
        file = wait(server, download, is_complete)["files"][0]["file"]
        until(server.library)
        placed = library / "A Film (2001)" / content.name
        assert placed.read_bytes() == content.read_bytes() and placed.stat().st_nlink == 1
        assert is_placed(library, content)
        assert [f["id"] for f in server.library()[0]["files"]] == [file]
        assert "reason" not in look(server, download)


def walk(server):
    assert server.ask("POST", "/api/v1/library/scan").status == 202
    until(lambda: not server.get("/api/v1/library/scan").json["running"])


def test_a_library_without_room_says_so_and_is_asked_again(folder):
    """The film stays where it came, and is put there once there is room."""
    full = folder / "full"
    full.touch()
    with filing(folder, settings={"library.rescan_s": 3600}, environment=fake_disk(share=full)) \
            as (content, library, server, download):
        told = wait(server, download, lambda d: is_complete(d) and d.get("reason"))
        assert told["reason"].startswith("it is not in the library: "), told
        assert not list(library.iterdir())
        assert server.get(f"/api/v1/files/{told['files'][0]['file']}/raw").body == content.read_bytes()
        walk(server)
        assert look(server, download)["reason"] == told["reason"] and not list(library.iterdir())
        full.unlink()
        until(lambda: walk(server) or is_placed(library, content))
        until(server.library)
        until(lambda: "reason" not in look(server, download))


@pytest.mark.parametrize("kill", [True, False])
def test_a_copy_that_was_broken_off_is_made_anew(folder, kill):
    share = {"share": folder / "full"}
    with filing(folder, environment=fake_disk(share_ms=1000, **share)) as (content, library, server, download):
        wait(server, download, is_complete)
        until(lambda: [p for p in library.rglob(".matinee-*") if p.stat().st_size > 0])
        began = time.monotonic()
        server.stop(kill=kill)
        assert time.monotonic() - began < 5 * SLOW
        assert not list(library.glob("*/A.Film*")) and (kill or not list(library.iterdir()))
        server.environment = fake_disk(**share)
        server.start()
        until(server.library)
        assert is_placed(library, content)
        assert (library / "A Film (2001)" / content.name).read_bytes() == content.read_bytes()


def trash_of(library):
    return sorted((library / ".trash").iterdir()) if (library / ".trash").exists() else []


def test_what_is_removed_with_its_files_lies_in_the_trash_for_a_week(folder):
    with filing(folder) as (content, library, server, download):
        wait(server, download, is_complete)
        assert server.ask("DELETE", f"/api/v1/downloads/{download}?files=perhaps").status == 400
        # Before the library has it, it is told to ask again: nothing stays behind unseen.
        until(lambda: remove(server, download) == 204)
        assert server.library() == []
        assert server.get("/api/v1/downloads").json["items"] == []
        [thrown] = trash_of(library)
        assert thrown.read_bytes() == content.read_bytes() and thrown.name.endswith(content.name)
        assert sorted(p.name for p in library.iterdir()) == [".trash"], "its folder is left"
        # Those of a week ago go, younger ones and what is not ours stay.
        today = datetime.datetime.now(datetime.timezone.utc).date()
        days = [str(today - datetime.timedelta(days=days)) for days in (6, 9)]
        young, old = (thrown.with_name(day + thrown.name[10:]) for day in days)
        others = [thrown.with_name(name) for name in ("2020-01-01", "2020-01-01 holiday.mkv", "a film.mkv")]
        for path in (young, *others):
            path.write_text("stays")
        thrown.rename(old)
        assert server.ask("POST", "/api/v1/library/scan").status == 202
        until(lambda: trash_of(library) == sorted([young, *others]))


def remove(server, download):
    status = server.ask("DELETE", f"/api/v1/downloads/{download}?files=true").status
    assert status in (204, 409)
    return status


def test_what_cannot_be_thrown_away_keeps_its_download(folder):
    (folder / "library").mkdir()
    (folder / "library" / ".trash").write_text("no folder")
    with filing(folder) as (_, _, server, download):
        wait(server, download, is_complete)
        until(server.library)
        until(lambda: not server.get("/api/v1/library/scan").json["running"])
        answer = server.ask("DELETE", f"/api/v1/downloads/{download}?files=true")
        assert answer.status == 500 and ".trash" in answer.json["detail"], answer.body
        assert look(server, download)["state"] == "complete"
        assert len(server.library()) == 1


@pytest.mark.parametrize("moment", ["at once", "described", "under way", "watched", "complete"])
def test_what_is_removed_leaves_nothing(folder, moment):
    content = film_of(10)
    with Swarm(content, [Seed(20e6)], piece_bytes=64 << 10) as swarm, server_of() as server:
        download = add(server, swarm.magnet)
        if moment != "at once":
            file = wait(server, download, lambda d: d["files"])["files"][0]["file"]
        if moment == "under way":
            wait(server, download, lambda d: d["progress"] > 0.2)
        if moment == "watched":
            segments_of(server, file, "audio-1-copy")
        if moment == "complete":
            wait(server, download, is_complete)
        assert server.ask("DELETE", f"/api/v1/downloads/{download}").status == 204
        assert server.get(f"/api/v1/downloads/{download}").status == 404
        deadline = time.monotonic() + 10 * SLOW
        while left_behind(server):
            assert time.monotonic() < deadline, left_behind(server)
            time.sleep(0.05)
        if moment != "at once":
            assert server.get(f"/api/v1/files/{file}/raw").status in (404, 410)
        assert server.get("/api/v1/downloads").json["items"] == []
        again = add(server, swarm.magnet)
        wait(server, again, is_complete)


def test_a_tracker_brings_peers_and_its_words_are_told(folder):
    content = noise(folder / "noise.mkv", 2 << 20)
    with Tracker(failure="unknown passkey") as tracker:
        with Swarm(content, [Seed()], piece_bytes=64 << 10, trackers=[tracker.url]) as swarm, \
                server_of() as server:
            made = server.ask("POST", "/api/v1/downloads", swarm.torrent,
                              {"Content-Type": "application/x-bittorrent"}).json
            told = wait(server, made["id"], lambda d: d.get("reason"), 40)
            assert "unknown passkey" in told["reason"]
            assert tracker.announces


@pytest.mark.parametrize("field", ["torrent_url", "url"])
def test_a_torrent_by_its_url(folder, field):
    content = noise(folder / "noise.mkv", 1 << 20)
    with Swarm(content, [Seed()], piece_bytes=64 << 10) as swarm:
        (folder / "a.torrent").write_bytes(swarm.torrent)
        (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
        (folder / "long.torrent").write_bytes(b"d" + bytes(11 << 20))
        with Origin({name: folder / name for name in ("a.torrent", "film.mp4", "long.torrent")}) \
                as origin, server_of(**{"fetch.allow": origin.host}) as server:
            def post(name):
                return server.ask("POST", "/api/v1/downloads", {field: origin.url(name)})
            made = post("a.torrent")
            assert made.status == 201 and made.json["hash"] == swarm.infohash
            assert post("a.torrent").status == 200
            wrong = [("long.torrent", 422, "larger than"), ("nosuch", 502, "status 404")]
            if field == "torrent_url":
                wrong.append(("film.mp4", 422, "no .torrent"))
            for name, status, words in wrong:
                answer = post(name)
                assert answer.status == status and words in answer.json["detail"], answer.body
                assert answer.json["field"] == field
