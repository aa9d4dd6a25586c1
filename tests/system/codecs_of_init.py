# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sample entry of an initialisation segment says, read anew: RFC 6381 strings, profiles,
what a NAL unit begins. For checks that must not believe the server's own reading."""

import struct

import hls

STSD = "moov/trak/mdia/minf/stbl/stsd"
VIDEO_ENTRY, AUDIO_ENTRY = 78, 28  # bytes of fields before the boxes; ISO 14496-12 12.1.3, 12.2.3


class Entry:
    """The one sample entry of an Init."""

    def __init__(self, init):
        data = self.data = init.data
        begin, end = hls.find(data, STSD)
        (self.count,) = struct.unpack(">I", data[begin + 4:begin + 8])
        [(self.kind, begin, end)] = list(hls.boxes(data, begin + 8, end))
        self.is_video = init.kind == "vide"
        if self.is_video:
            self.width, self.height = struct.unpack(">HH", data[begin + 24:begin + 28])
        else:
            self.channels, _, _, _, rate = struct.unpack(">HHHHI", data[begin + 16:begin + 28])
            self.rate = rate >> 16
        skip = VIDEO_ENTRY if self.is_video else AUDIO_ENTRY
        self.boxes = {k: data[b:e] for k, b, e in hls.boxes(data, begin + skip, end)}

    @property
    def codec(self):
        """The string that CODECS must hold, or None for a codec this file cannot read."""
        read = {"avc1": self._avc, "hvc1": self._hevc, "av01": self._av1, "vp09": self._vp9,
                "mp4a": self._mp4a}.get(self.kind)
        return read() if read else self.kind

    def _avc(self):
        return "avc1." + self.boxes["avcC"][1:4].hex().upper()

    def _hevc(self):
        """ISO 14496-15 E.3: the compatibility flags in reverse bit order, trailing zeros gone."""
        c = self.boxes["hvcC"]
        space, tier, profile = c[1] >> 6, c[1] >> 5 & 1, c[1] & 31
        flags = int(f"{struct.unpack('>I', c[2:6])[0]:032b}"[::-1], 2)
        constraints = c[6:12].rstrip(b"\0")
        return ".".join(["hvc1", ["", "A", "B", "C"][space] + str(profile), f"{flags:X}",
                         "LH"[tier] + str(c[12]), *(f"{b:X}" for b in constraints)])

    def _av1(self):
        c = self.boxes["av1C"]
        depth = 8 if not c[2] >> 6 & 1 else 12 if c[2] >> 5 & 1 else 10
        return f"av01.{c[1] >> 5}.{c[1] & 31:02d}{'MH'[c[2] >> 7]}.{depth:02d}"

    def _vp9(self):
        c = self.boxes["vpcC"]
        return f"vp09.{c[4]:02d}.{c[5]:02d}.{c[6] >> 4:02d}"

    def _mp4a(self):
        object_type, config = self.esds()
        return "mp4a.40." + str(config[0] >> 3) if object_type == 0x40 else f"mp4a.{object_type:x}"

    def esds(self):
        """objectTypeIndication and DecoderSpecificInfo; ISO 14496-1 7.2.6."""
        data, at, kind, config = self.boxes["esds"], 4, None, b""
        while at < len(data):
            tag, at, size = data[at], at + 1, 0
            while True:
                byte, at = data[at], at + 1
                size = size << 7 | byte & 127
                if byte < 128:
                    break
            if tag == 3:
                at += 3
            elif tag == 4:
                kind = data[at]
                at += 13
            else:
                if tag == 5:
                    config = data[at:at + size]
                at += size
        return kind, config

    def hevc_arrays(self):
        """(NAL type, units) of hvcC; ISO 14496-15 8.3.3.1."""
        c, at, arrays = self.boxes["hvcC"], 23, []
        for _ in range(c[22]):
            kind, count = c[at] & 63, struct.unpack(">H", c[at + 1:at + 3])[0]
            at += 3
            units = []
            for _ in range(count):
                (size,) = struct.unpack(">H", c[at:at + 2])
                units.append(c[at + 2:at + 2 + size])
                at += 2 + size
            arrays.append((kind, units))
        assert at == len(c), "hvcC has stray bytes"
        return arrays


def nal_units(sample, length_size=4):
    at = 0
    while at < len(sample):
        size = int.from_bytes(sample[at:at + length_size], "big")
        assert 0 < size <= len(sample) - at - length_size, "a NAL unit sticks out of its sample"
        yield sample[at + length_size:at + length_size + size]
        at += length_size + size


def begins_with_key(entry, sample):
    """True when decoding can begin here: IDR for H.264, any IRAP for HEVC."""
    if entry.kind == "avc1":
        size = (entry.boxes["avcC"][4] & 3) + 1
        kinds = [n[0] & 31 for n in nal_units(sample, size)]
        return next(k for k in kinds if k in (1, 2, 5)) == 5
    if entry.kind == "hvc1":
        size = (entry.boxes["hvcC"][21] & 3) + 1
        kinds = [n[0] >> 1 & 63 for n in nal_units(sample, size)]
        return 16 <= next(k for k in kinds if k < 32) <= 21
    if entry.kind == "vp09":  # uncompressed_header(): frame_marker, profile, show_existing, type
        bits = f"{sample[0]:08b}"
        return bits[:2] == "10" and bits[4:6] == "00" if bits[2:4] != "11" else bits[5:7] == "00"
    assert entry.kind == "av01", entry.kind
    return any(kind == 1 for kind in obu_types(sample))  # a sequence header stands before each key


def obu_types(sample):
    """AV1 5.3: the types of the OBUs of a temporal unit."""
    at = 0
    while at < len(sample):
        header = sample[at]
        at += 2 if header & 4 else 1
        assert header & 2, "an OBU without its size"
        size = shift = 0
        while True:
            byte, at = sample[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        yield header >> 3 & 15
        at += size
