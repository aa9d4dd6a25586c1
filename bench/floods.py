#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody wants the server down: thousands of connections that trickle a header, readers that do not read, and the
floods of HTTP/2 (streams reset as they are opened, headers that never end, SETTINGS, PING). Meanwhile a fresh
connection asks /healthz ten times a second. How long that took, and how much memory the server had at most.

    bench/floods.py [BUILD-FOLDER] [SECONDS] [CONNECTIONS]

All of it comes from loopback, where no address has its limit of 64 connections: it is the worst that can come.
HTTP/2 is off unless `http.http2` is set; here it is, to see. Promised: /healthz within 1 s throughout, memory
bounded. Needs openssl."""

import http.client
import json
import pathlib
import resource
import selectors
import socket
import ssl
import statistics
import struct
import subprocess
import tempfile
import threading
import time

import common
import media
from server import Server

SECONDS, CONNECTIONS = common.number(2, 20), common.number(3, 5_000)
READERS, FLOODERS = 500, 8
TRICKLE_S = 5


class Health(threading.Thread):
    """Asks on a connection of its own each time."""

    def __init__(self, server, context=None):
        super().__init__(daemon=True)
        self.server, self.context, self.took, self.refused, self.done = server, context, [], 0, threading.Event()
        self.peak_kb = 0

    def ask(self):
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=10, context=self.context)
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)

    def run(self):
        while not self.done.is_set():
            began = time.monotonic()
            connection = self.ask()
            try:
                connection.request("GET", "/healthz")
                self.refused += connection.getresponse().status != 200
            except OSError:
                self.refused += 1
            finally:
                connection.close()
            self.took.append(time.monotonic() - began)
            self.peak_kb = max(self.peak_kb, common.memory_kb(self.server.process.pid, "Rss"))
            time.sleep(max(0, 0.1 - self.took[-1]))


def measured(name, server, attack, context=None):
    health = Health(server, context)
    calm_kb, cpu = common.memory_kb(server.process.pid, "Rss"), common.cpu_s(server.process.pid)
    health.start()
    began = time.monotonic()
    more = attack(server, began + SECONDS)
    spent = time.monotonic() - began
    health.done.set()
    health.join()
    took = sorted(health.took)
    time.sleep(2)
    return {"flood": name, **more, "health_asked": len(took), "health_refused": health.refused,
            "health_median_ms": round(statistics.median(took) * 1000, 1), "health_most_ms": round(took[-1] * 1000, 1),
            "rss_before_mb": round(calm_kb / 1000, 1), "rss_most_mb": round(health.peak_kb / 1000, 1),
            "rss_after_mb": round(common.memory_kb(server.process.pid, "Rss") / 1000, 1),
            "server_cores": round((common.cpu_s(server.process.pid) - cpu) / spent, 2)}


# --- HTTP/1.1 ---

def connect(port, n):
    peer = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(f"127.0.{n // 250 + 2}.{n % 250 + 1}", 0))
    peer.setblocking(False)
    return peer


def trickle(server, until):
    """Connections whose headers come a byte every five seconds; each that is ended is opened again."""
    peers, opened, ended, due = [], 0, 0, 0.0
    head = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX-A: "
    while time.monotonic() < until:
        while len(peers) < CONNECTIONS:
            try:
                peer = connect(server.port, opened % 12_000)
                peer.send(head)
            except OSError:
                ended += 1
                break
            peers.append(peer)
            opened += 1
        due = time.monotonic() + TRICKLE_S
        living = []
        for peer in peers:
            try:
                peer.send(b"a")
                if peer.recv(1) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                living.append(peer)
                continue
            except OSError:
                pass
            peer.close()
            ended += 1
        peers = living
        time.sleep(max(0, min(due, until) - time.monotonic()))
    for peer in peers:
        peer.close()
    return {"connections": CONNECTIONS, "opened": opened, "ended_by_server": ended}


def no_reading(path):
    def run(server, until):
        peers = []
        for n in range(READERS):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.bind((f"127.0.{n // 250 + 2}.{n % 250 + 1}", 0))
            peer.connect(("127.0.0.1", server.port))
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            peers.append(peer)
        time.sleep(max(0, until - time.monotonic()))
        for peer in peers:
            peer.close()
        return {"connections": READERS}
    return run


# --- HTTP/2 (RFC 9113) ---

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def request_block():
    name = b"localhost"
    return b"\x82\x87\x84" + b"\x41" + bytes([len(name)]) + name  # GET https / :authority


class Flooder(threading.Thread):
    """Sends what `frames` gives as fast as the server takes it, reading whatever comes; connects anew when thrown out."""

    def __init__(self, port, context, frames, until):
        super().__init__(daemon=True)
        self.port, self.context, self.frames, self.until = port, context, frames, until
        self.sent, self.connections, self.thrown_out = 0, 0, 0

    def run(self):
        while time.monotonic() < self.until:
            try:
                self.flood()
            except OSError:
                self.thrown_out += 1
                time.sleep(0.01)

    def flood(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain, \
                self.context.wrap_socket(plain, server_hostname="localhost") as peer:
            assert peer.selected_alpn_protocol() == "h2"
            self.connections += 1
            peer.sendall(PREFACE + frame(SETTINGS, 0, 0))
            peer.setblocking(False)
            chooser = selectors.DefaultSelector()
            chooser.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
            count, out = 0, b""
            while time.monotonic() < self.until:
                if not out:
                    out, made = self.frames(count)
                    count += made
                    self.sent += made
                chooser.select(1)
                try:
                    while True:
                        if peer.recv(65536) == b"":
                            raise ConnectionResetError
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
                try:
                    out = out[peer.send(out):]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass


def resets(count):
    block = request_block()
    return b"".join(frame(HEADERS, 5, 2 * n + 1, block) + frame(RST_STREAM, 0, 2 * n + 1, b"\0\0\0\x08")
                    for n in range(count, count + 100)), 100


def endless_headers(count):
    start = frame(HEADERS, 1, 1, request_block()) if count == 0 else b""
    return start + frame(CONTINUATION, 0, 1, b"\x00\x01a\x7f\x80\x7e" + b"b" * 255) * 20, 20


def settings(_):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 100, 100


def pings(_):
    return frame(PING, 0, 0, b"12345678") * 100, 100


def http2(frames, context):
    def run(server, until):
        flooders = [Flooder(server.port, context, frames, until) for _ in range(FLOODERS)]
        for flooder in flooders:
            flooder.start()
        for flooder in flooders:
            flooder.join()
        return {"connections": sum(f.connections for f in flooders), "thrown_out": sum(f.thrown_out for f in flooders),
                "frames": sum(f.sent for f in flooders)}
    return run


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=localhost"],
                   check=True, stderr=subprocess.DEVNULL)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    film = media.make("m01.mkv", "matroska", 2, 60)
    films = common.put_in_library(media.FOLDER / "minute", film)
    settings_of_all = {"library.rescan_s": 3600, "torrent.enabled": "false"}
    rows = []
    with Server(films, settings=settings_of_all) as server:
        file = server.files()[film.name][0]
        rows.append(measured("headers that trickle", server, trickle))
        rows.append(measured("readers that do not read", server, no_reading(f"/api/v1/files/{file}/raw")))
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as made:
        folder = pathlib.Path(made)
        make_certificate(folder)
        secure = ssl.create_default_context(cafile=folder / "cert.pem")
        secure.check_hostname = False
        two = ssl.create_default_context(cafile=folder / "cert.pem")
        two.set_alpn_protocols(["h2"])
        more = {"tls.certificate": folder / "cert.pem", "tls.key": folder / "key.pem", "http.http2": "true"}
        for name, frames in (("HTTP/2: streams reset at once", resets), ("HTTP/2: headers without end", endless_headers),
                             ("HTTP/2: SETTINGS", settings), ("HTTP/2: PING", pings)):
            with Server(films, settings={**settings_of_all, **more}) as server:
                rows.append(measured(name, server, http2(frames, two), secure))
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
