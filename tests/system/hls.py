# SPDX-License-Identifier: GPL-3.0-or-later
"""HLS and CMAF as a strict player reads them. Each check names the rule of RFC 8216 (bis), of
ISO 14496-12, or of Apple's authoring specification that it holds the server to."""

import re
import struct
import subprocess
import tempfile
import pathlib
from fractions import Fraction

MEDIA_TAGS = ("#EXT-X-TARGETDURATION", "#EXTINF", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE",
              "#EXT-X-ENDLIST", "#EXT-X-MAP", "#EXT-X-BYTERANGE", "#EXT-X-DISCONTINUITY")
MASTER_TAGS = ("#EXT-X-STREAM-INF", "#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF",
               "#EXT-X-SESSION-DATA")
OFFSET_S = 10


def attributes(line):
    """The attribute list behind a tag, RFC 8216 4.2."""
    text = line.split(":", 1)[1]
    found = {}
    for name, quoted, plain in re.findall(r'([A-Z0-9-]+)=(?:"([^"]*)"|([^",\s]+))', text):
        assert name not in found, f"{name} twice in {line}"
        found[name] = quoted or plain
    return found


class Segment:
    def __init__(self, n, uri, duration):
        self.n, self.uri, self.duration = n, uri, duration


class MediaPlaylist:
    def __init__(self, text):
        self.text = text
        lines = check_lines(text)
        assert not any(l.startswith(MASTER_TAGS) for l in lines), "rule 3: multivariant tag"
        self.version = int(single(lines, "#EXT-X-VERSION"))
        self.target = int(single(lines, "#EXT-X-TARGETDURATION"))
        self.type = single(lines, "#EXT-X-PLAYLIST-TYPE")
        self.sequence = int(single(lines, "#EXT-X-MEDIA-SEQUENCE", "0"))
        self.independent = "#EXT-X-INDEPENDENT-SEGMENTS" in lines
        self.iframes_only = "#EXT-X-I-FRAMES-ONLY" in lines
        self.ended = lines[-1] == "#EXT-X-ENDLIST"
        maps = [attributes(l) for l in lines if l.startswith("#EXT-X-MAP:")]
        self.map = maps[0]["URI"] if maps else None
        self.map_count = len(maps)
        self.segments = []
        duration = None
        for line in lines:
            if line.startswith("#EXTINF:"):
                duration = Fraction(line[8:].split(",")[0])
            elif not line.startswith("#"):
                assert duration is not None, f"URI without EXTINF: {line}"
                self.segments.append(Segment(len(self.segments), line, duration))
                duration = None

    @property
    def duration(self):
        return sum((s.duration for s in self.segments), Fraction(0))


class Variant:
    def __init__(self, attrs, uri):
        self.attrs, self.uri = attrs, uri


class MasterPlaylist:
    def __init__(self, text):
        self.text = text
        lines = check_lines(text)
        assert not any(l.startswith(MEDIA_TAGS) for l in lines), "rule 3: media tag"
        self.version = int(single(lines, "#EXT-X-VERSION"))
        self.independent = "#EXT-X-INDEPENDENT-SEGMENTS" in lines
        self.media = [attributes(l) for l in lines if l.startswith("#EXT-X-MEDIA:")]
        self.variants = []
        self.iframes = [attributes(l) for l in lines if l.startswith("#EXT-X-I-FRAME-STREAM-INF:")]
        for i, line in enumerate(lines):
            if line.startswith("#EXT-X-STREAM-INF:"):
                assert not lines[i + 1].startswith("#"), "STREAM-INF without its URI"
                self.variants.append(Variant(attributes(line), lines[i + 1]))


def single(lines, tag, default=None):
    found = [l for l in lines if l == tag or l.startswith(tag + ":")]
    assert len(found) <= 1, f"rule 3: {tag} stands {len(found)} times"
    if not found:
        assert default is not None, f"{tag} is missing"
        return default
    return found[0].split(":", 1)[1] if ":" in found[0] else True


def check_lines(text):
    """Rule 1: #EXTM3U first, UTF-8, no BOM, LF only, no control characters (RFC 8216 4.1)."""
    assert text.startswith("#EXTM3U\n"), text[:40]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), "control characters"
    assert text.endswith("\n")
    return [l for l in text.split("\n") if l]


def check_media_playlist(playlist, native=False):
    """Rules 2, 4, 5, 7, 9, 65 of one media playlist."""
    assert playlist.version >= 6, "rule 2: EXT-X-MAP needs version 6"
    assert playlist.type == "VOD" and playlist.ended, "rule 7"
    assert playlist.sequence == 0, "decision 3"
    assert playlist.map_count == 1, "rule 9"
    assert playlist.segments, "no segments"
    for s in playlist.segments:
        assert s.duration > 0, f"rule 5: EXTINF of {s.n} is {s.duration}"
        assert round(s.duration) <= playlist.target, f"rule 4: {s.n}: {float(s.duration)}"
        # (0.5 rounds away from zero for RFC 8216; Python rounds to even.)
        assert int(s.duration + Fraction(1, 2)) <= playlist.target, f"rule 4: segment {s.n}"
    for s in playlist.segments[:-1]:
        assert s.duration > Fraction(9, 10), f"rule 65: segment {s.n} is {float(s.duration)} s"
    if native:
        assert playlist.target >= 10, "decision 6"


def check_master_playlist(master):
    """Rules 2, 19, 23 to 29, 32, 33 of the multivariant playlist."""
    assert master.version >= 6
    assert master.variants, "no variants"
    groups = {}
    for m in master.media:
        groups.setdefault((m["TYPE"], m["GROUP-ID"]), []).append(m)
    for (kind, _), members in groups.items():
        names = [m["NAME"] for m in members]
        assert len(set(names)) == len(names), f"rule 28: names {names}"
        assert sum(m.get("DEFAULT") == "YES" for m in members) <= 1, "rule 28: two defaults"
        for m in members:
            if m.get("DEFAULT") == "YES":
                assert m.get("AUTOSELECT") == "YES", "rule 28"
            assert "LANGUAGE" in m, "rule 28: LANGUAGE"
            if kind == "AUDIO":
                assert re.fullmatch(r"\d+(/.*)?", m["CHANNELS"]), "rule 29"
    captions = set()
    for v in master.variants:
        a = v.attrs
        for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"):
            assert name in a, f"rule 19: {name}"
        assert int(a["BANDWIDTH"]) >= int(a["AVERAGE-BANDWIDTH"]), "rule 20"
        if "RESOLUTION" in a:
            assert re.fullmatch(r"[1-9]\d*x[1-9]\d*", a["RESOLUTION"])
            assert "FRAME-RATE" in a, "rule 19: FRAME-RATE"
            assert a.get("VIDEO-RANGE") in ("SDR", "PQ", "HLG"), "rule 24"
        captions.add(a.get("CLOSED-CAPTIONS"))
        if "AUDIO" in a:
            assert ("AUDIO", a["AUDIO"]) in groups, "rule 27"
    assert len(captions) == 1, "rule 32"
    members = [sorted((m["NAME"], m["LANGUAGE"]) for m in g)
               for (kind, _), g in groups.items() if kind == "AUDIO"]
    languages = [{m[1] for m in g} for g in members]
    assert all(l <= set().union(*languages) for l in languages)


# --- ISO base media files ---

def boxes(data, begin=0, end=None):
    """(type, begin of the payload, end) of each box; ISO 14496-12 4.2."""
    end = len(data) if end is None else end
    while begin < end:
        assert end - begin >= 8, f"{end - begin} stray bytes"
        size, kind = struct.unpack(">I4s", data[begin:begin + 8])
        header = 8
        if size == 1:
            size, header = struct.unpack(">Q", data[begin + 8:begin + 16])[0], 16
        assert size >= header and begin + size <= end, f"{kind} of {size} bytes sticks out"
        yield kind.decode("latin1"), begin + header, begin + size
        begin += size


def find(data, path, begin=0, end=None):
    """The payload of the first box at path, as (begin, end), or None."""
    for part in path.split("/"):
        for kind, b, e in boxes(data, begin, end):
            if kind == part:
                begin, end = b, e
                break
        else:
            return None
    return begin, end


class Init:
    """What an initialisation segment says. Rules 55, 58."""

    def __init__(self, data):
        self.data = data
        kinds = [k for k, _, _ in boxes(data)]
        assert kinds == ["ftyp", "moov"], kinds
        b, e = find(data, "ftyp")
        brands = [data[i:i + 4] for i in range(b, e, 4) if i != b + 4]
        assert b"iso6" in brands or b"cmfc" in brands or b"iso5" in brands, brands
        moov = find(data, "moov")
        parts = [k for k, _, _ in boxes(data, *moov)]
        assert parts.count("trak") == 1 and "mvex" in parts, parts
        assert find(data, "moov/trak/edts") is None, "rule 58: an edit list"
        b, _ = find(data, "moov/trak/mdia/mdhd")
        self.timescale = struct.unpack(">I", data[b + (20 if data[b] else 12):][:4])[0]
        b, _ = find(data, "moov/trak/tkhd")
        self.track = struct.unpack(">I", data[b + (20 if data[b] else 12):][:4])[0]
        b, e = find(data, "moov/trak/mdia/hdlr")
        self.kind = data[b + 8:b + 12].decode()
        for box in ("stts", "stsc", "stco"):
            b, _ = find(data, "moov/trak/mdia/minf/stbl/" + box)
            assert struct.unpack(">I", data[b + 4:b + 8])[0] == 0, f"rule 55: {box} has entries"
        b, _ = find(data, "moov/trak/mdia/minf/stbl/stsd")
        self.entry = data[b + 12:b + 16].decode()


class Part:
    def __init__(self, tfdt, samples, payload):
        self.tfdt, self.samples, self.payload = tfdt, samples, payload

    @property
    def duration(self):
        return sum(s[0] for s in self.samples)


def parse_trun(data, b, e):
    """Samples as (duration, size, flags, composition offset); ISO 14496-12 8.8.8."""
    word, count = struct.unpack(">II", data[b:b + 8])
    version, flags = word >> 24, word & 0xFFFFFF
    at = b + 8
    offset = None
    if flags & 1:
        offset = struct.unpack(">i", data[at:at + 4])[0]
        at += 4
    first_flags = None
    if flags & 4:
        first_flags = struct.unpack(">I", data[at:at + 4])[0]
        at += 4
    samples = []
    for i in range(count):
        sample = [0, 0, first_flags if i == 0 and first_flags is not None else 0, 0]
        for bit, place in ((0x100, 0), (0x200, 1), (0x400, 2), (0x800, 3)):
            if flags & bit:
                form = ">i" if place == 3 and version == 1 else ">I"
                sample[place] = struct.unpack(form, data[at:at + 4])[0]
                at += 4
        samples.append(tuple(sample))
    assert at == e, "trun's size is wrong"
    return offset, samples


def parse_segment(data):
    """A media segment as its parts; rule 56."""
    parts = []
    sequence = set()
    moof = None
    kinds = []
    for kind, b, e in boxes(data):
        kinds.append(kind)
        if kind == "moof":
            moof = (b, e)
        elif kind == "mdat":
            assert moof is not None, "mdat before moof"
            mb, me = moof
            begin = mb - 8
            x, _ = find(data, "mfhd", mb, me)
            sequence.add(struct.unpack(">I", data[x + 4:x + 8])[0])
            x, _ = find(data, "traf/tfhd", mb, me)
            assert struct.unpack(">I", data[x:x + 4])[0] & 0x020000, "default-base-is-moof"
            x, _ = find(data, "traf/tfdt", mb, me)
            tfdt = struct.unpack(">Q" if data[x] == 1 else ">I",
                                 data[x + 4:x + (12 if data[x] == 1 else 8)])[0]
            x, y = find(data, "traf/trun", mb, me)
            offset, samples = parse_trun(data, x, y)
            assert begin + offset == b, "data_offset points beside mdat"
            assert sum(s[1] for s in samples) == e - b, "samples do not fill mdat"
            parts.append(Part(tfdt, samples, data[b:e]))
            moof = None
    assert kinds[0] == "styp", kinds
    assert moof is None, "a moof without its mdat"
    assert len(sequence) == 1, f"mfhd differs between the parts of a segment: {sequence}"
    return parts


def check_join(init, segments, playlist, is_copy=False):
    """Rules 5, 6, 53, 56, 57: tfdt(n+1) = tfdt(n) + the durations of n, to the tick; EXTINF is the
    media's own, to a tick where decision 7 says so: a copy's boundary may move by its leading
    pictures, and copied sound may end before the picture. `segments` = all of them, in order."""
    is_copy_video = is_copy and init.kind == "vide"
    last = playlist.segments[-1].n
    at = None
    for s, data in zip(playlist.segments, segments):
        begin = None
        for part in parse_segment(data):
            assert at is None or part.tfdt == at, \
                f"segment {s.n}: tfdt {part.tfdt}, expected {at} (a tick is 1/{init.timescale} s)"
            begin = part.tfdt if begin is None else begin
            at = part.tfdt + part.duration
        media = Fraction(at - begin, init.timescale)
        if is_copy and not is_copy_video and s.n == last and media < s.duration:
            continue
        slack = Fraction(1, 2) if is_copy_video else Fraction(1, init.timescale) + Fraction(1, 10**6)
        assert abs(media - s.duration) <= slack, \
            f"segment {s.n} is {float(media)} s, EXTINF says {float(s.duration)}"
    return at


# --- decoding by the ffmpeg program ---

def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def frame_hashes(path, stream, *more):
    """(pts in seconds, hash) of each decoded frame, and what the decoder complained of."""
    code, out, err = run("ffmpeg", "-v", "error", "-i", path, "-map", f"0:{stream}",
                         "-fps_mode" if stream.startswith("v") else "-async",
                         "passthrough" if stream.startswith("v") else "0", *more,
                         "-f", "framehash", "-hash", "md5", "-")
    assert code == 0, err
    frames = []
    base = Fraction(1)
    for line in out.decode().splitlines():
        if line.startswith("#tb"):
            base = Fraction(line.split()[-1])
        elif not line.startswith("#"):
            cells = [c.strip() for c in line.split(",")]
            frames.append((int(cells[2]) * base, cells[5]))
    return frames, err


def joined(init, segments, folder):
    path = pathlib.Path(tempfile.mkstemp(suffix=".mp4", dir=folder)[1])
    path.write_bytes(init + b"".join(segments))
    return path
