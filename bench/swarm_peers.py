# SPDX-License-Identifier: GPL-3.0-or-later
"""The other programs of swarm.py, each at the same task in the same swarm: libtorrent itself,
qBittorrent and WebTorrent. Each answers with when it had which piece, in seconds."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse

import libtorrent as lt

LOOK_S = 0.02
GIVEN_UP_S = 600
SETTINGS = {
    "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
    "enable_upnp": False, "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
    # The seeds speak TCP alone: without this it would first spend seconds on finding that out.
    "enable_outgoing_utp": False, "enable_incoming_utp": False, "stop_tracker_timeout": 0}


class Arrivals:
    """When which piece came."""

    def __init__(self, pieces):
        self.begin = time.monotonic()
        self.at = [None] * pieces

    def note(self, have):
        now = time.monotonic() - self.begin
        for piece, is_here in enumerate(have):
            if is_here and self.at[piece] is None:
                self.at[piece] = now

    @property
    def is_whole(self):
        return None not in self.at

    def watch(self, look):
        """Until all is there; `look()` gives what is, or nothing yet."""
        while not self.is_whole:
            if time.monotonic() - self.begin > GIVEN_UP_S:
                raise RuntimeError("the swarm stands still")
            self.note(look() or [])
            time.sleep(LOOK_S)
        return self.at


def by_libtorrent(swarm, pieces, sequential):
    folder = tempfile.mkdtemp(prefix="matinee-bench-")
    session = lt.session(SETTINGS)
    params = lt.parse_magnet_uri(swarm.magnet)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if sequential:
        params.flags |= lt.torrent_flags.sequential_download
    arrivals = Arrivals(pieces)
    handle = session.add_torrent(params)
    try:
        return arrivals.watch(lambda: handle.status(lt.torrent_handle.query_pieces).pieces)
    finally:
        session.remove_torrent(handle)
        del handle, session
        shutil.rmtree(folder, ignore_errors=True)


# --- qBittorrent ---

QBITTORRENT = """[LegalNotice]
Accepted=true

[BitTorrent]
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\BTProtocol=TCP
Session\\Interface=lo
Session\\InterfaceName=lo
Session\\MultiConnectionsPerIp=true
Session\\Port={port}
Session\\QueueingSystemEnabled=false
Session\\DefaultSavePath={folder}/downloads

[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\Port={web}
WebUI\\LocalHostAuth=false
WebUI\\CSRFProtection=false
Connection\\UPnP=false
"""


def has_qbittorrent():
    return shutil.which("qbittorrent-nox") is not None


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class QBittorrent:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="matinee-bench-")
        self.port = free_port()
        config = pathlib.Path(self.folder) / "qBittorrent" / "config" / "qBittorrent.conf"
        config.parent.mkdir(parents=True)
        config.write_text(QBITTORRENT.format(port=free_port(), web=self.port, folder=self.folder))
        self.process = subprocess.Popen(
            ["qbittorrent-nox", f"--profile={self.folder}", f"--webui-port={self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(OSError):
                self.ask("app/version")
                break
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, what, **form):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", f"/api/v2/{what}", urllib.parse.urlencode(form),
                               {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else ""
        finally:
            connection.close()


def by_qbittorrent(swarm, pieces):
    with QBittorrent() as program:
        arrivals = Arrivals(pieces)
        program.ask("torrents/add", urls=swarm.magnet, sequentialDownload="true",
                    firstLastPiecePrio="true")
        peers = "|".join(f"{address}:{port}" for address, port in swarm.peers)
        while not program.ask("torrents/addPeers", hashes=swarm.infohash, peers=peers):
            time.sleep(LOOK_S)

        def look():
            states = program.ask("torrents/pieceStates", hash=swarm.infohash)
            return [state == 2 for state in json.loads(states)] if states else []

        return arrivals.watch(look)


# --- WebTorrent ---

DRIVER = pathlib.Path(__file__).resolve().parent / "swarm_webtorrent.mjs"


def has_webtorrent():
    """Where node finds the package: in a folder of NODE_PATH."""
    if shutil.which("node") is None:
        return False
    return any((pathlib.Path(folder) / "webtorrent" / "package.json").exists()
               for folder in os.environ.get("NODE_PATH", "").split(":") if folder)


def by_webtorrent(swarm, pieces, task):
    """`task`: what swarm.py plays, as the driver reads it."""
    folder = tempfile.mkdtemp(prefix="matinee-bench-")
    order = {**task, "folder": folder, "magnet": swarm.magnet_of([]),
             "peers": [f"{address}:{port}" for address, port in swarm.peers]}
    try:
        done = subprocess.run(["node", str(DRIVER), json.dumps(order)], stdout=subprocess.PIPE,
                              check=True, timeout=GIVEN_UP_S)
        at = json.loads(done.stdout)
        assert len(at) == pieces and None not in at
        return at
    finally:
        shutil.rmtree(folder, ignore_errors=True)
