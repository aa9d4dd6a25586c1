# SPDX-License-Identifier: GPL-3.0-or-later
"""A film of another server, downloaded by its URL: played while it comes, kept, and filed when whole."""

import os
import pathlib
import shutil
import signal
import tempfile
import time

import pytest

from downloading import Arriving, film_of, read_randomly
from origin import Origin
from server import SLOW, Server
from test_openapi import check_schema

ALONE = {"torrent.listen": "127.0.0.1:0", "torrent.dht": "false"}


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-fetched-"))
    yield made
    shutil.rmtree(made)


def server_of(origin, library=None, data=None, **settings):
    return Server(library, settings={**ALONE, "fetch.allow": origin.host, **settings},
                  data=str(data) if data else None)


def add(server, url, status=201):
    answer = server.ask("POST", "/api/v1/downloads", {"url": url})
    assert answer.status == status, answer.body
    if status < 300:
        check_schema("Download", answer.json)
    return answer.json


def look(server, made):
    return server.get(f"/api/v1/downloads/{made['id']}").json


def wait(server, made, enough, wait_s=60):
    deadline = time.monotonic() + wait_s * SLOW
    while not enough(now := look(server, made)):
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
    return now


def left_behind(server):
    return [name for _, folders, names in os.walk(pathlib.Path(server.data) / "fetched")
            for name in [*folders, *names]]


def test_a_film_is_fetched_played_and_filed(folder):
    film = film_of(20)
    content = film.read_bytes()
    library = folder / "library"
    library.mkdir()
    with Origin({"A.Film.2001.720p.mkv": film}, bits_per_s=12e6) as origin, \
            server_of(origin, str(library)) as server:
        made = add(server, origin.url("A.Film.2001.720p.mkv"))
        assert made["name"] == "A.Film.2001.720p.mkv" and made["hash"] == ""
        assert add(server, origin.url("A.Film.2001.720p.mkv"), 200)["id"] == made["id"]
        file = made["files"][0]["file"]
        arriving = Arriving(server, file)
        uri, playlist = arriving.rendition("video-copy")
        last = arriving.segment(uri, playlist, len(playlist.segments) - 1)
        assert look(server, made)["progress"] < 0.9
        wait(server, made, lambda d: d["state"] == "complete")
        deadline = time.monotonic() + 20 * SLOW
        while not (titles := server.library()) or left_behind(server):
            assert time.monotonic() < deadline, (titles, left_behind(server))
            time.sleep(0.05)
        assert [f["id"] for f in titles[0]["files"]] == [file]
        placed = library / "A Film (2001)" / "A.Film.2001.720p.mkv"
        assert placed.read_bytes() == content
        assert arriving.segment(uri, playlist, len(playlist.segments) - 1) == last
        assert look(server, made)["state"] == "complete"
        assert server.ask("DELETE", f"/api/v1/downloads/{made['id']}").status == 204
        assert server.get("/api/v1/downloads").json["items"] == [] and placed.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_goes_on_where_it_was(folder, how):
    """Nothing that was written is asked for again, however the server ended."""
    film = film_of()
    content = film.read_bytes()
    with Origin({"a.mkv": film}, bits_per_s=60e6) as origin:
        with server_of(origin, data=folder) as server:
            made = add(server, origin.url("a.mkv"))
            wait(server, made, lambda d: d["progress"] > 0.4)
            before = look(server, made)["progress"]
            assert server.stop(kill=how == signal.SIGKILL) is not None
            server.start()
            assert look(server, made)["progress"] >= before - 0.1
            file = made["files"][0]["file"]
            read_randomly(server, file, content, 10, 5)
            wait(server, made, lambda d: d["state"] == "complete")
            assert server.get(f"/api/v1/files/{file}/raw").body == content
        assert origin.sent < len(content) * 1.25, f"{origin.sent} of {len(content)}"


def test_another_boot_begins_anew(folder):
    """What was written may never have reached the disk."""
    film = film_of()
    with Origin({"a.mkv": film}, bits_per_s=60e6) as origin, \
            server_of(origin, data=folder) as server:
        made = add(server, origin.url("a.mkv"))
        wait(server, made, lambda d: d["progress"] > 0.4)
        server.stop(kill=True)
        journal = folder / "fetched" / made["id"] / "pieces"
        journal.write_bytes(b"another boot".ljust(40, b"\0") + journal.read_bytes()[40:])
        origin.bits_per_s = 1e6
        server.start()
        assert look(server, made)["progress"] < 0.3
        origin.bits_per_s = None
        wait(server, made, lambda d: d["state"] == "complete", 120)
        assert server.get(f"/api/v1/files/{made['files'][0]['file']}/raw").body == film.read_bytes()


def test_it_pauses_and_goes_on(folder):
    film = film_of()
    with Origin({"a.mkv": film}, bits_per_s=30e6) as origin, \
            server_of(origin, data=folder) as server:
        made = add(server, origin.url("a.mkv"))
        path = f"/api/v1/downloads/{made['id']}"
        wait(server, made, lambda d: d["progress"] > 0.1)
        assert server.ask("PATCH", path, {"state": "paused"}).json["state"] == "paused"
        time.sleep(0.5)
        before = origin.sent
        time.sleep(1)
        assert origin.sent == before and look(server, made)["state"] == "paused"
        refused = server.ask("PATCH", path, {"files": [{"file": made["files"][0]["file"],
                                                        "wanted": False}]})
        assert refused.status == 400 and refused.json["field"] == "files"
        server.stop()
        server.start()
        assert look(server, made)["state"] == "paused"
        assert server.ask("PATCH", path, {"state": "running"}).json["state"] == "downloading"
        wait(server, made, lambda d: d["state"] == "complete")


@pytest.mark.parametrize("moment", ["at once", "under way", "watched", "complete"])
def test_what_is_removed_leaves_nothing(folder, moment):
    film = film_of(20)
    with Origin({"a.mkv": film}, bits_per_s=16e6) as origin, \
            server_of(origin, data=folder) as server:
        made = add(server, origin.url("a.mkv"))
        if moment == "under way":
            wait(server, made, lambda d: d["progress"] > 0.1)
        elif moment == "watched":
            arriving = Arriving(server, made["files"][0]["file"])
            arriving.segment(*arriving.rendition("video-copy"), 0)
        elif moment == "complete":
            wait(server, made, lambda d: d["state"] == "complete")
        assert server.ask("DELETE", f"/api/v1/downloads/{made['id']}").status == 204
        assert left_behind(server) == []
        assert server.get("/api/v1/downloads").json["items"] == []
        assert server.get(f"/api/v1/files/{made['files'][0]['file']}").status == 404
        deadline = time.monotonic() + 10 * SLOW
        while origin.busy:
            assert time.monotonic() < deadline, "its server is still asked"
            time.sleep(0.05)


def test_what_fails_says_why_and_may_try_again(folder):
    film = film_of(20)
    with Origin({"a.mkv": film}, bits_per_s=20e6) as origin, \
            server_of(origin, data=folder) as server:
        made = add(server, origin.url("a.mkv"))
        wait(server, made, lambda d: d["progress"] > 0.1)
        origin.breaks_after, origin.statuses = 1000, [404] * 100
        origin.bits_per_s = None
        path = f"/api/v1/downloads/{made['id']}"
        server.ask("PATCH", path, {"state": "paused"})
        server.ask("PATCH", path, {"state": "running"})
        now = wait(server, made, lambda d: d["state"] == "failed")
        assert "status 404" in now["reason"]
        origin.breaks_after, origin.statuses = None, []
        assert server.ask("PATCH", path, {"state": "running"}).status == 200
        wait(server, made, lambda d: d["state"] == "complete")
        assert server.get(f"/api/v1/files/{made['files'][0]['file']}/raw").body == film.read_bytes()


def test_what_is_neither_film_nor_torrent_is_refused():
    with Origin({"a.html": film_of(10)}, kind="text/html") as origin, server_of(origin) as server:
        answer = add(server, origin.url("a.html"), 422)
        assert answer["field"] == "url" and "no video" in answer["detail"]
        assert left_behind(server) == []
