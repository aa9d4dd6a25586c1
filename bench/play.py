# SPDX-License-Identifier: GPL-3.0-or-later
"""What a player asks, timed; and the ffmpeg program making the same piece of a film."""

import http.client
import pathlib
import struct
import tempfile
import time

import common
import hls

# The x264 settings of the rungs, as segments/encode.c tells them: size, VBV rate (and, for one
# second, its size), level. The film has bits enough that no rung is told less (rates.c).
RUNGS = {
    "video-1080p": (1920, 1080, "6000k", "4.0"),
    "video-720p": (1280, 720, "3000k", "3.1"),
    "video-480p": (854, 480, "1400k", "3.1"),
    "video-360p": (640, 360, "800k", "3.0"),
}
THREADS = 2
SHORT_S = 2.5  # shorter segments are made with a shorter look-ahead


class Timed:
    """One GET, noting when the first whole part and the last byte came."""

    def __init__(self, port, path, connection=None):
        own = connection is None
        connection = connection or http.client.HTTPConnection("127.0.0.1", port)
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status, answer.read()[:300])
        steps = []
        self.first_part = None
        while step := answer.read1(1 << 20):
            steps.append(step)
            if self.first_part is None and whole_part(b"".join(steps)):
                self.first_part = time.perf_counter() - began
        self.last = time.perf_counter() - began
        answer.read()  # says to http.client that nothing is left
        self.body = b"".join(steps)
        if own:
            connection.close()


def whole_part(data):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if at + size > len(data):
            return False
        at += size
        if kind == b"mdat":
            return True
    return False


def find_segment(playlist, at_s):
    """The segment that shows `at_s`, and where it begins."""
    begin = 0
    for segment in playlist.segments:
        if begin + segment.duration > at_s:
            break
        begin += segment.duration
    return segment, float(begin)


class Film:
    """A film as its playlists tell of it."""

    def __init__(self, server, name):
        self.base = f"/hls/{server.files()[name][0]}/"
        self.server = server
        self.master = hls.MasterPlaylist(server.get(self.base + "master.m3u8?client=mse").text)
        self._playlists = {}

    def playlist(self, rendition):
        if rendition not in self._playlists:
            uri = next(v.uri for v in self.master.variants if v.uri.startswith(rendition + "/"))
            self._playlists[rendition] = hls.MediaPlaylist(self.server.get(self.base + uri).text)
        return self._playlists[rendition]

    def path(self, rendition, segment):
        return f"{self.base}{rendition}/{segment.uri}"

    def paths(self, rendition):
        return [self.path(rendition, s) for s in self.playlist(rendition).segments]


def x264(rendition, params=""):
    """The options of the ffmpeg program that make it what segments/encode.c makes."""
    _, _, rate, level = RUNGS[rendition]
    return ["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-maxrate", rate,
            "-bufsize", rate, "-profile:v", "high", "-level:v", level, "-g", "100000",
            "-keyint_min", "1", "-threads:v", str(THREADS), "-x264-params",
            "open-gop=0:scenecut=0:vbv-init=0.50" + params]


def run_ffmpeg(film, begin, length, rendition, sound=True):
    """Seconds until the ffmpeg program has made one segment, picture (and sound)."""
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as folder:
        command = ["ffmpeg", "-v", "error", "-y", "-ss", f"{begin:.6f}", "-i", film,
                   "-t", f"{length:.6f}", "-map", "0:v", *(["-map", "0:a:0"] if sound else [])]
        if rendition == "video-copy":
            command += ["-c", "copy"]
        else:
            width, height, _, _ = RUNGS[rendition]
            short = ":rc-lookahead=3:sync-lookahead=0" if length < SHORT_S else ""
            command += ["-vf", f"scale={width}:{height}:flags=bicubic,setsar=1,format=yuv420p",
                        *x264(rendition, short), "-c:a", "aac", "-ac", "2", "-b:a", "192k",
                        "-aac_coder", "fast"]
        command += ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof",
                    pathlib.Path(folder) / "out.mp4"]
        return common.Run(command).seconds
