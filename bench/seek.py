#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long after a seek the film is there: the film is open, the place is new.

    bench/seek.py [BUILD-FOLDER] [ROUNDS]

Copies: the whole segment, with the film in the page cache, and with none of it there
(posix_fadvise), next to one plain pread of the same bytes, as cold. Transcodes: until the first
part of the picture (moof + mdat, which decodes alone) is there, next to `ffmpeg -ss` that makes the
same segment and ends. Segments begin on keys of the source and last about 4 s; each is asked for
once, far from the one before."""

import json
import mmap
import os
import statistics
import tempfile
import time

import common
import media
import play
from server import Server

ROUNDS = common.number(2, 5)
PLACES = 6  # a round, over the film
SETTINGS = {"library.rescan_s": 3600, "hls.ahead_s": 0}
MARK_BYTES = 48


def forget_pages(path):
    with open(path, "rb") as film:
        os.fsync(film.fileno())
        os.posix_fadvise(film.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def find_bytes(path, body):
    """(offset, length) of the film's bytes that a segment holds."""
    def first_of(data, at):
        return data.index(b"mdat", at) + 4
    head = first_of(body, 0) + 4
    mark, tail = body[head:head + MARK_BYTES], body[-MARK_BYTES:]
    with open(path, "rb") as film, mmap.mmap(film.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = data.find(mark)
        while begin >= 0:
            end = data.find(tail, begin, begin + 2 * len(body))
            if end >= 0:
                return begin, end + MARK_BYTES - begin
            begin = data.find(mark, begin + 1)
    raise AssertionError("the segment is not in the film")


def time_pread(path, offset, length):
    """Seconds for a cold pread into memory that is there."""
    into = bytearray(length)
    forget_pages(path)
    with open(path, "rb", buffering=0) as film:
        began = time.perf_counter()
        done = 0
        while done < length:
            done += os.preadv(film.fileno(), [memoryview(into)[done:]], offset + done)
        return time.perf_counter() - began


def segments_apart(film, rendition, round_):
    """Segments far from each other, other ones each round."""
    segments = film.playlist(rendition).segments
    step = len(segments) // PLACES
    return [segments[1 + place * step + round_ % (step - 1)]
            for place in (0, 3, 1, 4, 2, 5)]


def seek_copies(folder, data, name, is_cold):
    """[(seconds, of a cold pread)]"""
    rows = []
    for round_ in range(ROUNDS):
        with Server(folder, data=data, settings=SETTINGS) as server:
            film = play.Film(server, name)
            server.get(film.paths("video-copy")[0])
            connection = server.connect()
            for segment in segments_apart(film, "video-copy", round_):
                plain = 0
                time.sleep(0.05)
                if is_cold:
                    forget_pages(folder / name)
                got = play.Timed(server.port, film.path("video-copy", segment), connection)
                if is_cold:
                    plain = time_pread(folder / name, *find_bytes(folder / name, got.body))
                rows.append((got.last, plain))
    return rows


def seek_transcodes(folder, data, name, rendition):
    """[(seconds to the first part, of ffmpeg to its end)]"""
    rows = []
    for round_ in range(ROUNDS):
        common.forget_cache(data)
        with Server(folder, data=data, settings=SETTINGS) as server:
            film = play.Film(server, name)
            server.get(film.paths(rendition)[1])
            at = {s.uri: sum(x.duration for x in film.playlist(rendition).segments[:s.n])
                  for s in film.playlist(rendition).segments}
            keys = {round(float(sum(x.duration for x in film.playlist("video-copy").segments[:i])), 1)
                    for i in range(len(film.playlist("video-copy").segments))}
            whole = [s for s in film.playlist(rendition).segments
                     if s.duration > 3.5 and round(float(at[s.uri]), 1) in keys]
            for place in (1, 3):
                segment = whole[len(whole) * place // 4 + 2 * round_]
                got = play.Timed(server.port, film.path(rendition, segment))
                peer = play.run_ffmpeg(folder / name, float(at[segment.uri]),
                                       float(segment.duration), rendition, sound=False)
                rows.append((got.first_part, peer))
    return rows


def main():
    films = [media.make("m10.mkv", "matroska"), media.make("m10.mp4", "mp4")]
    for film in films:
        folder = common.put_in_library(media.FOLDER / "library", film)
    result = []

    def say(what, ours, theirs, ratio, promise):
        print(f"{what:32} {ours * 1e3:8.1f} ms  {theirs * 1e3:8.1f} ms  {ratio:6.3f}  {promise}")
        result.append({"what": what, "ms": round(ours * 1e3, 2), "peer_ms": round(theirs * 1e3, 2),
                       "ratio": round(ratio, 3)})

    print(f"{'':32} {'matinee':>11}  {'peer':>11}  {'ratio':>6}")
    with tempfile.TemporaryDirectory(prefix="matinee-bench-") as data:
        with Server(folder, data=data, settings=SETTINGS) as server:
            server.library()
        for film in films:
            warm = statistics.median(s for s, _ in seek_copies(folder, data, film.name, False))
            say(f"copy, {film.suffix[1:]}, warm", warm, 0, 0, "at most 5 ms")
            rows = seek_copies(folder, data, film.name, True)
            cold, plain = (statistics.median(column) for column in zip(*rows))
            say(f"copy, {film.suffix[1:]}, cold", cold, plain, cold / plain,
                f"at most {(1.3 * plain + 0.005) * 1e3:.1f} ms (1.3 x pread + 5 ms)")
        for rendition in ("video-720p", "video-1080p"):
            rows = seek_transcodes(folder, data, films[0].name, rendition)
            first, peer = (statistics.median(column) for column in zip(*rows))
            say(f"{rendition}, first picture", first, peer,
                statistics.median(a / b for a, b in rows), "at most 0.2")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
