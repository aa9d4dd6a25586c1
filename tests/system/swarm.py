# SPDX-License-Identifier: GPL-3.0-or-later
"""A swarm for a test: real BitTorrent seeds in another process, each behind a slow, far or stalling
line; a tracker and a web seed. All of it on 127.0.0.0/8, and gone without a trace."""

import asyncio
import base64
import collections
import contextlib
import dataclasses
import http.server
import itertools
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.parse

try:
    import libtorrent as lt
except ImportError:
    import pytest
    pytest.skip("python3-libtorrent is not installed", allow_module_level=True)

BLOCK = 16384  # what peers ask each other for
PIECE = 1 << 20


def noise(path, size, seed=1):
    """Fills the file `path` with `size` bytes that are the same in every run."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed)
    with open(path, "wb") as file:
        for begin in range(0, size, 1 << 20):
            file.write(source.randbytes(min(1 << 20, size - begin)))
    return path


def files_of(path):
    """The files of a file or folder, sorted: the order in which a folder lists them is chance."""
    path = pathlib.Path(path)
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def torrent_of(path, piece_bytes=PIECE, version="v1", private=False, trackers=(), web_seeds=(),
               pad=False):
    """(the .torrent file, its info-hash in hex: that of v1, or that of v2 cut to its length).

    The same content makes the same bytes. `pad` puts padding between the files of a v1 torrent;
    v2 and hybrid ones have it anyway."""
    path = pathlib.Path(path).absolute()
    storage = lt.file_storage()
    for file in files_of(path):
        storage.add_file(str(file.relative_to(path.parent)), file.stat().st_size)
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[version]
    if pad and version == "v1":
        flags |= lt.create_torrent.canonical_files
    made = lt.create_torrent(storage, piece_bytes, flags)
    made.set_priv(private)
    for tier, url in enumerate(trackers):
        made.add_tracker(url, tier)
    for url in web_seeds:
        made.add_url_seed(url)
    lt.set_piece_hashes(made, str(path.parent))
    torrent = made.generate()
    torrent.pop(b"creation date", None)
    torrent = lt.bencode(torrent)
    hashes = lt.load_torrent_buffer(torrent).ti.info_hashes()
    return torrent, str(hashes.v1 if hashes.has_v1() else hashes.get_best())


@dataclasses.dataclass
class Seed:
    """A peer that has everything, and the line to it."""

    bits_per_s: float | None = None  # what it sends at most; None: all it can
    rtt_s: float = 0
    stall_after_bytes: int | None = None  # it then sends nothing more and hangs on; None: never
    # Every block it sends is wrong. When that is in a torrent of v2 alone, 512 blocks or more into
    # a file, a libtorrent before 2.0.14 asks for the hashes of the blocks, is refused, and then
    # writes past its memory, in hashes_rejected(): such a client may crash.
    corrupt: bool = False


class Swarm:
    """`with Swarm(film, seeds=[Seed(), Seed(rtt_s=0.1)]) as swarm:` seeds the file or folder.

    torrent, infohash (hex, 40 digits), infohash_v2 (hex, 64 digits, or ""), magnet (with the peers
    in it), peers: [(address, port)] of the lines. Peers know of nobody but who connects to them."""

    numbers = itertools.count()

    def __init__(self, content_path, seeds=(Seed(),), piece_bytes=PIECE, version="v1",
                 private=False, trackers=(), web_seeds=(), pad=False, network=None):
        self.network = network  # "198.51.100.": addresses of this machine that begin so
        self.content = pathlib.Path(content_path).absolute()
        self.seeds = list(seeds)
        self.torrent, self.infohash = torrent_of(self.content, piece_bytes, version, private,
                                                 trackers, web_seeds, pad)
        hashes = lt.load_torrent_buffer(self.torrent).ti.info_hashes()
        self.infohash_v2 = str(hashes.v2) if hashes.has_v2() else ""
        self.topics = [f"urn:btih:{self.infohash}"] if hashes.has_v1() else []
        self.topics += [f"urn:btmh:1220{self.infohash_v2}"] if hashes.has_v2() else []
        self.process = None
        self.altered = None
        self.asking = threading.Lock()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def _start(self):
        if any(seed.corrupt for seed in self.seeds):
            self.altered = tempfile.mkdtemp(prefix="matinee-swarm-")
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        # Swarms of one process differ in their addresses: a peer that is banned in one is well in
        # the next, and one leecher can be in several.
        number = next(self.numbers) % 200
        self.peers = [tuple(peer) for peer in self._ask(
            torrent=base64.b64encode(self.torrent).decode(), content=str(self.content),
            altered=self.altered, network=self.network or f"127.0.{number}.",
            seeds=[dataclasses.asdict(seed) for seed in self.seeds])]

    def _end(self):
        if self.process:
            # That its input ends ends it; as it does when this process is killed.
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process.stdout.close()
        if self.altered:
            shutil.rmtree(self.altered, ignore_errors=True)

    def _ask(self, **question):
        with self.asking:
            try:
                self.process.stdin.write(json.dumps(question).encode() + b"\n")
                self.process.stdin.flush()
                answer = json.loads(self.process.stdout.readline())
            except (OSError, ValueError) as error:
                raise RuntimeError("the process of the swarm is gone") from error
        return answer["answer"]

    @property
    def magnet(self):
        return self.magnet_of(self.peers)

    def magnet_of(self, peers):
        """A magnet link that names these peers, none perhaps."""
        words = [("xt", topic) for topic in self.topics] + [("dn", self.content.name)]
        words += [("x.pe", f"{address}:{port}") for address, port in peers]
        return "magnet:?" + "&".join(f"{k}={urllib.parse.quote(v, safe=':')}" for k, v in words)

    def sent(self):
        """How many bytes each seed has sent so far, whoever got them."""
        return self._ask(do="sent")

    def connections(self):
        """How many connections each seed has taken so far."""
        return self._ask(do="connections")

    def stall(self, number, after_bytes=0):
        """This seed sends so many bytes more, then nothing; its connections stay open."""
        self._ask(do="stall", number=number, after_bytes=after_bytes)

    def resume(self, number):
        """Ends the stalling of this seed, for good."""
        self._ask(do="resume", number=number)

    def drop(self, number):
        """Resets the connections of this seed and refuses new ones."""
        self._ask(do="drop", number=number)

    def restore(self, number):
        """This seed takes connections again, at the same address and port."""
        self._ask(do="restore", number=number)


# --- the process of the seeds ---

SEED_SETTINGS = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_incoming_utp": False, "enable_outgoing_utp": False,
    # A seed that knows where a leecher listens must not go there past the line.
    "enable_outgoing_tcp": False, "seeding_outgoing_connections": False,
    # All leechers come from the address of the line.
    "allow_multiple_connections_per_ip": True,
    "unchoke_slots_limit": -1, "connections_limit": 1000, "max_allowed_in_request_queue": 5000,
    # A leecher that has stalled is not for the seed to judge.
    "peer_timeout": 3600, "inactivity_timeout": 3600,
    # A test may cut the content short: mapped, that would be a SIGBUS.
    "mmap_file_size_cutoff": 0x7FFFFFFF,
    "aio_threads": 1, "hashing_threads": 1, "alert_mask": 0,
}


def seed_session(torrent, folder, address, corrupt):
    """(a session that seeds, the port it has)"""
    for _ in range(10):
        settings = {**SEED_SETTINGS, "listen_interfaces": f"{address}:0",
                    "disable_hash_checks": corrupt}
        # Without the plugins of the default: by ut_pex the seeds would make themselves known to the
        # leecher, which would then go past the lines.
        session = lt.session(settings, flags=0)
        session.add_extension("ut_metadata")
        port = session.listen_port()
        if port:
            break
    else:
        raise RuntimeError(f"no port at {address}")
    wanted = lt.load_torrent_buffer(torrent)
    wanted.save_path = folder
    wanted.trackers = []
    wanted.url_seeds = []
    wanted.flags = (lt.torrent_flags.seed_mode | lt.torrent_flags.disable_dht |
                    lt.torrent_flags.disable_lsd | lt.torrent_flags.disable_pex)
    session.add_torrent(wanted)
    return session, port


def alter(content, folder):
    """A copy of the content in `folder` in which the first byte of each block is another."""
    for file in files_of(content):
        data = bytearray(file.read_bytes())
        data[::BLOCK] = bytes(byte ^ 0xFF for byte in data[::BLOCK])
        copy = pathlib.Path(folder) / file.relative_to(content.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)


class Line:
    """What is between a seed and its leechers."""

    BURST_S = 0.1  # what was lost by waking late may be made up for, up to this

    def __init__(self, seed, address, upstream):
        self.loop = asyncio.get_running_loop()
        self.upstream = upstream
        self.bytes_per_s = seed.bits_per_s and seed.bits_per_s / 8
        self.delay_s = seed.rtt_s / 2
        self.limit = seed.stall_after_bytes
        self.going_on = asyncio.Event()
        self.free_at = 0.0
        self.taken = 0
        self.sent = 0
        self.connections = 0
        self.carriers = set()
        # Parts of 10 ms each, and not many of them under way: the rate is even.
        rate = self.bytes_per_s or 1 << 30
        self.part = int(min(65536, max(1400, rate / 100)))
        self.room = int(max(65536, min(1 << 22, rate * self.delay_s * 1.5)))
        # A socket that is bound and does not listen refuses connections and keeps the port.
        self.keeper = bound(address, 0)
        self.peer = self.keeper.getsockname()
        self.listener = None
        self.restore()

    def restore(self):
        if not self.listener:
            self.listener = bound(*self.peer)
            self.listener.listen(64)
            self.listener.setblocking(False)
            self.accepting = self.loop.create_task(self.accept(self.listener))

    async def drop(self):
        if self.listener:
            self.accepting.cancel()
            await asyncio.gather(self.accepting, return_exceptions=True)
            self.listener.close()
            self.listener = None
        for carrier in self.carriers:
            carrier.cancel()
        await asyncio.gather(*self.carriers, return_exceptions=True)

    def stall(self, after_bytes):
        self.limit = self.taken + after_bytes
        self.going_on.clear()

    def resume(self):
        self.limit = None
        self.going_on.set()

    async def accept(self, listener):
        while True:
            leecher, _ = await self.loop.sock_accept(listener)
            leecher.setblocking(False)
            self.connections += 1
            carrier = self.loop.create_task(self.carry(leecher))
            self.carriers.add(carrier)
            carrier.add_done_callback(self.carriers.discard)

    async def carry(self, leecher):
        """Both directions of one connection, until one of them ends."""
        seed = socket.socket()
        seed.setblocking(False)
        both = []
        try:
            leecher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            seed.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.bytes_per_s:
                # What the seed has handed over can no longer be cancelled: let that be little.
                seed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            await self.loop.sock_connect(seed, self.upstream)
            both = [self.loop.create_task(part) for pair in (
                self.direction(seed, leecher, self.hold_back, self.count),
                self.direction(leecher, seed)) for part in pair]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        except asyncio.CancelledError:
            leecher.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            leecher.close()
            seed.close()

    def direction(self, source, sink, hold_back=None, count=None):
        """The two tasks that carry from source to sink; the second one ends with the data."""
        queue = collections.deque()
        state = {"held": 0}
        news, room = asyncio.Event(), asyncio.Event()

        def put(data):
            queue.append((self.loop.time() + self.delay_s, data))
            state["held"] += len(data)
            news.set()

        async def take_in():
            while True:
                data = b""
                with contextlib.suppress(ConnectionError):
                    data = await self.loop.sock_recv(source, self.part)
                if not data:
                    break
                while data:
                    part = await hold_back(data) if hold_back else len(data)
                    put(data[:part])
                    data = data[part:]
                while state["held"] > self.room:
                    room.clear()
                    await room.wait()
            put(b"")
            await asyncio.Future()

        async def hand_on():
            while True:
                while not queue:
                    news.clear()
                    await news.wait()
                at, data = queue.popleft()
                if at > self.loop.time():
                    await asyncio.sleep(at - self.loop.time())
                if not data:
                    return
                await self.loop.sock_sendall(sink, data)
                if count:
                    count(len(data))
                state["held"] -= len(data)
                room.set()

        return take_in(), hand_on()

    async def hold_back(self, data):
        """How much of the data may go now, once it may."""
        while self.limit is not None and self.taken >= self.limit:
            self.going_on.clear()
            await self.going_on.wait()
        part = len(data) if self.limit is None else min(len(data), self.limit - self.taken)
        self.taken += part
        if self.bytes_per_s:
            # One line: its connections share what it carries.
            now = self.loop.time()
            self.free_at = max(self.free_at, now - self.BURST_S if self.free_at else now)
            self.free_at += part / self.bytes_per_s
            if self.free_at > now:
                await asyncio.sleep(self.free_at - now)
        return part

    def count(self, size):
        self.sent += size


def bound(address, port):
    sock = socket.socket()
    # Several sockets may have the port as long as at most one of them listens.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


async def answer(lines, question):
    """What the test asked of the lines."""
    if question["do"] == "sent":
        return [line.sent for line in lines]
    if question["do"] == "connections":
        return [line.connections for line in lines]
    line = lines[question["number"]]
    match question["do"]:
        case "stall":
            line.stall(question["after_bytes"])
        case "resume":
            line.resume()
        case "drop":
            await line.drop()
        case "restore":
            line.restore()
    return None


async def serve():
    """Does what the lines of the standard input say, until it ends."""
    # Ctrl-C is for the test; this ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop = asyncio.get_running_loop()
    questions = asyncio.StreamReader(limit=1 << 28)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    order = json.loads(await questions.readline() or "null")
    if not order:
        return
    content = pathlib.Path(order["content"])
    sessions, lines = [], []
    try:
        if order["altered"]:
            alter(content, order["altered"])
        torrent = base64.b64decode(order["torrent"])
        for number, words in enumerate(order["seeds"]):
            seed = Seed(**words)
            address = f"{order['network']}{2 + number}"
            folder = order["altered"] if seed.corrupt else str(content.parent)
            session, port = seed_session(torrent, folder, address, seed.corrupt)
            sessions.append(session)
            lines.append(Line(seed, f"{order['network']}{102 + number}", (address, port)))
        print(json.dumps({"answer": [line.peer for line in lines]}), flush=True)
        async for question in questions:
            print(json.dumps({"answer": await answer(lines, json.loads(question))}), flush=True)
    finally:
        for line in lines:
            await line.drop()
        # The process of the test does this too, if it still can.
        if order["altered"]:
            shutil.rmtree(order["altered"], ignore_errors=True)


# --- tracker and web seed ---


class HttpServer:
    """An HTTP server in threads of this process; `reply(request)` is what one GET gets."""

    protocol = "HTTP/1.1"
    address = "127.0.0.1"

    def __enter__(self):
        owner = self
        self.ending = threading.Event()
        self.lock = threading.Lock()

        class Request(http.server.BaseHTTPRequestHandler):
            protocol_version = self.protocol

            def log_message(self, *_):
                pass

            def do_GET(self):
                owner.reply(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = False  # the end waits for them all
            open = set()

            def process_request(self, sock, address):
                with owner.lock:
                    self.open.add(sock)
                super().process_request(sock, address)

            def shutdown_request(self, sock):
                with owner.lock:
                    self.open.discard(sock)
                super().shutdown_request(sock)

            def handle_error(self, *_):
                if not isinstance(sys.exc_info()[1], OSError):
                    super().handle_error(*_)

        self.server = Server((self.address, 0), Request)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.server.shutdown()
        self.thread.join()
        with self.lock:
            for sock in self.server.open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self.server.server_close()

    def send(self, request, status, body=b"", **headers):
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)


class Tracker(HttpServer):
    """`with Tracker() as tracker, Swarm(film, trackers=[tracker.url]) as swarm:`, then
    `tracker.peers = swarm.peers`. What it does may change at any time.

    announces: a dict of the query of each, info_hash in hex and peer_id as latin-1."""

    protocol = "HTTP/1.0"

    def __init__(self, peers=(), failure=None, garbage=False, redirect=None, interval_s=1800,
                 address="127.0.0.1"):
        self.address = address
        self.peers = peers
        self.failure = failure  # the words with which it refuses
        self.garbage = garbage  # it answers with noise
        self.redirect = redirect  # the URL to which it sends everyone
        self.interval_s = interval_s
        self.announces = []

    @property
    def url(self):
        return f"http://{self.address}:{self.port}/announce"

    def reply(self, request):
        url = urllib.parse.urlsplit(request.path)
        if url.path != "/announce":
            return self.send(request, 404)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True, encoding="latin-1"))
        query["info_hash"] = query.get("info_hash", "").encode("latin-1").hex()
        self.announces.append(query)
        if self.redirect:
            return self.send(request, 302, Location=self.redirect)
        if self.garbage:
            return self.send(request, 200, random.Random(1).randbytes(500))
        if self.failure:
            return self.send(request, 200, lt.bencode({"failure reason": self.failure}))
        peers = b"".join(socket.inet_aton(a) + struct.pack("!H", p) for a, p in self.peers)
        return self.send(request, 200, lt.bencode({
            "interval": self.interval_s, "complete": len(self.peers), "incomplete": 0,
            "peers": peers}), Content_Type="text/plain")


class WebSeed(HttpServer):
    """`with WebSeed(film) as web, Swarm(film, web_seeds=[web.url]) as swarm:`

    mode: "ok", "404", "slow" (bytes_per_s), "wrong length" (it has the first half of each file);
    redirect: the URL to which it sends everyone. requests: [(path, Range or None)]; sent: bytes."""

    def __init__(self, content_path, mode="ok", redirect=None, bytes_per_s=64 << 10,
                 address="127.0.0.1"):
        self.address = address
        self.content = pathlib.Path(content_path).absolute()
        self.mode = mode
        self.redirect = redirect
        self.bytes_per_s = bytes_per_s
        self.requests = []
        self.sent = 0

    @property
    def url(self):
        """Of the file itself; of what a folder is in."""
        name = urllib.parse.quote(self.content.name)
        return f"http://{self.address}:{self.port}/" + ("" if self.content.is_dir() else name)

    def reply(self, request):
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path)
        asked = request.headers.get("Range")
        with self.lock:
            self.requests.append((request.path, asked))
        if self.redirect:
            return self.send(request, 302, Location=self.redirect)
        file = next((f for f in files_of(self.content)
                     if f"/{f.relative_to(self.content.parent)}" == path), None)
        if self.mode == "404" or not file:
            return self.send(request, 404)
        size = file.stat().st_size // (2 if self.mode == "wrong length" else 1)
        first, last = 0, size - 1
        if asked:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()
            first, last = int(first), min(int(last or size), size - 1)
            if first > last:
                return self.send(request, 416, Content_Range=f"bytes */{size}")
        request.send_response(206 if asked else 200)
        request.send_header("Content-Length", str(last + 1 - first))
        if asked:
            request.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        request.end_headers()
        return self.send_part(request, file, first, last + 1)

    def send_part(self, request, file, begin, end):
        part = 65536 if self.mode != "slow" else max(1, self.bytes_per_s // 20)
        with open(file, "rb") as data:
            data.seek(begin)
            while begin < end and not self.ending.is_set():
                got = data.read(min(part, end - begin))
                request.wfile.write(got)
                begin += len(got)
                with self.lock:
                    self.sent += len(got)
                if self.mode == "slow":
                    self.ending.wait(part / self.bytes_per_s)


if __name__ == "__main__":
    asyncio.run(serve())
