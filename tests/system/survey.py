# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a server gives out for one film, fetched once: what the rules are held against."""

from fractions import Fraction
from functools import cached_property

import codecs_of_init as codecs
import hls
from server import FULL
from viewer import ALL_CAPS, Film


class Rendition:
    """A media playlist, its init, and its segments as far as they were asked for."""

    def __init__(self, film, name, uri):
        self.film, self.name, self.uri = film, name, uri
        answer = film.server.get(film.base + uri)
        self.playlist_answer = answer
        assert answer.status == 200, answer.body
        self.playlist = hls.MediaPlaylist(answer.text)
        self.init = hls.Init(film.fetch(uri, self.playlist.map))
        self.entry = codecs.Entry(self.init)
        self.got = {}

    is_copy = property(lambda self: "-copy" in self.name)
    is_video = property(lambda self: self.name.startswith("video"))
    is_native_double = property(lambda self: self.name.endswith("-b"))

    def path(self, relative):
        return self.film.base + self.uri.rsplit("/", 1)[0] + "/" + relative

    def segment(self, n):
        if n not in self.got:
            self.got[n] = self.film.fetch(self.uri, self.playlist.segments[n].uri)
        return self.got[n]

    @property
    def all(self):
        return [self.segment(s.n) for s in self.playlist.segments]

    @property
    def some(self):
        """Numbers: the first, one from the middle, the last; all of them in full size."""
        count = len(self.playlist.segments)
        return list(range(count)) if FULL else sorted({0, count // 2, count - 1})

    @cached_property
    def cuts(self):
        """Where the playlist says that segments begin, and the end."""
        at = [Fraction(0)]
        for s in self.playlist.segments:
            at.append(at[-1] + s.duration)
        return at

    @cached_property
    def times(self):
        """(begin, end) of each segment's decode times, as the media says."""
        found = []
        for data in self.all:
            parts = hls.parse_segment(data)
            found.append((Fraction(parts[0].tfdt, self.init.timescale),
                          Fraction(parts[-1].tfdt + parts[-1].duration, self.init.timescale)))
        return found

    @cached_property
    def first_shown(self):
        """Media time of each segment's first picture or sample, the offset taken away; a
        picture's includes the constant delay that all video renditions share."""
        return [min(t for t, _ in presentation(data)) / self.init.timescale - hls.OFFSET_S
                for data in self.all]

    def peak(self, target):
        """The highest rate of any run of segments of 0.5 to 1.5 target durations; R 4.4.6.2."""
        sizes = [len(d) * 8 for d in self.all]
        durations = [s.duration for s in self.playlist.segments]
        most = Fraction(0)
        for i in range(len(sizes)):
            bits = length = Fraction(0)
            for size, duration in zip(sizes[i:], durations[i:]):
                bits, length = bits + size, length + duration
                if length > target * Fraction(3, 2):
                    break
                if length >= Fraction(target, 2):
                    most = max(most, bits / length)
        return most or Fraction(sum(sizes)) / sum(durations)

    @property
    def average(self):
        return sum(len(d) * 8 for d in self.all) / self.playlist.duration


def presentation(data):
    """(presentation time in ticks, duration) of each sample of a segment."""
    found = []
    for part in hls.parse_segment(data):
        at = part.tfdt
        for duration, _, _, offset in part.samples:
            found.append((at + offset, duration))
            at += duration
    return found


class Survey:
    def __init__(self, server, name):
        self.server, self.name = server, name
        self.film = Film(server, name)
        self.master = self.film.master
        self.master_path = f"{self.film.base}master.m3u8?client=mse&caps={ALL_CAPS}"
        self.native = hls.MasterPlaylist(server.get(
            f"{self.film.base}master.m3u8?client=native&caps={ALL_CAPS}").text)
        self.all = {rendition: Rendition(self.film, rendition, uri)
                    for rendition, uri in self.film.uris().items()}
        chosen = {n for n, _ in self.film.renditions()}
        self.whole = [r for n, r in self.all.items() if n in chosen]

    @property
    def video(self):
        return [r for r in self.whole if r.is_video]

    @property
    def audio(self):
        return [r for r in self.whole if not r.is_video]

    def group(self, variant):
        """The audio renditions that play beside a variant."""
        return [self.all[m["URI"].split("/")[0]] if "URI" in m else self.of(variant)
                for m in self.master.media
                if m["TYPE"] == "AUDIO" and m["GROUP-ID"] == variant.attrs.get("AUDIO")]

    def sounds(self):
        """(EXT-X-MEDIA, its rendition); without a URI it is that of the variant (R 4.4.6.1)."""
        for m in [m for m in self.master.media if m["TYPE"] == "AUDIO"]:
            uri = m.get("URI") or next(v.uri for v in self.master.variants
                                       if v.attrs.get("AUDIO") == m["GROUP-ID"])
            yield m, self.all[uri.split("/")[0]]

    def of(self, variant):
        return self.all[variant.uri.split("/")[0]]
