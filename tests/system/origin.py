# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of films for a test, on 127.0.0.1, that has faults when told to."""

import contextlib
import http.server
import pathlib
import re
import threading
import time
import urllib.parse

PART = 16384


class Origin:
    """`with Origin({"film.mkv": path}) as origin:`, then `origin.url("film.mkv")`.

    What it does may change at any time:
    ranges: it sends parts; else all of it, whatever was asked for.
    says_ranges: it says that it sends parts (206 for "0-0") though `ranges` is False.
    etag, modified: the validators it sends; None: none.
    bits_per_s: of each connection.
    breaks_after: each body ends early, after so many bytes; None: never.
    cuts_to: a part is at most so long (and says so); None: as asked for.
    statuses: taken from the front, one a request, before it behaves again.
    at_once: so many requests at a time, more get 503; None: any number.
    length: what it says in place of the true length; None: the truth. "chunked": nothing.
    requests: [(path, Range or None, If-Range or None)]; sent: bytes of bodies."""

    def __init__(self, files, **knobs):
        self.files = {name: pathlib.Path(path) for name, path in files.items()}
        self.ranges = True
        self.says_ranges = False
        self.etag = '"one"'
        self.modified = "Sun, 01 Nov 2026 10:00:00 GMT"
        self.kind = "video/x-matroska"
        self.bits_per_s = None
        self.breaks_after = None
        self.cuts_to = None
        self.statuses = []
        self.at_once = None
        self.length = None
        self.redirect = None
        self.requests = []
        self.sent = 0
        self.busy = 0
        self.__dict__.update(knobs)

    def url(self, name):
        return f"http://{self.host}/{urllib.parse.quote(name)}"

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        owner = self
        self.ending = threading.Event()
        self.lock = threading.Lock()

        class Request(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                with contextlib.suppress(OSError):
                    owner.reply(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Request)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def reply(self, request):
        asked = request.headers.get("Range")
        with self.lock:
            self.requests.append((request.path, asked, request.headers.get("If-Range")))
            status = self.statuses.pop(0) if self.statuses else None
            is_full = self.at_once is not None and self.busy >= self.at_once
            self.busy += 1
        try:
            if status or is_full:
                self.empty(request, status or 503)
            elif self.redirect:
                self.empty(request, 302, Location=self.redirect)
            else:
                self.send(request, asked)
        finally:
            with self.lock:
                self.busy -= 1

    def empty(self, request, status, **headers):
        request.send_response(status)
        request.send_header("Content-Length", "0")
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()

    def send(self, request, asked):
        path = self.files.get(urllib.parse.unquote(urllib.parse.urlsplit(request.path).path[1:]))
        if not path:
            return self.empty(request, 404)
        size = path.stat().st_size
        begin, end = 0, size
        since = request.headers.get("If-Range")
        is_same = since is None or since in (self.etag, self.modified)
        is_part = asked and is_same and (self.ranges or (self.says_ranges and asked == "bytes=0-0"))
        if is_part:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()
            begin, end = int(first), min(int(last or size) + 1, size)
            if self.cuts_to:
                end = min(end, begin + self.cuts_to)
            if begin >= size:
                return self.empty(request, 416)
        self.head(request, size, begin, end, is_part)
        return self.body(request, path, begin, end)

    def head(self, request, size, begin, end, is_part):
        request.send_response(206 if is_part else 200)
        request.send_header("Content-Type", self.kind)
        if self.length == "chunked":
            request.send_header("Transfer-Encoding", "chunked")
        else:
            request.send_header("Content-Length", str(self.length or end - begin))
        if is_part:
            request.send_header("Content-Range", f"bytes {begin}-{end - 1}/{self.length or size}")
        if self.etag:
            request.send_header("ETag", self.etag)
        if self.modified:
            request.send_header("Last-Modified", self.modified)
        request.end_headers()

    def body(self, request, path, begin, end):
        stop = end if self.breaks_after is None else min(end, begin + self.breaks_after)
        with open(path, "rb") as file:
            file.seek(begin)
            while begin < stop and not self.ending.is_set():
                data = file.read(min(PART, stop - begin))
                if self.length == "chunked":
                    data = b"%x\r\n%b\r\n" % (len(data), data)
                request.wfile.write(data)
                begin += PART
                with self.lock:
                    self.sent += len(data)
                if self.bits_per_s:
                    time.sleep(PART * 8 / self.bits_per_s)
        if stop < end or self.ending.is_set() or self.length not in (None, "chunked"):
            request.close_connection = True
        elif self.length == "chunked":
            request.wfile.write(b"0\r\n\r\n")
