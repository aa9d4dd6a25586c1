# SPDX-License-Identifier: GPL-3.0-or-later
"""A world outside for one server: names and addresses by a table (tests/fakes/resolver.c), a server
there, and a place inside that nobody may reach."""

import http.server
import os
import pathlib
import re
import selectors
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse

from server import BIN

BUILD = pathlib.Path(os.environ.get("MATINEE_BUILD", pathlib.Path(BIN).parent))


def own_addresses():
    """This machine's, beside loopback, as text."""
    said = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"\d+: (\S+) +inet6? ([0-9a-f.:]+)", said)
    return [f"{address}%{link}" if address.startswith("fe80") else address
            for link, address in found if link != "lo"]


class World:
    """`names`: {name: [answer, later answer...]}, `routes`: {address: port on 127.0.0.1}, `own`: an
    address this machine seems to have."""

    def __init__(self, names, routes, own=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-world-"))
        self.table, self.log = self.folder / "table", self.folder / "log"
        lines = [f"name {name} {' '.join(answers)}" for name, answers in names.items()]
        lines += [f"route {address} {port}" for address, port in routes.items()]
        lines += [f"own {own}"] if own else []
        self.table.write_text("\n".join(lines) + "\n")
        self.log.touch()

    def environment(self):
        """Sanitizers want to be the first."""
        libraries = subprocess.run(["ldd", BIN], capture_output=True, text=True, check=True).stdout
        first = re.findall(r"=> (\S*/lib[at]san\.so\S*)", libraries)
        library = BUILD / "tests" / "libfake-resolver.so"
        assert library.exists(), f"{library} is not built"
        return {"LD_PRELOAD": ":".join([*first, str(library)]), "FAKE_WORLD": str(self.table),
                "FAKE_WORLD_LOG": str(self.log)}

    def seen(self):
        return self.log.read_text().splitlines()

    def close(self):
        shutil.rmtree(self.folder)


class Inside:
    """Listens on one port of 127.0.0.1 and of ::1, and counts who comes."""

    def __init__(self):
        self.visits = []
        four = socket.create_server(("127.0.0.1", 0))
        self.port = four.getsockname()[1]
        self.listeners = [four]
        if socket.has_ipv6:
            self.listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        self.selector = selectors.DefaultSelector()
        self.end, self.told = socket.socketpair()
        self.selector.register(self.told, selectors.EVENT_READ)
        for listener in self.listeners:
            self.selector.register(listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.told:
                    return
                visitor, peer = key.fileobj.accept()
                self.visits.append(peer)
                visitor.close()

    def close(self):
        self.end.send(b"x")
        self.thread.join()
        for one in (*self.listeners, self.end, self.told, self.selector):
            one.close()


class Origin(http.server.BaseHTTPRequestHandler):
    """/film; /to/STATUS?HEX redirects to what HEX spells; /alt?PORT says that it is elsewhere."""

    protocol_version = "HTTP/1.1"
    film = b"a film" * 100

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/to/"):
            status, headers, body = int(path[4:]), {"Location": bytes.fromhex(query)}, b""
        elif path == "/film":
            status, headers, body = 200, {"Content-Type": b"video/mp4"}, self.film
        elif path == "/alt":
            alternative = f'h2="127.0.0.1:{query}", http/1.1="127.0.0.1:{query}"; ma=9999'.encode()
            status, headers, body = 200, {"Alt-Svc": alternative, "Content-Type": b"video/mp4"}, b"x"
        else:
            status, headers, body = 404, {}, b""
        lines = [f"HTTP/1.1 {status} So".encode()]
        lines += [f"{name}: ".encode() + value for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}".encode(), b"Connection: close", b"", b""]
        self.wfile.write(b"\r\n".join(lines) + (b"" if self.command == "HEAD" else body))
        self.close_connection = True

    @classmethod
    def start(cls):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), cls)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


def redirect(origin, status, url):
    return f"{origin}/to/{status}?{url.encode().hex()}"


def path_of(url, route):
    return f"{route}?url={urllib.parse.quote(url, safe='')}"
