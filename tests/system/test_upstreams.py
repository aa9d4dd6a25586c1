# SPDX-License-Identifier: GPL-3.0-or-later
"""/stream and /api/validate of servers that behave badly: a clear answer, and no memory for them."""

import concurrent.futures
import gzip
import os
import pathlib
import re
import socket
import socketserver
import threading
import time

import pytest

from outside import path_of
from server import SLOW, Server

FILM = bytes(i * 7 % 251 for i in range(1000))
PATIENCE_S = 60 * SLOW
GROWTH_BYTES = 32 << 20
BOMB = gzip.compress(bytes(64 << 20), 9)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
PART = b"HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\n"


class Upstream(socketserver.StreamRequestHandler):
    """Says what its path says, to the byte; `left` names those whom the other side left."""

    left = []
    asked = []

    def handle(self):
        while (line := self.rfile.readline()) and self.answer(line):
            pass

    def answer(self, line):
        """True: the connection stays."""
        path = line.split()[1].decode().strip("/")
        ranges = None
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            found = re.fullmatch(rb"Range: bytes=(\d+)-(\d+)\r\n", line)
            ranges = found.groups() if found else ranges
        self.asked.append(path)
        try:
            return getattr(self, "say_" + path.replace("-", "_"))(ranges)
        except OSError:
            self.left.append(path)
        return False

    def say(self, data):
        self.request.sendall(data)

    def forever(self, data, pause_s=0.0):
        while True:
            self.say(data)
            time.sleep(pause_s)

    def until_left(self):
        self.request.recv(1)
        raise ConnectionError

    def say_to_itself_closing(self, _):
        self.say(b"HTTP/1.1 302 Found\r\nLocation: /to-itself-closing\r\nContent-Length: 0\r\n\r\n")

    def say_endless_trailer(self, _):
        self.say(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
        self.forever(b"X-Filler: " + b"a" * 1000 + b"\r\n")

    def say_other_part(self, _):
        self.part(b"bytes 500-599/1000")

    def say_part_past_its_end(self, _):
        self.part(b"bytes 100-199/50")

    def say_part_of_other_length(self, _):
        self.part(b"bytes 100-149/1000")

    def say_part_backwards(self, _):
        self.part(b"bytes 199-100/1000")

    def say_film(self, _):
        self.say(OK + b"Content-Length: 1000\r\nConnection: close\r\n\r\n" + FILM)

    def say_drip(self, _):
        self.say(OK + b"Content-Length: 1000000\r\n\r\n")
        self.forever(b"x", 0.1)

    def say_endless_head(self, _):
        self.say(OK)
        self.forever(b"X-Filler: " + b"a" * 1000 + b"\r\n")

    def say_endless_line(self, _):
        self.say(OK + b"X-Filler: ")
        self.forever(b"a" * 1000)

    def say_endless_interim(self, _):
        self.forever(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")

    def say_large_head(self, _):
        lines = b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(1000))
        self.say(OK + lines + b"Content-Length: 1000\r\n\r\n" + FILM)

    def say_bomb(self, _):
        self.say(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB)

    def say_coded_bomb(self, _):
        self.say(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(BOMB) + BOMB
                 + b"\r\n0\r\n\r\n")

    def say_more_than_said(self, _):
        self.say(OK + b"Content-Length: 10\r\n\r\n" + FILM)

    def say_less_than_said(self, _):
        self.say(OK + b"Content-Length: 2000\r\n\r\n" + FILM)

    def say_negative_length(self, _):
        self.say(OK + b"Content-Length: -1\r\n\r\n" + FILM)

    def say_huge_length(self, _):
        self.say(OK + b"Content-Length: 9223372036854775807\r\n\r\n" + FILM)

    def say_length_that_wraps(self, _):
        self.say(OK + b"Content-Length: 18446744073709551626\r\n\r\n" + FILM)

    def say_bad_chunks(self, _):
        self.say(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + FILM)

    def say_huge_chunk(self, _):
        self.say(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n" + FILM)

    def say_no_http(self, _):
        self.say(b"220 mail.test ESMTP\r\n")
        self.until_left()

    def say_nothing(self, _):
        pass

    def say_never_ending(self, _):
        self.say(OK + b"\r\n")
        self.forever(bytes(65536))

    def say_without_ranges(self, _):
        self.say_film(None)

    def say_another_etag(self, ranges):
        first, last = (int(n) for n in ranges)
        self.say(PART + b'ETag: "%d"\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/1000\r\n\r\n'
                 % (len(self.asked), last - first + 1, first, last) + FILM[first:last + 1])

    def say_to_itself(self, _):
        self.say(b"HTTP/1.1 302 Found\r\nLocation: /to-itself\r\nConnection: close\r\n\r\n")

    def say_to_itself_by_one(self, _):
        self.say(b"HTTP/1.1 301 Moved\r\nLocation: /to-itself-by-one\r\nContent-Length: 0\r\n\r\n")
        return True

    def say_dripping_head(self, _):
        self.say(OK + b"X-Filler: ")
        self.forever(b"a", 1)

    def say_silence(self, _):
        self.until_left()

    def say_half_a_head(self, _):
        self.say(OK)
        self.until_left()

    def say_half_a_body(self, _):
        self.say(OK + b"Content-Length: 1000\r\n\r\n" + FILM[:500])
        self.until_left()

    def part(self, content_range, body=FILM[100:200]):
        line = b"Content-Range: " + content_range + b"\r\n" if content_range else b""
        self.say(PART + line + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def say_part_without_range(self, _):
        self.part(None)

    def say_part_of_other_units(self, _):
        self.part(b"lines 100-199/1000")

    def say_part_of_nonsense(self, _):
        self.part(b"bytes abc-def/ghi")

    def say_part_of_several(self, _):
        self.say(PART.replace(b"video/mp4", b"multipart/byteranges; boundary=a")
                 + b"Content-Length: 8\r\n\r\n--a--\r\n\r\n")


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


@pytest.fixture(scope="module")
def origin():
    listener = Listener(("127.0.0.1", 0), Upstream)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_address[1]}/"
    listener.shutdown()
    listener.server_close()


@pytest.fixture(scope="module")
def quiet_server(origin):
    options = os.environ.get("ASAN_OPTIONS", "")
    # What AddressSanitizer keeps of freed memory is not the server's.
    with Server(None, settings={"fetch.allow": origin[7:-1], "torrent.enabled": "false"},
                environment={"ASAN_OPTIONS": f"{options}:quarantine_size_mb=1"}) as server:
        server.get(path_of(origin + "film", "/stream"))
        yield server


def memory_of(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10


@pytest.fixture
def server(quiet_server, origin):
    """It is as large afterwards as before, and goes on."""
    before = memory_of(quiet_server)
    yield quiet_server
    assert quiet_server.get(path_of(origin + "film", "/stream")).body == FILM
    assert memory_of(quiet_server) - before < GROWTH_BYTES


def stream(server, origin, name, **headers):
    return server.get(path_of(origin + name, "/stream"), headers=headers)


def validate(server, origin, name):
    answer = server.get(path_of(origin + name, "/api/validate"))
    assert answer.status == 200, answer.body
    assert answer.json["valid"] or len(answer.json["reason"]) > 10, answer.json
    return answer.json


def wait_until_left(name):
    deadline = time.monotonic() + PATIENCE_S
    while name not in Upstream.left:
        assert time.monotonic() < deadline, f"{name} is still asked"
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["endless-head", "endless-line", "endless-interim", "large-head"])
def test_a_head_without_end_is_an_error(server, origin, name):
    answer = stream(server, origin, name)
    assert answer.status == 502 and len(answer.json["detail"]) > 10, answer.body
    assert not validate(server, origin, name)["valid"]
    if name != "large-head":  # that one ends by itself
        wait_until_left(name)


@pytest.mark.parametrize("name,status,words", [
    ("negative-length", 502, "failed"), ("bad-chunks", 502, "failed"), ("huge-chunk", 502, "failed"),
    ("nothing", 502, "failed"), ("no-http", 502, "does not speak HTTP"),
    ("other-part", 502, "status 206"), ("to-itself", 403, "redirects too often")])
def test_what_is_no_answer_says_why(server, origin, name, status, words):
    answer = stream(server, origin, name)
    assert answer.status == status and words in answer.json["detail"], answer.body
    assert answer.header("content-type") == "application/problem+json"


@pytest.mark.parametrize("name", ["negative-length", "bad-chunks", "no-http", "nothing", "to-itself",
                                  "to-itself-by-one"])
def test_validate_says_why_too(server, origin, name):
    told = validate(server, origin, name)
    assert not told["valid"] or name == "bad-chunks", told


def test_a_loop_is_left_soon(server, origin):
    before = Upstream.asked.count("to-itself")
    stream(server, origin, "to-itself")
    assert Upstream.asked.count("to-itself") == before + 6


def raw(server, origin, name):
    """All that comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        connection.sendall(f"GET {path_of(origin + name, '/stream')} HTTP/1.1\r\nHost: localhost\r\n"
                           "Connection: close\r\n\r\n".encode())
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
        return got


@pytest.mark.parametrize("name,body", [("huge-length", FILM), ("less-than-said", FILM)],
                         ids=["huge-length", "less-than-said"])
def test_a_body_that_does_not_keep_its_word_is_broken(server, origin, name, body):
    head, _, got = raw(server, origin, name).partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 502"):
        return
    assert head.startswith(b"HTTP/1.1 200") and body in got and not got.endswith(b"\r\n0\r\n\r\n")


def test_a_length_that_wraps_is_none(server, origin):
    answer = stream(server, origin, "length-that-wraps")
    assert answer.status == 502 or (answer.body == FILM and answer.header("content-length") != "10")


def test_a_coded_bomb_goes_through_in_pieces(server, origin):
    """It is as large as it says it is, and none of it stays."""
    answer = stream(server, origin, "coded-bomb")
    assert answer.status == 502 or len(answer.body) == 64 << 20


def test_more_than_was_said_is_cut(server, origin):
    answer = stream(server, origin, "more-than-said")
    assert answer.status == 200 and answer.body == FILM[:10]
    assert validate(server, origin, "more-than-said")["content_length"] == 10


def test_a_bomb_stays_packed(server, origin):
    """Nobody asked for an encoding; nobody here takes one apart."""
    answer = stream(server, origin, "bomb")
    assert answer.status == 502 or answer.body == BOMB
    assert validate(server, origin, "bomb")["content_length"] in (None, len(BOMB))


def test_a_drip_is_passed_on_as_it_comes(server, origin):
    connection = server.connect(PATIENCE_S)
    connection.request("GET", path_of(origin + "drip", "/stream"))
    answer = connection.getresponse()
    assert answer.status == 200
    assert [answer.read(1) for _ in range(5)] == [b"x"] * 5
    answer.close()
    connection.close()
    wait_until_left("drip")


def test_a_body_without_end_is_passed_on(server, origin):
    connection = server.connect(PATIENCE_S)
    connection.request("GET", path_of(origin + "never-ending", "/stream"))
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("content-length") is None
    taken = 0
    while taken < 256 << 20 >> (2 if SLOW > 1 else 0):
        taken += len(answer.read(1 << 20))
    answer.close()
    connection.close()
    wait_until_left("never-ending")
    Upstream.left.remove("never-ending")
    assert validate(server, origin, "never-ending")["content_length"] is None
    wait_until_left("never-ending")


@pytest.mark.parametrize("name", ["coded-bomb", "never-ending"])
def test_those_who_take_nothing_cost_nothing(server, origin, name):
    """Sixteen of them; how much memory that took is looked at afterwards."""
    waiting = []
    for _ in range(16):
        waiting.append(socket.create_connection(("127.0.0.1", server.port)))
        waiting[-1].sendall(f"GET {path_of(origin + name, '/stream')} HTTP/1.1\r\n"
                            "Host: localhost\r\n\r\n".encode())
    time.sleep(2)
    for connection in waiting:
        connection.close()


def test_trailers_without_end_are_an_error(server, origin):
    got = raw(server, origin, "endless-trailer")
    assert b"hello" in got and not got.endswith(b"\r\n0\r\n\r\n")
    wait_until_left("endless-trailer")


def test_a_server_that_closes_what_it_would_keep_is_asked_again(server, origin):
    """Each answer is the last one of its connection, which it does not say."""
    said = {stream(server, origin, "to-itself-closing").json["detail"] for _ in range(30)}
    assert len(said) == 1, said


# --- ranges ---------------------------------------------------------------------------------------

def test_all_in_place_of_a_range_is_told_as_all(server, origin):
    answer = stream(server, origin, "without-ranges", Range="bytes=100-199")
    assert answer.status == 200 and answer.body == FILM
    assert answer.header("content-range") is None


def test_each_part_is_of_what_the_server_has_then(server, origin):
    for first in (0, 100):
        answer = stream(server, origin, "another-etag", Range=f"bytes={first}-{first + 99}")
        assert answer.status == 206 and answer.body == FILM[first:first + 100]


@pytest.mark.parametrize("name", ["part-without-range", "part-of-other-units", "part-of-nonsense",
                                  "part-of-several", "other-part", "part-past-its-end",
                                  "part-of-other-length", "part-backwards"])
def test_a_part_that_does_not_say_which_is_none(server, origin, name):
    answer = stream(server, origin, name, Range="bytes=100-199")
    assert answer.status == 502 and "206" in answer.json["detail"], answer.body


@pytest.mark.parametrize("name", ["part-without-range", "another-etag"])
def test_a_part_that_nobody_asked_for_is_none(server, origin, name):
    answer = stream(server, origin, name)
    assert answer.status == 502, answer.status


# --- silence --------------------------------------------------------------------------------------

def test_silence_has_an_end(server, origin):
    """Thirty seconds of it, wherever it falls."""
    names = ["silence", "half-a-head", "dripping-head"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        silent = [pool.submit(stream, server, origin, name) for name in names]
        told = [pool.submit(validate, server, origin, name) for name in names]
        body = pool.submit(raw, server, origin, "half-a-body")
        for one in silent:
            assert one.result().status == 502
            assert one.result().json["detail"] == "the server does not answer"
        for one in told:
            assert one.result()["reason"] == "the server does not answer"
        assert body.result().startswith(b"HTTP/1.1 200") and body.result().endswith(FILM[:500])
