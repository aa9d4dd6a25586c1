# SPDX-License-Identifier: GPL-3.0-or-later
"""Subtitles that are pictures, as discs have them: PGS written here, VobSub and DVB made of it by the
ffmpeg program; and PNG read back."""

import itertools
import pathlib
import struct
import subprocess
import sys
import zlib

import films

NORMAL, ACQUISITION, EPOCH = 0x00, 0x40, 0x80
#: Colours as PGS has them: Y, Cr, Cb in the narrow range of BT.709, alpha; and as RGBA, about.
YCC = {"red": (63, 240, 102, 255), "green": (173, 26, 42, 255), "blue": (32, 118, 240, 255),
       "yellow": (219, 138, 16, 255), "half": (235, 128, 128, 128), "white": (235, 128, 128, 255)}
RGBA = {"red": (255, 0, 0, 255), "green": (0, 255, 0, 255), "blue": (0, 0, 255, 255),
        "yellow": (255, 255, 0, 255), "half": (255, 255, 255, 128), "white": (255, 255, 255, 255)}


class Box:
    """An object: a frame of 4 pixels around a filling, each a colour of the palette; 0 is clear."""

    def __init__(self, number, width, height, border, filling=0):
        self.number, self.width, self.height = number, width, height
        self.border, self.filling = border, filling

    def pixel(self, x, y):
        inside = 4 <= x < self.width - 4 and 4 <= y < self.height - 4
        return self.filling if inside else self.border

    def rows(self):
        return [[self.pixel(x, y) for x in range(self.width)] for y in range(self.height)]


def run_length(rows):
    out = bytearray()
    for row in rows:
        for color, same in itertools.groupby(row):
            left = len(list(same))
            while left > 0:
                length = min(left, 0x3FFF)
                left -= length
                mark = 0x80 if color else 0
                if length < 64:
                    out += bytes([0, mark | length])
                else:
                    out += bytes([0, mark | 0x40 | length >> 8, length & 255])
                out += bytes([color] if color else [])
        out += b"\0\0"
    return bytes(out)


class Sup:
    """A .sup file, display set by display set."""

    def __init__(self, width=1280, height=720):
        self.width, self.height = width, height
        self.parts, self.composition = [], 0

    def _segment(self, seconds, kind, body):
        pts = round(seconds * 90000)
        self.parts.append(b"PG" + struct.pack(">IIBH", pts, 0, kind, len(body)) + body)

    def show(self, seconds, state, placed, defined=(), palette=None, recolored=False):
        """`placed`: [(box, x, y, forced)]; `palette`: {number: name of a colour}."""
        body = struct.pack(">HHBHBBBB", self.width, self.height, 0x10, self.composition, state,
                           0x80 if recolored else 0, 0, len(placed))
        self.composition += 1
        for box, x, y, forced in placed:
            body += struct.pack(">HBBHH", box.number, box.number & 1, 0x40 if forced else 0, x, y)
        self._segment(seconds, 0x16, body)
        if not recolored:
            windows = [struct.pack(">BHHHH", box.number & 1, x, y, box.width, box.height)
                       for box, x, y, _ in placed]
            self._segment(seconds, 0x17, bytes([len(windows)]) + b"".join(windows))
        if palette is not None:
            entries = [bytes([n, *YCC[name]]) for n, name in palette.items()]
            self._segment(seconds, 0x14, b"\0\0" + b"".join(entries))
        for box in defined:
            data = struct.pack(">HH", box.width, box.height) + run_length(box.rows())
            head = struct.pack(">HBB", box.number, 0, 0xC0) + len(data).to_bytes(3, "big")
            self._segment(seconds, 0x15, head + data)
        self._segment(seconds, 0x80, b"")

    def clear(self, seconds):
        self.show(seconds, NORMAL, [])

    def write(self, path):
        path.write_bytes(b"".join(self.parts))


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


# --- PNG (ISO 15948), as far as pictures with a palette have it ---

def _unfilter(kind, line, above):
    out = bytearray(line)
    for i, byte in enumerate(line):
        left, up, corner = (out[i - 1], above[i], above[i - 1]) if i else (0, above[i], 0)
        guess = left + up - corner
        nearest = min((left, up, corner), key=lambda v: abs(guess - v))
        out[i] = byte + (0, left, up, (left + up) // 2, nearest)[kind] & 255
    return out


def read_png(data):
    """Rows of (r, g, b, a)."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(name + body) == struct.unpack_from(">I", data, at + 8 + size)[0]
        chunks[name] = chunks.get(name, b"") + body
        at += 12 + size
    width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, color, interlace) == (8, 3, 0), "eight bits a pixel, of a palette"
    colors = [tuple(chunks[b"PLTE"][i:i + 3]) for i in range(0, len(chunks[b"PLTE"]), 3)]
    alphas = chunks.get(b"tRNS", b"").ljust(len(colors), b"\xff")
    packed = zlib.decompress(chunks[b"IDAT"])
    rows, above = [], bytes(width)
    for y in range(height):
        line = packed[y * (width + 1):(y + 1) * (width + 1)]
        above = _unfilter(line[0], line[1:], above)
        rows.append([(*colors[i], alphas[i]) for i in above])
    return rows


# --- a film with all that can happen on a disc ---

SECONDS = 36
A, B, C = Box(0, 100, 40, 1, 2), Box(1, 200, 60, 1, 2), Box(2, 64, 48, 3, 3)
RED, GREEN = {1: "red", 2: "half"}, {1: "green", 2: "white", 3: "blue"}
YELLOW = {**GREEN, 1: "yellow"}
B_AND_C = [(B, 400, 600, False), (C, 100, 50, False)]
#: (from, to, what is placed, in which colours); the last one is never taken away
SHOWN = [(2, 4, [(A, 200, 600, False)], RED),
         (10, 12, B_AND_C[:1], GREEN),
         (12, 14, B_AND_C, GREEN),   # needs what the set before it defined
         (14, 17, B_AND_C, YELLOW),  # another palette, and nothing else
         (17, 19, B_AND_C, YELLOW),  # an acquisition point: all once more
         (22, 24, [(A, 20, 30, True)], RED),
         (30, SECONDS, [(A, 20, 30, False)], RED)]


def make_sup(path):
    sup = Sup()
    sup.clear(0)
    sup.show(2, EPOCH, SHOWN[0][2], [A], RED)
    sup.clear(4)
    sup.show(10, EPOCH, SHOWN[1][2], [B], GREEN)
    sup.show(12, NORMAL, B_AND_C, [C])
    sup.show(14, NORMAL, B_AND_C, palette={1: "yellow"}, recolored=True)
    sup.show(17, ACQUISITION, B_AND_C, [B, C], YELLOW)
    sup.clear(19)
    sup.show(22, EPOCH, SHOWN[5][2], [A], RED)
    sup.clear(24)
    sup.show(30, EPOCH, SHOWN[6][2], [A], RED)
    sup.write(path)


def make_films(folder, names):
    """Of the same film with the same subtitles: those that are asked for."""
    film = films.make("discs.mkv", films.PICTURE + films.SOUND + films.X264 + films.GOP +
                      ["-c:a", "aac"], seconds=str(SECONDS))
    sup = folder / "lines.sup"
    make_sup(sup)
    both = ["-i", film, "-i", sup, "-map", "0", "-map", "1", "-c", "copy", "-metadata:s:a:0",
            "language=eng", "-metadata:s:s:0", "language=eng", "-metadata:s:s:0", "title=Signs"]
    # what is decoded and encoded again takes the end of a picture from the next one
    ended = ["-i", film, "-fix_sub_duration", "-i", sup, "-map", "0", "-map", "1", "-c", "copy"]
    pgs = folder / "pgs.mkv"
    ffmpeg(*both, pgs)
    for name in names:
        made = folder / name
        if name == "packed.mkv":
            merge("--compression", "2:zlib", "-o", made, pgs)
        elif name == "walk.mkv":
            merge("--cues", "2:none", "-o", made, pgs)
        elif name.startswith("vobsub"):
            ffmpeg(*ended, "-c:s", "dvdsub", made)
        elif name.startswith("dvb"):
            ffmpeg(*ended, "-c:s", "dvbsub", made)
        elif name == "text.mkv":
            lines = folder / "lines.srt"
            lines.write_text("1\n00:00:01,000 --> 00:00:05,000\nWorte\n", encoding="utf-8")
            ffmpeg("-i", pgs, "-i", lines, "-map", "0", "-map", "1", "-c", "copy",
                   "-metadata:s:s:1", "language=deu", made)
            lines.unlink()
        elif name == "forced.mkv":
            ffmpeg("-i", pgs, "-map", "0", "-c", "copy", "-disposition:s:0", "forced", made)
    sup.unlink()


def merge(*words):
    subprocess.run(["mkvmerge", "-q", *map(str, words)], check=True)


if __name__ == "__main__":  # for tests in other languages: a folder, and names of films to make in it
    make_films(pathlib.Path(sys.argv[1]), sys.argv[2:])
