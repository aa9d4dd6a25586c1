# SPDX-License-Identifier: GPL-3.0-or-later
"""A film of another server, opened by its URL: watched while it comes, whatever its server does."""

import http.client
import os
import pathlib
import shutil
import tempfile
import time

import pytest

import films
from downloading import Arriving, film_of, read_randomly, segments_of
from origin import Origin
from server import SLOW, Server
from test_openapi import check_schema


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="matinee-links-"))
    yield made
    shutil.rmtree(made)


def server_of(*origins, data=None, **settings):
    allowed = ",".join(o.host for o in origins)
    return Server(None, settings={"fetch.allow": allowed, **settings}, data=data)


def open_link(server, url, status=201):
    answer = server.ask("POST", "/api/v1/links", {"url": url})
    assert answer.status == status, answer.body
    if status < 300:
        check_schema("Link", answer.json)
    return answer.json


def links(server):
    answer = server.get("/api/v1/links")
    assert answer.status == 200, answer.body
    check_schema("LinkPage", answer.json)
    return answer.json["items"]


def raw(server, link, text=None):
    headers = {"Range": f"bytes={text}"} if text else {}
    return server.ask("GET", f"/api/v1/files/{link['file']}/raw", headers=headers)


def reason_of_break(server, link, text):
    """Why the bytes do not come: they break off, and its link says the reason."""
    with pytest.raises(http.client.IncompleteRead):
        raw(server, link, text)
    return links(server)[0]["reason"]


def wanted_segments(film, folder):
    os.symlink(film, folder / "Arriving (2001).mkv")
    with Server(folder) as whole:
        return segments_of(whole, whole.files()["Arriving (2001).mkv"][0], "video-copy")


def test_a_link_plays_while_it_comes(folder):
    film = film_of()
    want = wanted_segments(film, folder)
    with Origin({"Some Film.mkv": film}, bits_per_s=20e6) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("Some Film.mkv"))
        assert link["name"] == "Some Film.mkv" and link["content_type"] == "video/x-matroska"
        assert link["content_length"] == film.stat().st_size and link["supports_range"]
        assert server.get(f"/api/v1/files/{link['file']}").json["name"] == "Some Film.mkv"
        arriving = Arriving(server, link["file"])
        uri, playlist = arriving.rendition("video-copy")
        last = len(playlist.segments) - 1
        assert arriving.segment(uri, playlist, last) == want[last]
        assert arriving.segment(uri, playlist, 0) == want[0]
        here = server.get(f"/api/v1/files/{link['file']}/availability").json
        assert not here["complete"] and len(here["ranges"]) > 1, here
        assert [arriving.segment(uri, playlist, s.n) for s in playlist.segments] == want
        rungs = [u for u in arriving.uris if u.startswith("video-") and "copy" not in u]
        low_uri, low = arriving.rendition(rungs[-1].split("/")[0])
        assert len(arriving.segment(low_uri, low, 1)) > 1000


def test_the_same_link_is_one_and_the_latest(folder):
    film = film_of(10)
    with Origin({"a.mkv": film, "b.mkv": film}) as origin, server_of(origin) as server:
        first = open_link(server, origin.url("a.mkv"))
        second = open_link(server, origin.url("b.mkv"))
        assert [link["id"] for link in links(server)] == [second["id"], first["id"]]
        again = open_link(server, origin.url("a.mkv"), status=200)
        assert (again["id"], again["file"]) == (first["id"], first["file"])
        assert [link["id"] for link in links(server)] == [first["id"], second["id"]]


def test_a_link_outlives_the_server(folder):
    film = film_of(10)
    data = folder / "data"
    with Origin({"a.mkv": film}) as origin:
        with server_of(origin, data=str(data)) as server:
            link = open_link(server, origin.url("a.mkv"))
            assert raw(server, link).body == film.read_bytes()
        with server_of(origin, data=str(data)) as server:
            assert [l["id"] for l in links(server)] == [link["id"]]
            assert len(Arriving(server, link["file"]).uris) > 1
            assert raw(server, link, "1000-1999").body == film.read_bytes()[1000:2000]
        assert not list((data / "remote").iterdir())


def test_a_link_that_is_removed_leaves_nothing(folder):
    film = film_of()
    with Origin({"a.mkv": film}, bits_per_s=4e6) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("a.mkv"))
        arriving = Arriving(server, link["file"])
        arriving.segment(*arriving.rendition("video-copy"), 0)
        assert server.ask("DELETE", f"/api/v1/links/{link['id']}").status == 204
        assert links(server) == []
        assert server.ask("DELETE", f"/api/v1/links/{link['id']}").status == 404
        assert server.get(f"/api/v1/files/{link['file']}").status == 404
        assert server.get(f"{arriving.base}master.m3u8").status in (404, 410, 502)
        deadline = time.monotonic() + 10 * SLOW
        while origin.busy:
            assert time.monotonic() < deadline, "its server is still asked"
            time.sleep(0.05)


def test_only_what_is_read_is_asked_for():
    """Ends and what is sought, not what lies between."""
    size = 300 << 20
    with tempfile.NamedTemporaryFile(prefix="matinee-links-") as file:
        file.truncate(size)
        os.pwrite(file.fileno(), b"here", size // 2)
        with Origin({"big.mkv": file.name}, bits_per_s=80e6) as origin, \
                server_of(origin) as server:
            link = open_link(server, origin.url("big.mkv"))
            assert raw(server, link, f"{size // 2}-{size // 2 + 3}").body == b"here"
            assert origin.sent < 20 << 20, f"{origin.sent} bytes for 4"


def test_every_byte_is_that_of_the_original():
    film = film_of()
    content = film.read_bytes()
    with Origin({"a.mkv": film}, bits_per_s=100e6) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("a.mkv"))
        read_randomly(server, link["file"], content, 40, 3)
        assert raw(server, link).body == content


@pytest.mark.parametrize("knobs", [
    {"breaks_after": 1_500_000}, {"cuts_to": 2_000_000}, {"at_once": 1},
    {"etag": None}, {"etag": None, "modified": None}, {"etag": 'W/"weak"'},
    {"ranges": False}, {"ranges": False, "says_ranges": True},
    {"ranges": False, "length": None, "breaks_after": 9_000_000},
], ids=lambda knobs: "-".join(knobs))
def test_servers_with_faults(knobs):
    """Bodies that end early, parts shorter than asked for, one request at a time, no validators, no
    parts: what comes is the film all the same."""
    film = film_of(20)
    content = film.read_bytes()
    with Origin({"a.mkv": film}, bits_per_s=200e6) as origin, server_of(origin) as server:
        origin.__dict__.update({k: v for k, v in knobs.items() if k != "breaks_after"})
        link = open_link(server, origin.url("a.mkv"))
        assert link["supports_range"] == (origin.ranges or origin.says_ranges)
        origin.breaks_after = knobs.get("breaks_after")
        if "breaks_after" in knobs and not origin.ranges:
            # From the front each time: it gets no further than that, and says so.
            words = reason_of_break(server, link, f"{len(content) - 100}-")
            assert "ended before all of it was there" in words
            return
        assert raw(server, link, f"{len(content) - 1000}-").body == content[-1000:]
        assert raw(server, link).body == content
        arriving = Arriving(server, link["file"])
        assert len(arriving.segment(*arriving.rendition("video-copy"), 2)) > 1000


def test_what_fails_for_a_while_is_asked_again():
    film = film_of(10)
    with Origin({"a.mkv": film}) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("a.mkv"))
        origin.statuses = [503, 500, 502, 429]
        assert raw(server, link).body == film.read_bytes()
        assert not origin.statuses


@pytest.mark.parametrize("status", [404, 403, 410])
def test_what_is_gone_says_so(status):
    film = film_of(10)
    with Origin({"a.mkv": film}) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("a.mkv"))
        origin.statuses = [status] * 10
        assert f"status {status}" in reason_of_break(server, link, "5000-6000")
        playback = server.ask("POST", "/api/v1/playback", {"file": link["file"]}).json
        deadline = time.monotonic() + 20 * SLOW
        while "failed" not in playback:
            assert time.monotonic() < deadline, playback
            playback = server.get(f"/api/v1/playback/{playback['id']}").json
        assert f"status {status}" in str(playback), playback
        origin.statuses = []
        assert raw(server, link, "5000-6000").body == film.read_bytes()[5000:6001]


def test_a_file_that_is_another_by_now_is_not_mixed_in(folder):
    """Its bytes are never put beside those of the old one; the link, opened again, is the new one."""
    old, new = folder / "old.mkv", folder / "new.mkv"
    old.write_bytes(os.urandom(8 << 20))
    new.write_bytes(os.urandom(8 << 20))
    with Origin({"a.mkv": old}, bits_per_s=8e6) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("a.mkv"))
        assert raw(server, link, "0-999").body == old.read_bytes()[:1000]
        origin.files["a.mkv"], origin.etag = new, '"two"'
        assert "another file" in reason_of_break(server, link, "6000000-6000999")
        again = open_link(server, origin.url("a.mkv"), status=200)
        assert again["file"] == link["file"]
        assert raw(server, link, "0-999").body == new.read_bytes()[:1000]


@pytest.mark.parametrize("knobs, status, words", [
    ({"kind": "text/html"}, 422, "no video"),
    ({"length": "chunked", "ranges": False}, 422, "how long"),
    ({"statuses": [404]}, 502, "status 404"),
    ({"redirect": "http://127.0.0.2:9999/x.mkv"}, 403, "no address of the world outside"),
    ({"redirect": "file:///etc/passwd"}, 400, "http"),
], ids=["page", "endless", "missing", "inside", "disk"])
def test_what_is_no_film_is_refused_with_words(knobs, status, words):
    with Origin({"a.mkv": film_of(10)}, **knobs) as origin, server_of(origin) as server:
        answer = open_link(server, origin.url("a.mkv"), status)
        assert words in answer["detail"] and answer["field"] == "url", answer
        assert links(server) == []


def test_what_turns_out_to_be_no_film_says_so(folder):
    """Whatever its server calls it: who waits for it hears why it will not play."""
    page = folder / "page.mp4"
    page.write_bytes(b"<!doctype html><script>alert(1)</script>" * 5000)
    with Origin({"page.mp4": page}, kind="video/mp4") as origin, server_of(origin) as server:
        link = open_link(server, origin.url("page.mp4"))
        playback = server.ask("POST", "/api/v1/playback", {"file": link["file"]}).json
        deadline = time.monotonic() + 20 * SLOW
        while "failed" not in playback:
            assert time.monotonic() < deadline, playback
            playback = server.get(f"/api/v1/playback/{playback['id']}").json
        assert len(playback["failed"]) > 10


@pytest.mark.parametrize("url, status", [
    ("", 400), ("http://127.0.0.1/a.mkv", 403), ("ftp://example.org/a.mkv", 400),
    ("nonsense", 400), ("http://user:word@example.org/a.mkv", 403)])
def test_urls_that_are_not_asked(url, status):
    with Server(None) as server:
        answer = open_link(server, url, status)
        assert answer["field"] == "url" and len(answer["detail"]) > 10


def disk_of(server):
    """Bytes that lie on the disk of files without a name, which the server alone has open."""
    total = 0
    for fd in pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            if f"{server.data}/remote/" in os.readlink(fd):
                total = max(total, os.stat(fd).st_blocks * 512)
        except OSError:
            continue
    return total


def test_what_was_watched_makes_room_for_what_is(folder):
    """A film larger than what may be kept is read through, and no more than that lies on the disk."""
    content = folder / "big.mkv"
    size = 200 << 20
    with open(content, "wb") as file:
        for n in range(size >> 20):
            file.write(n.to_bytes(4, "big") * (1 << 18))
    with Origin({"a.mkv": content}) as origin, \
            server_of(origin, **{"fetch.keep_bytes": "64MiB"}) as server:
        link = open_link(server, origin.url("a.mkv"))
        most = 0
        for n in range(0, size >> 20, 4):
            begin = n << 20
            got = raw(server, link, f"{begin}-{begin + (4 << 20) - 1}").body
            assert got[:4] == n.to_bytes(4, "big") and got[-1] == n + 3 and len(got) == 4 << 20
            most = max(most, disk_of(server))
        assert 30 << 20 < most <= 66 << 20, most
        assert raw(server, link, f"{5 << 20}-{(5 << 20) + 9}").body == ((5).to_bytes(4, "big") * 3)[:10]
        origin.ranges = False
        answer = open_link(server, origin.url("a.mkv"), 422)
        assert "fetch.keep_bytes" in answer["detail"]


def test_a_server_that_says_nothing_is_told():
    film = film_of()
    with Origin({"a.mkv": film}, bits_per_s=2e6) as origin, server_of(origin) as server:
        link = open_link(server, origin.url("a.mkv"))
        origin.statuses = [503] * 100
        connection = server.connect()
        connection.request("GET", f"/api/v1/files/{link['file']}/raw",
                           headers={"Range": "bytes=9000000-9000100"})
        deadline = time.monotonic() + 20 * SLOW
        while "reason" not in (now := links(server)[0]):
            assert time.monotonic() < deadline, now
            time.sleep(0.1)
        assert "status 503" in now["reason"]
        origin.statuses = []
        answer = connection.getresponse()
        assert answer.status == 206 and answer.read() == film.read_bytes()[9000000:9000101]
        connection.close()
