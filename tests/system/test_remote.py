# SPDX-License-Identifier: GPL-3.0-or-later
"""/stream and /api/validate: videos of another server, passed through and no further."""

import http.client
import http.server
import re
import threading
import time
import urllib.parse

import pytest

from server import SLOW, Server

FILM = bytes(i * 7 % 251 for i in range(300_000))
BIG = 100_000_000


class Origin(http.server.BaseHTTPRequestHandler):
    """A server of films that behaves as its paths say."""

    protocol_version = "HTTP/1.1"
    sent = 0
    broken = 0
    seen = []

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        type(self).seen.append((self.command, self.path, dict(self.headers)))
        name = urllib.parse.urlsplit(self.path).path
        getattr(self, "answer_" + name[1:].replace(".", "_"))()

    def head(self, status, length, kind="video/mp4", **more):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for key, value in more.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def body(self, data):
        if self.command != "HEAD":
            self.wfile.write(data)

    def answer_film_mp4(self):
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            self.head(200, len(FILM), Accept_Ranges="bytes")
            self.body(FILM)
            return
        first, last = asked.groups()
        begin = int(first) if first else len(FILM) - int(last)
        end = min(int(last) + 1 if first and last else len(FILM), len(FILM))
        if begin >= len(FILM):
            self.head(416, 0, Content_Range=f"bytes */{len(FILM)}")
            return
        self.head(206, end - begin, Content_Range=f"bytes {begin}-{end - 1}/{len(FILM)}")
        self.body(FILM[begin:end])

    def answer_plain_mkv(self):  # no ranges
        self.head(200, len(FILM), "video/x-matroska; charset=binary")
        self.body(FILM)

    def answer_page_html(self):
        self.head(200, 31, "text/html")
        self.body(b"<script>alert('from us')</script"[:31])

    def answer_short_mp4(self):
        self.head(200, len(FILM))
        self.body(FILM[:1000])
        self.close_connection = True

    def answer_liar_mp4(self):  # chunks, and a length that they exceed
        self.head(200, 5, Transfer_Encoding="chunked")
        self.wfile.write(b"64\r\n" + bytes(100) + b"\r\n0\r\n\r\n")

    def answer_longer_mp4(self):  # two lengths, of which one is none
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 5\r\n"
                         b"Content-Length: 100 x\r\n\r\n" + bytes(100))
        self.close_connection = True

    def answer_drawing_mp4(self):
        self.head(200, 5, "video/svg+xml")
        self.body(b"<svg>")

    def answer_there(self):
        self.head(302, 0, Location="/film.mp4")

    def answer_inside(self):
        self.head(302, 0, Location="http://127.0.0.2:9999/secret")

    def answer_gone(self):
        self.head(404, 0)

    def answer_big_mp4(self):
        self.head(200, BIG)
        for _ in range(BIG // 100_000):
            try:
                self.wfile.write(bytes(100_000))
            except OSError:
                type(self).broken += 1
                self.close_connection = True
                return
            type(self).sent += 100_000


@pytest.fixture(scope="module")
def origin():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(origin):
    with Server(None, settings={"fetch.allow": origin.removeprefix("http://")}) as s:
        yield s


def path_of(url, route="/stream"):
    return f"{route}?url={urllib.parse.quote(url, safe='')}"


def test_a_film_is_passed_through(server, origin):
    answer = server.get(path_of(origin + "/film.mp4"))
    assert answer.status == 200 and answer.body == FILM
    assert answer.header("content-type") == "video/mp4"
    assert answer.header("accept-ranges") == "bytes"
    assert answer.header("content-length") == str(len(FILM))
    assert answer.header("x-content-type-options") == "nosniff"
    assert "sandbox" in answer.header("content-security-policy")
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert answer.header("content-disposition") is None
    command, _, headers = Origin.seen[-1]
    assert command == "GET" and headers["Via"].startswith("1.1 matinee-")


@pytest.mark.parametrize("text,begin,end", [
    ("bytes=1000-1999", 1000, 2000), ("bytes=299990-", 299_990, 300_000),
    ("bytes=-10", 299_990, 300_000), ("bytes=0-0", 0, 1), ("bytes=299999-400000", 299_999, 300_000)])
def test_ranges_are_passed_through(server, origin, text, begin, end):
    answer = server.get(path_of(origin + "/film.mp4"), headers={"Range": text})
    assert answer.status == 206 and answer.body == FILM[begin:end]
    assert answer.header("content-range") == f"bytes {begin}-{end - 1}/{len(FILM)}"


def test_a_range_outside_is_416(server, origin):
    answer = server.get(path_of(origin + "/film.mp4"), headers={"Range": "bytes=300000-"})
    assert answer.status == 416


@pytest.mark.parametrize("text", ["bytes=1-2,4-5", "bytes=x-", "lines=1-2", "bytes=-", "bytes=1-2-3"])
def test_what_is_no_single_range_is_all_of_it(server, origin, text):
    answer = server.get(path_of(origin + "/film.mp4"), headers={"Range": text})
    assert answer.status == 200 and answer.body == FILM


def test_a_server_without_ranges_sends_all(server, origin):
    answer = server.get(path_of(origin + "/plain.mkv"), headers={"Range": "bytes=5-9"})
    assert answer.status == 200 and answer.body == FILM
    assert answer.header("content-type") == "video/x-matroska"
    assert answer.header("accept-ranges") == "none"


def test_head_asks_for_no_body(server, origin):
    answer = server.ask("HEAD", path_of(origin + "/film.mp4"))
    assert answer.status == 200 and answer.body == b""
    assert answer.header("content-length") == str(len(FILM))
    assert Origin.seen[-1][0] == "HEAD"


def test_redirects_are_followed_and_judged(server, origin):
    assert server.get(path_of(origin + "/there")).body == FILM
    answer = server.get(path_of(origin + "/inside"))
    assert answer.status == 403 and "127.0.0.2" in answer.json["detail"], answer.body


def test_a_page_comes_as_an_attachment(server, origin):
    answer = server.get(path_of(origin + "/page.html"))
    assert answer.status == 200
    assert answer.header("content-type") == "application/octet-stream"
    assert answer.header("content-disposition") == "attachment"


def test_a_type_that_browsers_run_is_not_kept(server, origin):
    answer = server.get(path_of(origin + "/drawing.mp4"))
    assert answer.header("content-type") == "application/octet-stream"


@pytest.mark.parametrize("name", ["liar.mp4", "longer.mp4"])
def test_lengths_that_lie_harm_nobody(server, origin, name):
    try:
        answer = server.get(path_of(f"{origin}/{name}"))
        assert answer.status in (200, 502)
        assert answer.status == 502 or len(answer.body) == 100
    except (http.client.IncompleteRead, ConnectionError):
        pass  # broken off
    assert server.get(path_of(origin + "/film.mp4")).body == FILM


@pytest.mark.parametrize("url,status,words", [
    ("", 400, "url"), ("nonsense", 400, "URL"), ("ftp://127.0.0.1/a", 400, "http"),
    ("http://127.0.0.1:9999/a", 403, "127.0.0.1"), ("http://[::1]:8080/", 403, "::1"),
    ("http://169.254.169.254/latest/", 403, "169.254.169.254"),
    ("http://user:word@127.0.0.1/", 403, "user"), ("http://127.0.0.1:25/", 403, "25")])
def test_what_is_not_asked_says_why(server, url, status, words):
    answer = server.get(path_of(url))
    assert answer.status == status and words in answer.json["detail"], answer.body
    assert answer.header("content-type") == "application/problem+json"


def test_failures_of_the_other_server_are_502(server, origin):
    answer = server.get(path_of(origin + "/gone"))
    assert answer.status == 502 and "404" in answer.json["detail"]


def test_a_body_that_ends_early_is_broken(server, origin):
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        server.get(path_of(origin + "/short.mp4"))


def test_a_server_that_asks_itself_is_stopped(origin):
    """Via says whose request it is (decision 39): nobody goes round in circles."""
    with Server(None, auth="accounts", settings={"fetch.allow": origin[7:]}) as server:
        code = open(f"{server.data}/setup-code", encoding="ascii").read().strip()
        made = server.ask("POST", "/api/v1/setup", {
            "code": code, "username": "anna", "password": "correct horse battery"})
        cookie = {"Cookie": made.header("set-cookie").split(";")[0]}
        assert server.get(path_of(origin + "/film.mp4"), headers=cookie).body == FILM
        via = Origin.seen[-1][2]["Via"]
        before = len(Origin.seen)
        answer = server.get(path_of(origin + "/film.mp4"), headers={**cookie, "Via": via})
        assert answer.status == 508 and "back to this server" in answer.json["detail"], answer.body
        assert len(Origin.seen) == before
        other = {**cookie, "Via": "1.1 matinee-another"}
        assert server.get(path_of(origin + "/film.mp4"), headers=other).status == 200
        assert server.get(path_of(origin + "/film.mp4")).status == 401


def test_other_sites_may_not_make_us_ask(server, origin):
    before = len(Origin.seen)
    answer = server.get(path_of(origin + "/film.mp4"), headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403 and len(Origin.seen) == before


def test_who_takes_nothing_makes_us_fetch_nothing(server, origin):
    """No buffering of whole files: what is not taken is not asked for."""
    Origin.sent = 0
    connection = server.connect()
    connection.request("GET", path_of(origin + "/big.mp4"))
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read(100_000)
    deadline = time.monotonic() + 20 * SLOW
    before = -1
    while Origin.sent != before:
        assert time.monotonic() < deadline
        before = Origin.sent
        time.sleep(0.5)
    # What stands in the sockets' buffers on both ways, and our window.
    assert Origin.sent < BIG / 2, Origin.sent
    rest = 0
    while chunk := answer.read(1 << 20):
        rest += len(chunk)
    assert rest == BIG - 100_000
    connection.close()


def test_a_client_that_leaves_ends_the_other_side_too(server, origin):
    Origin.broken = 0
    connection = server.connect()
    connection.request("GET", path_of(origin + "/big.mp4"))
    answer = connection.getresponse()
    answer.read(1000)
    answer.close()
    connection.close()
    deadline = time.monotonic() + 20 * SLOW
    while Origin.broken == 0:
        assert time.monotonic() < deadline, "it was still asked for"
        time.sleep(0.05)


# --- /api/validate ------------------------------------------------------------------------------

def validate(server, url):
    answer = server.get(path_of(url, "/api/validate"))
    assert answer.status == 200, answer.body
    return answer.json


def test_validate_says_what_is_there(server, origin):
    assert validate(server, origin + "/film.mp4") == {
        "valid": True, "content_type": "video/mp4", "content_length": len(FILM),
        "accept_ranges": "bytes", "supports_range": True}
    plain = validate(server, origin + "/plain.mkv")
    assert plain["valid"] and not plain["supports_range"] and plain["accept_ranges"] == "none"
    assert plain["content_length"] == len(FILM)


def test_validate_says_why_there_is_nothing(server, origin):
    page = validate(server, origin + "/page.html")
    assert not page["valid"] and page["content_type"] == "text/html" and page["reason"]
    gone = validate(server, origin + "/gone")
    assert not gone["valid"] and "404" in gone["reason"]
    inside = validate(server, "http://10.0.0.1/")
    assert not inside["valid"] and "10.0.0.1" in inside["reason"]
    assert not validate(server, "nonsense")["valid"]
    assert server.get("/api/validate").status == 400
