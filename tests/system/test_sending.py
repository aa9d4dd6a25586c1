# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire for playlists and segments: codes, headers, ranges, holds."""

import gzip
import os
import pathlib
import re
import shutil
import socket
import tempfile
import time

import pytest

import films
import hls
from server import SLOW, Server


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    for name in ("plain.mkv", "plain.mp4"):
        os.symlink(films.make(name), folder / name)
    with Server(folder, settings={"hls.hold_ms": 1500 * SLOW, "hls.heartbeat_ms": 200}) as s:
        s.known = s.files()
        yield s
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def film(server):
    return server.known["plain.mkv"][0]


def uri_of(server, film, rendition, client="mse"):
    master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client={client}").text)
    uris = [v.uri for v in master.variants] + [m["URI"] for m in master.media]
    return f"/hls/{film}/" + next(u for u in uris if u.startswith(rendition + "/"))


def media_of(server, film, rendition, client="mse"):
    path = uri_of(server, film, rendition, client)
    playlist = hls.MediaPlaylist(server.get(path).text)
    base = path.rsplit("/", 1)[0] + "/"
    return playlist, base


def test_playlists_are_compressed_tagged_and_never_change(server, film):
    path = f"/hls/{film}/master.m3u8?client=mse&p=" + "p" * 60
    plain = server.get(path)
    assert plain.header("content-type") == "application/vnd.apple.mpegurl"
    assert plain.header("cache-control") == "private, no-cache"
    etag = plain.header("etag")
    assert etag and not etag.startswith("W/")
    packed = server.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.header("content-encoding") == "gzip"
    assert "accept-encoding" in packed.header("vary", "").lower()
    assert gzip.decompress(packed.body).startswith(b"#EXTM3U\n")
    assert server.get(path, headers={"If-None-Match": etag}).status == 304
    assert server.get(path).body == plain.body


def test_every_uri_carries_its_version_and_the_client(server, film):
    for client in ("mse", "native"):
        master = hls.MasterPlaylist(
            server.get(f"/hls/{film}/master.m3u8?client={client}").text)
        for uri in [v.uri for v in master.variants] + [m["URI"] for m in master.media]:
            assert re.search(r"[?&]v=[0-9a-f]{8}(&|$)", uri), uri
            assert f"client={client}" in uri
            playlist = hls.MediaPlaylist(server.get(f"/hls/{film}/{uri}").text)
            for inner in [playlist.map, *[s.uri for s in playlist.segments]]:
                assert re.search(r"[?&]v=[0-9a-f]{8}(&|$)", inner), inner
                assert f"client={client}" in inner


def test_native_players_get_two_variants_and_a_patient_target(server, film):
    master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client=native").text)
    assert len(master.variants) >= 2
    playlist, _ = media_of(server, film, "video-copy", "native")
    assert playlist.target >= 10


def test_one_target_duration_for_video_and_audio(server, film):
    master = hls.MasterPlaylist(server.get(f"/hls/{film}/master.m3u8?client=mse").text)
    targets = {hls.MediaPlaylist(server.get(f"/hls/{film}/{uri}").text).target
               for uri in [v.uri for v in master.variants] +
               [m["URI"] for m in master.media if m["TYPE"] == "AUDIO"]}
    assert len(targets) == 1


def test_a_finished_segment_has_length_tag_and_ranges(server, film):
    for rendition in ("video-copy", "audio-1-copy"):
        playlist, base = media_of(server, film, rendition)
        path = base + playlist.segments[1].uri
        server.get(path)
        whole = server.get(path)
        assert whole.status == 200
        assert int(whole.header("content-length")) == len(whole.body)
        assert whole.header("cache-control") == "private, max-age=86400, immutable"
        assert whole.header("content-type") in ("video/mp4", "audio/mp4")
        assert whole.header("x-content-type-options") == "nosniff"
        etag = whole.header("etag")
        assert etag
        middle = server.get(path, headers={"Range": "bytes=100-1099"})
        assert middle.status == 206
        assert middle.header("content-range") == f"bytes 100-1099/{len(whole.body)}"
        assert middle.body == whole.body[100:1100]
        last = server.get(path, headers={"Range": "bytes=-7"})
        assert last.status == 206 and last.body == whole.body[-7:]
        beyond = server.get(path, headers={"Range": f"bytes={len(whole.body)}-"})
        assert beyond.status == 416
        assert beyond.header("content-range") == f"bytes */{len(whole.body)}"
        assert server.get(path, headers={"If-None-Match": etag}).status == 304
        other = server.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
        assert other.status == 200 and other.body == whole.body
        head = server.ask("HEAD", path)
        assert head.status == 200 and head.body == b""
        assert head.header("content-length") == str(len(whole.body))


def test_an_unfinished_segment_is_chunked_and_not_stored(server, film):
    playlist, base = media_of(server, film, "video-360p")
    path = base + playlist.segments[-1].uri
    head = server.ask("HEAD", path)
    assert head.status == 200 and head.header("content-length") is None
    first = server.get(path, headers={"Range": "bytes=0-9"})
    assert first.status == 200, "Range on what is not whole is not answered in part (RFC 9110 14.2)"
    assert first.header("transfer-encoding") == "chunked"
    assert first.header("etag") is None and first.header("cache-control") == "no-store"
    assert float(first.header("x-hold-ms")) >= 0
    hls.parse_segment(first.body)


def test_the_init_segment_is_whole_at_once(server, film):
    playlist, base = media_of(server, film, "video-360p")
    answer = server.get(base + playlist.map)
    assert answer.status == 200 and answer.header("etag")
    hls.Init(answer.body)


@pytest.mark.parametrize("path,status", [
    ("/hls/NOSUCHFILE/master.m3u8", 404),
    ("/hls/{film}/video-9999p/index.m3u8", 404),
    ("/hls/{film}/video-copy/9999.m4s", 404),
    ("/hls/{film}/video-copy/-1.m4s", 404),
    ("/hls/{film}/video-copy/x.m4s", 404),
    ("/hls/{film}/video-copy/1x.m4s", 404),
    ("/hls/{film}/video-copy/18446744073709551617.m4s", 404),
    ("/hls/{film}/video-copy/0.m4s?v=00000000", 410),
    ("/hls/{film}/video-copy/%2e%2e/secret", 404),
    ("/hls/{film}/../../etc/passwd", 404),
    ("/api/v1/files/NOSUCHFILE", 404),
    ("/api/v1/files/NOSUCHFILE/raw", 404),
])
def test_what_does_not_exist_says_so(server, film, path, status):
    answer = server.get(path.format(film=film))
    assert answer.status == status, answer.body
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("cache-control") == "no-store"
    assert answer.json["status"] == status and answer.json["detail"]


def test_a_segment_without_a_version_is_current_and_not_stored(server, film):
    answer = server.get(f"/hls/{film}/video-copy/0.m4s")
    assert answer.status == 200 and answer.header("cache-control") == "no-store"


def test_the_original_is_there_in_ranges(server, film):
    source = films.make("plain.mkv").read_bytes()
    path = f"/api/v1/files/{film}/raw"
    assert server.get(path).body == source
    part = server.get(path, headers={"Range": "bytes=1000-70000"})
    assert part.status == 206 and part.body == source[1000:70001]
    head = server.ask("HEAD", path)
    assert head.header("content-length") == str(len(source))
    assert head.header("accept-ranges") == "bytes"
    assert "sandbox" in head.header("content-security-policy", "")


def read_some(port, request, wait_s):
    """The bytes that have arrived after wait_s."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as s:
        s.sendall(request)
        got = b""
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            s.settimeout(max(0.01, end - time.monotonic()))
            try:
                step = s.recv(65536)
            except socket.timeout:
                break
            if not step:
                break
            got += step
        return got


def test_a_client_that_leaves_while_held_harms_nobody(server, film):
    playlist, base = media_of(server, film, "video-360p")
    for n in range(3):
        request = f"GET {base}{playlist.segments[n].uri} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.sendall(request.encode())
    assert server.get("/healthz").status == 200
    assert server.get(base + playlist.segments[0].uri).status == 200


def test_trickling_and_oversized_requests_end_cleanly(server):
    long = server.get("/" + "a" * 8000)
    assert long.status in (200, 404, 414)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
        s.sendall(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        try:
            answer = s.recv(65536)
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or re.match(rb"HTTP/1\.1 (400|404|413|414|431)", answer), answer[:100]
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as s:
        for c in b"GET /healthz HTTP/1.1\r\n":
            s.sendall(bytes([c]))
        s.sendall(b"Host: 127.0.0.1\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 200")


def test_strangers_are_turned_away(server, film):
    assert server.get("/healthz", headers={"Host": "evil.example"}).status == 421
    assert server.get(f"/hls/{film}/master.m3u8",
                      headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert server.ask("POST", "/api/v1/playback", {"file": film},
                      headers={"Origin": "http://evil.example"}).status == 403
    assert server.get("/api/v1/status", headers={"X-Forwarded-For": "1.2.3.4"}).status == 421
