# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of picture and sound, each as it comes out at the other end: sizes, rates, colours, channels,
levels; and who is offered what of them, with the reasons."""

import json
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
from fractions import Fraction

import pytest

import boxes
import codecs_of_init as codecs
import films
import hls
from server import BIN, FULL, Server
from viewer import ALL_CAPS, Film

VIDE = "moov/trak/mdia/minf/stbl/stsd/"
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params",
        "log-level=none:keyint=25:open-gop=0"]
PQ = ["-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084",
      "-colorspace", "bt2020nc"]
HLG = [*PQ[:5], "arib-std-b67", *PQ[6:]]
TONES = (400, 700, 1000, 60, 1600, 1900)
SIX = "|".join(f"0.1*sin(2*PI*{hz}*t)" for hz in TONES)


def source(size="320x180", rate="25", seconds="2"):
    return ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}"]


def grey(level, seconds="2"):
    """A picture of one level of 10 bits."""
    return ["-f", "lavfi", "-i", f"color=c=black:s=320x180:r=25:d={seconds},format=yuv420p10le,"
            f"geq=lum={level}:cb=512:cr=512"]


def cropped_mkv(name):
    """Five of the left, 10 right, 20 above and 30 below."""
    plain = films.make("uncropped.mkv", source("335x230") + X264 + ["-pix_fmt", "yuv444p"])
    return films.once(name, lambda part: subprocess.run(
        ["mkvmerge", "-q", "-o", part, "--cropping", "0:5,20,10,30", plain], check=True))


def dolby(name, profile, compatibility, colours):
    plain = films.make(f"before-{name}", grey(600) + X265 + colours)
    return boxes.made(name, plain, VIDE + "hvc1", boxes.dolby(profile, compatibility))


def rewrapped(name, before):
    return films.make(name, ["-i", str(before), "-c", "copy", "-strict", "unofficial"])


# How each film is made.
MAKE = {
    "cropped.mkv": cropped_mkv,
    "aperture.mp4": lambda n: boxes.made(
        n, films.make("whole.mp4", source("340x200") + X264 + ["-pix_fmt", "yuv420p"]),
        VIDE + "avc1", boxes.clap(320, 180, -4, 6)),
    "ten.mkv": lambda n: films.make(n, source() + X264 + ["-pix_fmt", "yuv420p10le"]),
    "422.mkv": lambda n: films.make(n, source() + X264 + ["-pix_fmt", "yuv422p"]),
    "444.mp4": lambda n: films.make(n, source("321x181") + X264 + ["-pix_fmt", "yuv444p"]),
    "wide.mkv": lambda n: films.make(n, source("360x288") + ["-vf", "setsar=64/45"] + X264 +
                                     ["-pix_fmt", "yuv420p"]),
    "fields.mkv": lambda n: films.make(n, source() + ["-pix_fmt", "yuv420p"] + X264 + [
        "-flags", "+ilme+ildct", "-x264-params", "tff=1"]),
    "pq.mkv": lambda n: films.make(n, grey(600) + X265 + PQ),
    "hlg.mp4": lambda n: films.make(n, grey(600) + X265 + HLG),
    "p5.mp4": lambda n: dolby(n, 5, 0, ["-pix_fmt", "yuv420p10le"]),
    "p5.mkv": lambda n: rewrapped(n, MAKE["p5.mp4"]("p5.mp4")),
    "p7.mkv": lambda n: rewrapped(n, dolby("p7.mp4", 7, 6, PQ)),
    "p81.mp4": lambda n: dolby(n, 8, 1, ["-pix_fmt", "yuv420p10le"]),
    "p84.mkv": lambda n: rewrapped(n, dolby("p84.mp4", 8, 4, HLG)),
    "six.mkv": lambda n: films.make(n, source(seconds="5") + [
        "-f", "lavfi", "-i", f"aevalsrc={SIX}:c=5.1:s=48000:d=5", "-f", "lavfi", "-i", "sine=d=5",
        "-map", "0", "-map", "1", "-map", "2", "-map", "2", "-map", "2", "-map", "2"] + X264 + [
        "-pix_fmt", "yuv420p", "-c:a", "aac", "-c:a:0", "flac", "-disposition:a:1", "comment",
        "-disposition:a:2", "visual_impaired", "-metadata:s:a:3", "title=Director's commentary",
        "-metadata:s:a:4", "title=English (Audio Description)", "-metadata:s:a:0", "language=eng"]),
    "six.mp4": lambda n: films.make(n, source() + ["-f", "lavfi", "-i", "sine=d=2", "-map", "0",
                                                   "-map", "1", "-map", "1"] + X264 + [
        "-pix_fmt", "yuv420p", "-c:a", "aac", "-disposition:a:0", "default",
        "-disposition:a:1", "visual_impaired"]),
}
RATES = {"25/2": Fraction(25, 2), "15": 15, "10": 20, **({"12": 12, "20": 20} if FULL else {})}
for rate in RATES:
    MAKE[f"rate-{rate.replace('/', '-')}.mkv"] = \
        lambda n, r=rate: films.make(n, source(rate=r, seconds="3") + X264 + ["-pix_fmt", "yuv420p"])


if not FULL:  # the same in another container
    for again in ("p5.mkv", "p7.mkv", "422.mkv"):
        del MAKE[again]


def those_of(*names):
    return [name for name in names if (name if isinstance(name, str) else name[0]) in MAKE]


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="matinee-films-"))
    for name, make in MAKE.items():
        os.symlink(make(name), folder / name)
    with Server(folder, settings={"hls.idle_s": 3}) as s:
        s.known = s.files(wait_s=240)
        yield s
    shutil.rmtree(folder)


def media(server, name):
    file, state, title = server.known[name]
    assert state == "ready", (name, title)
    return server.get(f"/api/v1/files/{file}").json["media"]


def track(server, name, kind="video", number=1):
    return next(t for t in media(server, name)["tracks"]
                if t["kind"] == kind and t["number"] == number)


def master(server, name, caps, client="mse"):
    file = server.known[name][0]
    return hls.MasterPlaylist(server.get(
        f"/hls/{file}/master.m3u8?client={client}&caps={caps}").text)


def whole(server, name, rendition, folder, numbers=None):
    """The rendition in one file."""
    film = Film.__new__(Film)
    film.server, film.id = server, server.known[name][0]
    film.base = f"/hls/{film.id}/"
    uri = f"{rendition}/index.m3u8?client=mse"
    playlist = film.playlist(uri)
    path = folder / f"{rendition}.mp4"
    path.write_bytes(film.fetch(uri, playlist.map) + b"".join(
        film.fetch(uri, s.uri) for s in playlist.segments if numbers is None or s.n in numbers))
    return path


def transcode_of(server, name):
    return next(r for r in media(server, name)["renditions"]
                if r["kind"] == "video" and not r["copy"])


def probe(path, stream, fields):
    code, out, err = hls.run("ffprobe", "-v", "error", "-select_streams", stream, "-show_entries",
                             f"stream={fields}", "-of", "default=nw=1", path)
    assert code == 0, err
    return dict(line.split("=") for line in out.decode().split())


def picture(path, at=10, filters="null"):
    """(width, height, grey pixels) of one picture."""
    code, out, err = hls.run("ffmpeg", "-v", "error", "-i", path, "-vf",
                             f"{filters},select=eq(n\\,{at}),format=gray", "-fps_mode",
                             "passthrough", "-f", "image2pipe", "-c:v", "pgm", "-")
    assert code == 0, err
    [(width, height)] = re.findall(rb"^P5\n(\d+) (\d+)\n", out)
    return int(width), int(height), out[-int(width) * int(height):]


def unlike(a, b):
    assert a[:2] == b[:2], (a[:2], b[:2])
    return sum(abs(x - y) for x, y in zip(a[2], b[2])) / len(a[2])


# --- pictures -----------------------------------------------------------------------------------

@pytest.mark.parametrize("name,cut", [("cropped.mkv", "crop=320:180:5:20:exact=1"),
                                      ("aperture.mp4", "crop=320:180:6:16:exact=1")])
def test_edges_that_are_to_be_cut_off_are(server, tmp_path, name, cut):
    """Matroska's PixelCrop and MP4's clean aperture: by conversion, to the pixel; the picture as it is
    coded is not offered as the film's, with the reason."""
    told = track(server, name)
    assert not told["copy"]["offered"] and "edges" in told["copy"]["reason"], told
    rendition = transcode_of(server, name)
    assert (rendition["width"], rendition["height"]) == (320, 180)
    made = picture(whole(server, name, rendition["name"], tmp_path))
    assert unlike(made, picture(MAKE[name](name), filters=cut)) < 4
    beside = cut.replace(":5:", ":9:").replace(":6:", ":10:")
    assert unlike(made, picture(MAKE[name](name), filters=beside)) > 4, "it tells nothing"


@pytest.mark.parametrize("name,reason", those_of(
    ("ten.mkv", "8 bit 4:2:0"), ("422.mkv", "8 bit 4:2:0"), ("444.mp4", "8 bit 4:2:0"),
    ("fields.mkv", "interlaced")))
def test_what_no_browser_decodes_is_converted(server, tmp_path, name, reason):
    """10 bits, 4:2:2, 4:4:4, fields: never copied, whatever the client says, and said why; H.264 of
    8 bit 4:2:0 comes out."""
    told = track(server, name)
    assert not told["copy"]["offered"] and reason in told["copy"]["reason"], told
    for way in told["clients"].values():
        assert way["way"] == "transcode" and reason in way["reason"], told
    offered = master(server, name, ALL_CAPS)
    assert not [v for v in offered.variants if "copy" in v.uri]
    path = whole(server, name, transcode_of(server, name)["name"], tmp_path)
    assert probe(path, "v", "pix_fmt,field_order") == {"pix_fmt": "yuv420p",
                                                       "field_order": "progressive"}
    _, complaints = hls.frame_hashes(path, "v:0")
    assert complaints == ""


def test_anamorphic_pictures_are_shown_in_their_shape(server, tmp_path):
    """360x288 of pixels 64:45 wide is 512x288: so announced, of a copy too."""
    assert track(server, "wide.mkv")["copy"]["offered"]
    for v in master(server, "wide.mkv", ALL_CAPS).variants:
        assert v.attrs["RESOLUTION"] == "512x288"
    path = whole(server, "wide.mkv", "video-288p", tmp_path)
    assert probe(path, "v", "width,height,sample_aspect_ratio") == {
        "width": "512", "height": "288", "sample_aspect_ratio": "1:1"}
    copied = whole(server, "wide.mkv", "video-copy", tmp_path)
    assert probe(copied, "v", "width,sample_aspect_ratio")["sample_aspect_ratio"] == "64:45"


@pytest.mark.parametrize("rate", RATES)
def test_slow_films_keep_their_rate(server, tmp_path, rate):
    """Below 23 pictures a second each stands for as long as the others."""
    name = f"rate-{rate.replace('/', '-')}.mkv"
    path = whole(server, name, transcode_of(server, name)["name"], tmp_path)
    [told] = {v.attrs["FRAME-RATE"] for v in master(server, name, "h264").variants}
    assert Fraction(told) == RATES[rate]
    frames, complaints = hls.frame_hashes(path, "v:0")
    assert complaints == ""
    assert len(frames) == round(3 * RATES[rate])
    # Each picture of the source is one of ours, or each is as many.
    times = RATES[rate] / Fraction(rate)
    assert times.denominator == 1
    for n in (3, 11):
        made = picture(path, int(n * times))
        near = {k: unlike(made, picture(MAKE[name](name), k)) for k in (n - 1, n, n + 1)}
        assert min(near, key=near.get) == n, near


# --- HDR ----------------------------------------------------------------------------------------

# Level 600 of 10 bits: in PQ (600 - 64) / 876 = 0.61 is 281 cd/m2, in HLG the same signal 0.12 of the
# peak. 100 cd/m2 are SDR's white, which the tone curve keeps below white, and above the middle.
@pytest.mark.parametrize("name,least,most", [("pq.mkv", 120, 235), ("hlg.mp4", 70, 200)])
def test_hdr_is_brought_to_sdr(server, tmp_path, name, least, most):
    """BT.709 in the narrow range, said so in stream and playlist, and neither black nor burnt out."""
    path = whole(server, name, transcode_of(server, name)["name"], tmp_path)
    assert probe(path, "v", "color_range,color_space,color_transfer,color_primaries") == {
        "color_range": "tv", "color_space": "bt709", "color_transfer": "bt709",
        "color_primaries": "bt709"}
    width, height, pixels = picture(path, filters="scale=in_range=tv:out_range=tv")
    mean = sum(pixels) / (width * height)
    assert least < mean < most, mean
    assert max(pixels) - min(pixels) < 8, "a plain picture is plain"


def test_hdr_is_for_who_shows_it(server):
    """SDR for all, and HDR beside it for who said that it can."""
    for name, kind in (("pq.mkv", "PQ"), ("hlg.mp4", "HLG")):
        ranges = [v.attrs["VIDEO-RANGE"] for v in master(server, name, "h264,hevc10").variants]
        assert set(ranges) == {"SDR"}
        ranges = [v.attrs["VIDEO-RANGE"] for v in master(server, name, "h264,hevc10,hdr").variants]
        assert set(ranges) == {"SDR", kind} and ranges[0] == kind
        ranges = [v.attrs["VIDEO-RANGE"] for v in master(server, name, "h264,hdr").variants]
        assert set(ranges) == {"SDR"}


@pytest.mark.parametrize("name", those_of("p5.mp4", "p5.mkv"))
def test_dolby_vision_of_its_own_colours_is_refused(server, name):
    """Profile 5: never a green and purple picture, nor its sound alone; in words."""
    _, state, title = server.known[name]
    assert state == "unreadable" and "Dolby Vision profile 5" in title["reason"], title


@pytest.mark.parametrize("name,kind", those_of(("p7.mkv", "PQ"), ("p81.mp4", "PQ"),
                                               ("p84.mkv", "HLG")))
def test_dolby_visions_base_layer_is_what_it_says(server, tmp_path, name, kind):
    """Profiles 7, 8.1 and 8.4: as HDR10 or HLG, without a word of Dolby in the init; and in SDR."""
    variants = master(server, name, ALL_CAPS).variants
    assert {v.attrs["VIDEO-RANGE"] for v in variants} == {kind, "SDR"}
    copied = next(v for v in variants if v.uri.startswith("video-copy"))
    assert copied.attrs["CODECS"].startswith("hvc1.2.")
    path = whole(server, name, "video-copy", tmp_path)
    data = path.read_bytes()
    colr = codecs.Entry(hls.Init(data[:data.index(b"styp") - 4])).boxes["colr"]
    assert b"hvc1" in data[:2000] and not re.search(rb"dv[cvw]C|dvh[1e]", data[:2000])
    assert struct.unpack(">H", colr[6:8])[0] == {"PQ": 16, "HLG": 18}[kind]
    made = whole(server, name, transcode_of(server, name)["name"], tmp_path)
    _, _, pixels = picture(made)
    assert 60 < sum(pixels) / len(pixels) < 235


# --- sound --------------------------------------------------------------------------------------

def samples(path, channels):
    code, out, err = hls.run("ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-f", "s16le", "-")
    assert code == 0 and err == "", err
    values = struct.unpack(f"<{len(out) // 2}h", out)
    return [values[c::channels] for c in range(channels)]


def level(values, hz, begin=48000, count=24000):
    """The amplitude of a tone (Goertzel), full scale 1."""
    w = 2 * math.pi * hz / 48000
    a = b = 0.0
    for v in values[begin:begin + count]:
        a, b = v + 2 * math.cos(w) * a - b, a
    return 2 * math.sqrt(max(0.0, a * a + b * b - 2 * math.cos(w) * a * b)) / count / 32768


def test_surround_comes_out_as_it_went_in(server, tmp_path):
    """A tone in each of six channels: each where it was, as loud as it was; in stereo at the levels
    that are documented."""
    path = whole(server, "six.mkv", "audio-1-aac-surround", tmp_path)
    assert probe(path, "a", "channels,channel_layout") == {"channels": "6", "channel_layout": "5.1"}
    heard = samples(path, 6)
    for c, hz in enumerate(TONES):
        assert level(heard[c], hz) == pytest.approx(0.1, rel=0.025), (c, hz)
        for other in range(6):
            assert other == c or level(heard[other], hz) < 0.001, (other, hz)
    left, right = samples(whole(server, "six.mkv", "audio-1-aac", tmp_path), 2)
    for hz, l, r in zip(TONES, (-3, -99, -3, -9, -6, -99), (-99, -3, -3, -9, -99, -6)):
        for got, want in ((level(left, hz), l), (level(right, hz), r)):
            want = 0.1 * 10 ** (want / 20)
            assert got == pytest.approx(want, rel=0.025, abs=0.0005), (hz, got, want)


@pytest.mark.parametrize("rendition", ["audio-1-aac-surround", "audio-1-aac-night"])
def test_segments_of_other_servers_join(server, tmp_path, rendition):
    """Byte for byte, from one that begins at the end."""
    (tmp_path / "films").mkdir()
    os.symlink(MAKE["six.mkv"]("six.mkv"), tmp_path / "films" / "six.mkv")
    with Server(tmp_path / "films") as other:
        other.known = other.files()
        last = whole(other, "six.mkv", rendition, tmp_path, {3}).read_bytes()
    first = whole(server, "six.mkv", rendition, tmp_path).read_bytes()
    one = whole(server, "six.mkv", rendition, tmp_path, {3}).read_bytes()
    assert last == one and len(last) > 2000
    assert first.endswith(last[last.index(b"moof"):])


def test_sounds_say_what_they_are(server):
    """Flags of Matroska and MP4, and titles; and what players are told of them."""
    for number, commentary, descriptive in ((1, False, False), (2, True, False), (3, False, True),
                                            (4, True, False), (5, False, True)):
        told = track(server, "six.mkv", "audio", number)
        assert (told["commentary"], told["descriptive"]) == (commentary, descriptive), told
    told = [track(server, "six.mp4", "audio", n)["descriptive"] for n in (1, 2)]
    assert told == [False, True]
    lines = master(server, "six.mkv", ALL_CAPS).media
    for m in (m for m in lines if m["GROUP-ID"] == "aac"):
        is_described = "describes-video" in m.get("CHARACTERISTICS", "")
        is_made = m["NAME"] in ("Audio 2", "Director's commentary")
        is_night = "night" in m["NAME"]
        assert is_described == (m["NAME"] in ("Audio 3", "English (Audio Description)")), m
        assert (m["AUTOSELECT"] == "NO") == (is_made or is_night), m
        assert (m["DEFAULT"] == "YES") == (m["NAME"] == "en"), m


def test_surround_is_for_who_has_loudspeakers(server):
    """FLAC in 5.1 as it is, or AAC in 5.1, or stereo: by what the client says."""
    def uris(caps, client="mse"):
        return {m["URI"].split("/")[0] for m in master(server, "six.mkv", caps, client).media}

    assert not uris("h264,aac,flac") & {"audio-1-copy", "audio-1-aac-surround"}
    assert "audio-1-aac-surround" in uris("h264,aac,surround")
    assert "audio-1-copy" in uris("h264,aac,flac,surround")
    assert "audio-1-aac-surround" in uris("h264,aac", "native")
    assert "audio-1-aac-night" in uris("h264,aac")
    assert "audio-1-aac-night" not in uris("h264,aac", "native")


# --- who gets what, and why -----------------------------------------------------------------------

def deliveries(server, name, capabilities):
    played = server.ask("POST", "/api/v1/playback", {
        "file": server.known[name][0], "capabilities": capabilities})
    assert played.status == 201, played.body
    return {(t["kind"], t["number"]): t["delivery"] for t in played.json["tracks"]
            if t["kind"] != "subtitle"}, played.json


def test_a_playback_says_how_it_is_delivered(server):
    """Each track: copied, converted, and why, by what this client told."""
    got, _ = deliveries(server, "pq.mkv", {"codecs": ["avc1.640028"]})
    assert got["video", 1]["way"] == "transcode" and "no hevc" in got["video", 1]["reason"]
    got, _ = deliveries(server, "pq.mkv", {"codecs": ["hvc1.2.4.L153.B0"], "hdr": False})
    assert got["video", 1]["way"] == "transcode" and "HDR (PQ)" in got["video", 1]["reason"]
    got, played = deliveries(server, "pq.mkv", {"codecs": ["hvc1.2.4.L153.B0"], "hdr": True})
    assert got["video", 1] == {"way": "copy"}
    assert "VIDEO-RANGE=PQ" in server.get(played["master"]).text
    got, _ = deliveries(server, "pq.mkv", {"codecs": ["hvc1.2.4.L30.B0"], "hdr": True})
    assert got["video", 1]["way"] == "transcode" and "level" in got["video", 1]["reason"]
    got, played = deliveries(server, "six.mkv", {"codecs": ["flac"], "channels": 6})
    assert got["audio", 1] == {"way": "copy"}
    got, played = deliveries(server, "six.mkv", {"codecs": ["flac"], "channels": 2})
    assert got["audio", 1]["way"] == "transcode" and "6 channels" in got["audio", 1]["reason"]
    got, played = deliveries(server, "six.mkv", {"codecs": [], "screen": {"width": 320,
                                                                        "height": 180}})
    assert "screen.320x180" in played["master"]


def test_inspect_says_it_of_all_kinds_of_clients(server):
    """Without asking a server: as `matinee inspect` prints it."""
    told = subprocess.run([BIN, "inspect", MAKE["pq.mkv"]("pq.mkv")], capture_output=True,
                          check=True, text=True).stdout
    [found] = json.loads(told)["tracks"]
    ways = {name: way["way"] for name, way in found["clients"].items()}
    assert ways == {"browser": "transcode", "browser-hevc": "transcode", "safari": "transcode",
                    "safari-hevc": "copy"}
    assert "HDR" in found["clients"]["browser-hevc"]["reason"]
    assert found == {**track(server, "pq.mkv"), **found}


@pytest.mark.parametrize("wrong", [
    [], {"codecs": {}}, {"codecs": [1]}, {"codecs": ["x" * 65]}, {"codecs": ["avc1"] * 65},
    {"hdr": "yes"}, {"channels": 0}, {"channels": 1e9}, {"screen": {"width": 1}},
    {"screen": {"width": 1, "height": 99999}},
])
def test_nonsense_is_no_capability(server, wrong):
    answer = server.ask("POST", "/api/v1/playback", {
        "file": server.known["six.mkv"][0], "capabilities": wrong})
    assert answer.status == 400 and answer.json["field"] == "capabilities", answer.body
