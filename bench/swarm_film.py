# SPDX-License-Identifier: GPL-3.0-or-later
"""The film of swarm.py: real pictures out of the swarm by HLS, as the page plays them. The other
programs know nothing of pictures: they are measured by when they had the bytes these are made of."""

import pathlib
import struct
import subprocess
import sys
import threading
import time

import swarm_peers as others
from swarm import Swarm

import hls
import server as servers

SECONDS, RATE, GOP_S, PIECE = 128, 6_000_000, 2, 1 << 20
SEEK_AFTER_S, INDEX_BYTES = 6, 64 << 10
SETTINGS = {"torrent.listen": "127.0.0.1:0", "torrent.dht": "false",
            "torrent.allow_local": "true", "torrent.into_library": "false"}


def make(folder):
    """Matroska with its index at the end; noise, so that its rate is what was asked for."""
    path = pathlib.Path(folder) / "film.mkv"
    subprocess.run([
        "ffmpeg", "-v", "error", "-y",
        "-f", "lavfi", "-i",
        f"testsrc2=size=640x360:rate=24:duration={SECONDS},noise=alls=40:allf=t",
        "-f", "lavfi", "-i", f"sine=330:d={SECONDS}",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p",
        "-b:v", str(RATE), "-maxrate", str(RATE), "-bufsize", str(RATE), "-sc_threshold", "0",
        "-g", "10000", "-force_key_frames", f"expr:gte(t,n_forced*{GOP_S})",
        "-c:a", "aac", str(path)], check=True)
    return path


def second_of(film, time_s):
    """The bytes of the first second of picture from there on."""
    listed = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
         "packet=pts_time,pos,size", "-of", "csv=p=0", str(film)], stdout=subprocess.PIPE, check=True, text=True).stdout
    rows = [line.split(",")[:3] for line in listed.split()]
    inside = [(int(pos), int(pos) + int(size)) for pts, size, pos in rows
              if time_s <= float(pts) < time_s + 1]
    return min(begin for begin, _ in inside), max(end for _, end in inside)


def task_of(film, sought_s):
    size = film.stat().st_size
    _, first_end = second_of(film, 0)
    return {"ends": [(0, first_end), (size - INDEX_BYTES, size)],
            "sought": second_of(film, sought_s), "size": size, "seekAfterMs": SEEK_AFTER_S * 1000, "bytesPerMs": size / SECONDS / 1000}


# --- matinee ---


def has_part(data):
    """Whether a moof and its mdat are whole: that can be decoded."""
    at = 0
    while len(data) - at >= 8:
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"mdat":
            return len(data) >= at + size
        at += max(size, 8)
    return False


class Page:
    """Plays a file of `server` as the page does: picture and sound, segment by segment."""

    def __init__(self, server, file):
        self.server, self.base = server, f"/hls/{file}/"
        playback = self.get_json("POST", "/api/v1/playback", {"file": file})
        master = hls.MasterPlaylist(self.get(
            f"{self.base}master.m3u8?client=mse&p={playback['id']}").text)
        self.picture = next(v.uri for v in master.variants if "-copy" in v.uri)
        self.sound = master.media[0]["URI"]
        self.lists = {uri: hls.MediaPlaylist(self.get(self.base + uri).text)
                      for uri in (self.picture, self.sound)}
        self.stalled = 0

    def get_json(self, *question):
        while (answer := self.server.ask(*question)).status == 503:
            time.sleep(0.02)
        return answer.json

    def get(self, path):
        while (answer := self.server.get(path, timeout=120)).status == 503:
            time.sleep(0.02)
        assert answer.status == 200, (path, answer.status)
        return answer

    def path(self, uri, n):
        return self.base + uri.rsplit("/", 1)[0] + "/" + self.lists[uri].segments[n].uri

    def starts(self, uri):
        at = 0
        for segment in self.lists[uri].segments:
            yield float(at)
            at += segment.duration

    def at(self, uri, time_s):
        return max(n for n, start in enumerate(self.starts(uri)) if start <= time_s + 0.05)

    def sound_of(self, time_s):
        self.get(self.path(self.sound, self.at(self.sound, time_s)))

    def segment(self, n, begin):
        """Picture and sound of it: when its first part was there, after `begin`."""
        time_s = list(self.starts(self.picture))[n]
        sound = threading.Thread(target=self.sound_of, args=(time_s,))
        sound.start()
        first, data = None, b""
        while not data:
            connection = self.server.connect(120)
            connection.request("GET", self.path(self.picture, n))
            answer = connection.getresponse()
            while answer.status == 200 and (part := answer.read1(65536)):
                data += part
                if first is None and has_part(data):
                    first = time.monotonic() - begin
            connection.close()
        sound.join()
        return first

    def play(self, n, begin, until=1e18):
        """From a segment on, to the end or to a time: the wait for the first picture."""
        first, due, ahead_s = None, None, 8
        for number in range(n, len(self.lists[self.picture].segments)):
            if time.monotonic() >= until:
                break
            came = self.segment(number, begin)
            first = came if first is None else first
            now = time.monotonic()
            due = now if due is None else due
            self.stalled += max(0, now - due)
            due = max(due, now) + float(self.lists[self.picture].segments[number].duration)
            time.sleep(max(0, min(due - ahead_s, until) - time.monotonic()))
        return first


def start(build):
    servers.BIN = str(pathlib.Path(build).resolve() / "matinee")
    return servers.Server(None, settings=SETTINGS)


def add(server, magnet):
    """(the path of the download, the id of its file), once it is described"""
    made = server.ask("POST", "/api/v1/downloads", {"magnet": magnet}).json
    path = f"/api/v1/downloads/{made['id']}"
    while not (files := server.get(path).json["files"]):
        time.sleep(0.01)
    return path, files[0]["file"]


def by_matinee(swarm, build, sought_s):
    with start(build) as server:
        begin = time.monotonic()
        path, file = add(server, swarm.magnet)
        page = Page(server, file)
        seek_at = begin + SEEK_AFTER_S
        first = page.play(0, begin, seek_at)
        time.sleep(max(0, seek_at - time.monotonic()))
        whole = {}

        def watch():
            while server.get(path).json["state"] != "complete":
                time.sleep(0.05)
            whole["at"] = time.monotonic() - begin

        watching = threading.Thread(target=watch)
        watching.start()
        sought = page.play(page.at(page.picture, sought_s), time.monotonic())
        watching.join()
        return {"first": first, "seek": sought, "stalled": page.stalled, "whole": whole["at"]}


def run(folder, build, rounds, seeds, tools):
    """`tools`: figures, in_words and say_medians of swarm.py."""
    print("film: making it", file=sys.stderr, flush=True)
    film = make(folder)
    sought_s = SECONDS * 6 // 10 // GOP_S * GOP_S
    task = task_of(film, sought_s)
    pieces = -(-film.stat().st_size // PIECE)

    def figures(at):
        values = tools["figures"](at, task)
        return {"first": values.pop("ends"), **values}

    who = {"matinee": lambda s: by_matinee(s, build, sought_s),
           "libtorrent sequential": lambda s: figures(others.by_libtorrent(s, pieces, True))}
    if others.has_qbittorrent():
        who["qBittorrent"] = lambda s: figures(others.by_qbittorrent(s, pieces))
    if others.has_webtorrent():
        who["WebTorrent"] = lambda s: figures(others.by_webtorrent(s, pieces, task))
    got = {name: [] for name in who}
    for number in range(rounds):
        for name, play in who.items():
            with Swarm(film, seeds, piece_bytes=PIECE) as swarm:
                values = play(swarm)
                values["redundant"] = (sum(swarm.sent()) - task["size"]) / 1e6
            got[name].append(values)
            print(f"film {number + 1} {name:24} {tools['in_words'](values)}", flush=True)
    tools["say_medians"]("film", got)
