# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of a test's own, which end with it, and somebody who listens: for what may not happen on the network
of the machine."""

import concurrent.futures
import contextlib
import ctypes
import functools
import json
import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

CLONE_NEWNET = 0x40000000


class Network:
    """`with Network() as network: network.run(function)`: all that the function starts (threads, processes,
    sockets) is in a network that has a loopback and nothing else. Without CAP_NET_ADMIN the test is skipped."""

    def __enter__(self):
        if not shutil.which("ip"):
            pytest.skip("iproute2 is not installed")
        self.thread = concurrent.futures.ThreadPoolExecutor(1)
        try:
            self.run(self._begin)
        except BaseException:
            self.thread.shutdown()
            raise
        return self

    def __exit__(self, *_):
        self.thread.shutdown()

    def _begin(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip("a network of its own needs CAP_SYS_ADMIN")
        self.id = threading.get_native_id()
        self._ip("link set lo up")
        for which in ("all", "default"):  # no word that nobody asked for
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
            pathlib.Path(f"/proc/sys/net/ipv4/conf/{which}/rp_filter").write_text("0")

    def _ip(self, words):
        got = subprocess.run(["ip", *words.split()], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        if b"not permitted" in got.stdout or b"Unknown device type" in got.stdout:
            pytest.skip(f"ip {words}: {got.stdout.decode()}")
        assert got.returncode == 0, (words, got.stdout)
        return got.stdout

    def run(self, function, *args, **more):
        return self.thread.submit(functools.partial(function, *args, **more)).result()

    def ip(self, *commands):
        """Runs `ip COMMAND`, one after the other."""
        for words in commands:
            self.run(self._ip, words)

    def join(self, other, name, other_name):
        """A cable between two networks."""
        self.ip(f"link add {name} type veth peer name {other_name} netns {other.id}")

    def packets(self, device):
        """How many it has sent so far."""
        said = json.loads(self.run(self._ip, f"-s -j link show dev {device}"))
        return said[0]["stats64"]["tx"]["packets"]


class Ear:
    """Listens at an address, by TCP and UDP, and counts who comes."""

    def __init__(self, address):
        self.sock = socket.create_server((address, 0))
        self.port = self.sock.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((address, self.port))
        self.place = f"{address}:{self.port}"
        self.heard = 0
        self.threads = [threading.Thread(target=part, daemon=True)
                        for part in (self._accept, self._receive)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.datagrams.settimeout(0)
        with contextlib.suppress(OSError):
            self.datagrams.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        self.sock.close()
        self.datagrams.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.sock.accept()
                self.heard += 1
                peer.close()

    def _receive(self):
        with contextlib.suppress(OSError):
            while self.datagrams.recv(2000):
                self.heard += 1
