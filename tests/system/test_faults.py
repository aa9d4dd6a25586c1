# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks, breaks for one, is said, and heals."""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import films
import hls
from server import SLOW, Server, parent_of


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def add(folder, name, as_name=None):
    shutil.copyfile(films.make(name), folder / (as_name or name))


def segments_of(server, film, rendition):
    master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client=mse").text)
    uri = next(u for u in [v.uri for v in master.variants] + [m["URI"] for m in master.media]
               if u.startswith(rendition))
    base = f"/hls/{film}/{uri.rsplit('/', 1)[0]}/"
    return [base + s.uri for s in hls.MediaPlaylist(server.get(f"/hls/{film}/{uri}").text).segments]


def fetch(server, path, tries=40):
    for _ in range(tries):
        answer = server.get(path)
        if answer.status != 503:
            return answer
        time.sleep(0.25)
    return answer


def test_a_killed_media_process_is_replaced_and_nobody_else_notices(folder):
    add(folder, "plain.mkv", "One (2001).mkv")
    add(folder, "plain.mp4", "Two (2002).mp4")
    with Server(folder) as server:
        files = server.files()
        one, two = files["One (2001).mkv"][0], files["Two (2002).mp4"][0]
        paths = segments_of(server, one, "video-360p")
        other = segments_of(server, two, "video-copy")
        statuses = []

        def watch(path):
            try:
                statuses.append(fetch(server, path).status)
            except (http.client.IncompleteRead, ConnectionError):
                statuses.append("broken")  # never a short body that ends cleanly


        for path in paths:
            thread = threading.Thread(target=watch, args=(path,))
            thread.start()
            time.sleep(0.05)
            for pid in server.film_pids()[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            thread.join()
            assert fetch(server, other[0]).status == 200
        assert set(statuses) <= {200, 502, "broken"}
        assert server.get("/healthz").status == 200
        hls.parse_segment(fetch(server, other[1]).body)


def health(server):
    answer = server.get("/healthz")
    assert answer.status == (200 if answer.json["ok"] else 503)
    return {c["name"]: c["ok"] for c in answer.json["checks"]}


def until_media_is(server, ok):
    deadline = time.monotonic() + 10 * SLOW
    while health(server)["media"] != ok:
        assert time.monotonic() < deadline, server.get("/healthz").json
        time.sleep(0.02)


def test_a_zygote_that_hangs_or_dies_is_said_and_started_again(folder):
    """Decision 19: three starts a minute, and /healthz says when there is none."""
    add(folder, "plain.mkv")
    with Server(folder) as server:
        path = segments_of(server, server.files()["plain.mkv"][0], "video-copy")[0]
        assert health(server) == {"loops": True, "media": True, "store": True}

        def zygote():
            [pid] = [p for p, words in server.pids().items()
                     if words == "matinee-media\0zygote\0" and parent_of(p) == server.process.pid]
            return pid

        first = zygote()
        os.kill(first, signal.SIGSTOP)
        assert health(server) == {"loops": True, "media": False, "store": True}
        os.kill(first, signal.SIGCONT)
        until_media_is(server, True)
        os.kill(first, signal.SIGKILL)
        until_media_is(server, True)
        assert zygote() != first
        assert fetch(server, path).status == 200
        os.kill(zygote(), signal.SIGKILL)
        until_media_is(server, True)
        os.kill(zygote(), signal.SIGKILL)  # the third start, the server's own counted
        until_media_is(server, False)
        time.sleep(0.5)
        assert health(server) == {"loops": True, "media": False, "store": True}
        assert server.get("/api/v1/library").status == 200, "all else goes on"


def test_a_server_that_is_killed_leaves_nothing_running_and_starts_again(folder):
    add(folder, "plain.mkv")
    data = tempfile.mkdtemp(prefix="matinee-data-")
    try:
        server = Server(folder, data=data).start()
        film = server.files()["plain.mkv"][0]
        path = segments_of(server, film, "video-360p")[2]
        threading.Thread(target=lambda: socket.create_connection(("127.0.0.1", server.port)).sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()), daemon=True).start()
        time.sleep(0.1)
        left = server.pids()
        server.stop(kill=True)
        deadline = time.monotonic() + 5 * SLOW
        while any(pathlib.Path(f"/proc/{p}").exists() for p in left):
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        with Server(folder, data=data) as again:
            assert again.files()["plain.mkv"][0] == film, "the id lives on"
            assert fetch(again, segments_of(again, film, "video-360p")[2]).status == 200
    finally:
        shutil.rmtree(data, ignore_errors=True)


def test_a_file_that_is_deleted_while_it_plays_is_gone_and_said(folder):
    add(folder, "plain.mkv")
    add(folder, "plain.mp4")
    with Server(folder) as server:
        film = server.files()["plain.mkv"][0]
        paths = segments_of(server, film, "video-copy")
        assert fetch(server, paths[0]).status == 200
        (folder / "plain.mkv").unlink()
        deadline = time.monotonic() + 20 * SLOW
        while "plain.mkv" in server.files():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert server.get(paths[-1]).status in (404, 410)


def test_a_file_that_is_replaced_while_it_plays_is_never_mixed(folder):
    add(folder, "plain.mkv", "film.mkv")
    with Server(folder) as server:
        film = server.files()["film.mkv"][0]
        paths = segments_of(server, film, "video-copy")
        assert fetch(server, paths[0]).status == 200
        shutil.copyfile(films.make("opus.mkv"), folder / ".new.mkv")
        os.rename(folder / ".new.mkv", folder / "film.mkv")
        deadline = time.monotonic() + 20 * SLOW
        while True:
            status = server.get(paths[1]).status
            assert status in (200, 404, 410, 503)
            if status in (404, 410):
                break
            assert time.monotonic() < deadline, "the old version is served for ever"
            time.sleep(0.1)
        now = server.files()["film.mkv"][0]
        assert fetch(server, segments_of(server, now, "video-copy")[0]).status == 200


def make_bad_files(folder):
    plain = films.make("plain.mkv").read_bytes()
    mp4 = films.make("plain.mp4").read_bytes()
    bad = {
        "empty.mkv": b"",
        "garbage.mkv": os.urandom(300_000),
        "garbage.mp4": os.urandom(300_000),
        "text.mkv": b"This is not a film.\n" * 500,
        "no moov.mp4": mp4[:mp4.rindex(b"moov") - 4],
        "playlist.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/etc/passwd\n",
        "concat.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "cut head.mkv": plain[:200],
        b"bytes \xff\xfe.mkv".decode("utf-8", "surrogateescape"): b"x",
        'quo"te\nnewline.mkv': b"y",
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    return bad


def test_bad_files_are_listed_with_the_reason_and_good_ones_play(folder):
    bad = make_bad_files(folder)
    plain = films.make("plain.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(plain[:len(plain) * 6 // 10])
    add(folder, "plain.mkv", "good .. film (1999).mkv")
    os.mkfifo(folder / "pipe.mkv")
    with Server(folder) as server:
        titles = server.library()
        files = {f["name"]: (f, t) for t in titles for f in t["files"]}
        for name in bad:
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            file, title = files[shown]
            assert file["state"] == "unreadable", (name, file)
            assert len(title.get("reason") or file.get("reason")) > 8
        cut, _ = files["cut.mkv"]
        assert cut["state"] == "ready"
        for path in segments_of(server, cut["id"], "video-360p")[:3]:
            hls.parse_segment(fetch(server, path).body)
        good = files["good .. film (1999).mkv"][0]
        assert fetch(server, segments_of(server, good["id"], "video-copy")[0]).status == 200
        assert server.get("/healthz").status == 200


def test_many_idle_connections_harm_nobody(folder):
    add(folder, "plain.mkv")
    with Server(folder) as server:
        server.files()
        held = []
        try:
            for _ in range(2000):
                held.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        except OSError:
            pass
        assert len(held) > 500
        assert server.get("/healthz").status == 200
        for s in held:
            s.close()
        assert server.get("/healthz").status == 200


def test_a_response_that_is_never_read_does_not_stop_the_others(folder):
    add(folder, "plain.mkv")
    with Server(folder) as server:
        film = server.files()["plain.mkv"][0]
        stuck = []
        for _ in range(8):
            s = socket.create_connection(("127.0.0.1", server.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(f"GET /api/v1/files/{film}/raw HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            stuck.append(s)
        began = time.monotonic()
        assert len(server.get(f"/api/v1/files/{film}/raw").body) > 100_000
        assert time.monotonic() - began < 5 * SLOW
        for s in stuck:
            s.close()


@pytest.mark.parametrize("flags,words", [
    (["--listen", "nonsense"], "listen"),
    (["--auth", "none", "--listen", "0.0.0.0:0"], "loopback"),
    (["--set", "hls.nothing=1"], "hls.nothing"),
    (["--set", "hls.ahead_s=much"], "hls.ahead_s"),
    (["--config", "/no/such/file.yaml"], "/no/such/file.yaml"),
    (["--unknown"], "--unknown"),
])
def test_a_wrong_setting_is_named_and_nothing_starts(flags, words, tmp_path):
    from server import BIN
    done = subprocess.run([BIN, "serve", "--data", str(tmp_path), "--listen", "127.0.0.1:0", *flags],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30 * SLOW,
                          check=False)
    assert done.returncode != 0
    assert words in done.stderr.decode()
    assert b"listening" not in done.stdout
