# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes put into MP4 files that no program at hand would write (ISO 14496-12)."""

import struct

import films

# Bytes of a box before its children, beyond its header.
FIELDS = {"stsd": 8, "avc1": 78, "hvc1": 78, "hev1": 78, "ec-3": 28}


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def clap(width, height, x=0, y=0):
    """A clean aperture (12.1.4), whose centre lies x, y from the picture's."""
    return box("clap", struct.pack(">IIIIiIiI", width, 1, height, 1, x, 1, y, 1))


def dolby(profile, compatibility):
    """dvcC for profiles up to 7, dvvC beyond: level 6, with its RPU, and its base layer."""
    bits = profile << 9 | 6 << 3 | 0b101
    return box("dvvC" if profile > 7 else "dvcC",
               bytes([1, 0]) + struct.pack(">H", bits) + bytes([compatibility << 4]) + bytes(19))


def children(data, begin, end):
    while begin + 8 <= end:
        size, kind = struct.unpack(">I4s", data[begin:begin + 8])
        if size == 1:
            size = struct.unpack(">Q", data[begin + 8:begin + 16])[0]
        yield begin, size, kind.decode("latin-1")
        begin += max(size, 8)


def insert(data, path, new):
    """`new` behind the last child of the box at `path`, which stands behind the media."""
    data, begin, end, at = bytearray(data), 0, len(data), []
    for wanted in path.split("/"):
        begin, size = next((b, s) for b, s, k in children(data, begin, end) if k == wanted)
        at.append(begin)
        end = begin + size
        begin += 8 + FIELDS.get(wanted, 0)
    assert data.index(b"mdat") < at[0], "the media would move"
    for b in at:
        size = struct.unpack(">I", data[b:b + 4])[0]
        data[b:b + 4] = struct.pack(">I", size + len(new))
    data[end:end] = new
    return bytes(data)


def made(name, source, path, new):
    """The film `name`: another with a box put in, made once."""
    return films.once(name, lambda part: part.write_bytes(insert(source.read_bytes(), path, new)))
