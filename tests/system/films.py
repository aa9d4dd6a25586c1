# SPDX-License-Identifier: GPL-3.0-or-later
"""Films for tests, made by the ffmpeg and mkvmerge programs once per test run and shared."""

import csv
import fcntl
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus" / "media"
FOLDER = pathlib.Path(os.environ.get("MATINEE_TEST_FILMS",
                                     f"{tempfile.gettempdir()}/matinee-test-films-{os.getuid()}"))

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size={size}:rate={rate}:duration={seconds}"]
SOUND = ["-f", "lavfi", "-i",
         "aevalsrc=0.2*sin(2*PI*(300+20*t)*t)|0.2*sin(2*PI*440*t):s=48000:d={seconds}"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p"]
GOP = ["-force_key_frames", "expr:gte(t,n_forced*{gop})", "-sc_threshold", "0", "-g", "10000"]

# name: arguments; {size} {rate} {seconds} {gop} are filled in
RECIPES = {
    # the plain film: two sound tracks, keys every 2 s, Cues at the end
    "plain.mkv": PICTURE + SOUND + SOUND + X264 + GOP + [
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:a", "aac", "-ac", "2",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"],
    "plain.mp4": PICTURE + SOUND + X264 + GOP + ["-c:a", "aac"],
    "faststart.mp4": PICTURE + SOUND + X264 + GOP + ["-c:a", "aac", "-movflags", "+faststart"],
    "ac3.mkv": PICTURE + SOUND + X264 + GOP + ["-c:a", "ac3", "-ac", "6"],
    "eac3.mp4": PICTURE + SOUND + X264 + GOP + ["-c:a", "eac3"],
    "opus.mkv": PICTURE + SOUND + X264 + GOP + ["-c:a", "libopus"],
    "flac.mkv": PICTURE + SOUND + X264 + GOP + ["-c:a", "flac"],
    "mp3.mkv": PICTURE + SOUND + X264 + GOP + ["-c:a", "libmp3lame"],
    "opengop.mkv": PICTURE + ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt",
                              "yuv420p", "-x264-params", "open-gop=1:keyint=48:min-keyint=48"],
    "intra_refresh.mkv": PICTURE + ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt",
                                    "yuv420p", "-x264-params", "intra-refresh=1:keyint=48"],
    "hevc.mkv": PICTURE + SOUND + ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt",
                                   "yuv420p", "-x265-params",
                                   "log-level=none:keyint=48:min-keyint=48:open-gop=1",
                                   "-c:a", "aac"],
    "mpeg2.ts": PICTURE + SOUND + ["-c:v", "mpeg2video", "-q:v", "4", "-c:a", "mp2"],
    "xvid.avi": PICTURE + SOUND + ["-c:v", "mpeg4", "-q:v", "4", "-c:a", "libmp3lame"],
    "sound.flac": SOUND + ["-c:a", "flac"],
    # pictures left out here and there, keys where they fall
    "vfr.mkv": PICTURE + ["-vf", "select=lt(mod(n\\,7)\\,4)", "-fps_mode", "vfr"] + X264 + GOP,
    # an edit list that begins with a picture decoded after others that are shown later
    "cut.mp4": ["-ss", "1.2", "-i", "{plain.mp4}", "-c", "copy"],
    "longgop.mkv": PICTURE + SOUND + X264 + ["-g", "10000", "-sc_threshold", "0", "-c:a", "aac"],
}
SHAPE = {"size": "640x360", "rate": "24000/1001", "seconds": "14", "gop": "2"}
SHAPES = {"longgop.mkv": {"seconds": "26"}, "plain.mkv": {"seconds": "20"}}


def made_of(argument, values):
    """An argument with what stands in braces filled in: a value, or the path of another film."""
    if argument[1:-1] in RECIPES:
        return str(make(argument[1:-1]))
    return argument.format(**values) if "{" in argument else argument


def once(name, fill):
    """The path of `name` in the films' folder, which fill(path) writes the first time anyone asks: to a
    server that has it open what was made anew is another file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / name
    with open(FOLDER / f".{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = FOLDER / f"part-{name}"
            fill(part)
            part.rename(path)
    return path


def make(name, recipe=None, **shape):
    """The path of the film `name`, made by ffmpeg."""
    def fill(part):
        values = {**SHAPE, **SHAPES.get(name, {}), **shape}
        arguments = [made_of(a, values) for a in recipe or RECIPES[name]]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, str(part)], check=True)

    return once(name, fill)


def corpus():
    """The rows of expected.tsv, as dicts; none where there is no corpus."""
    table = CORPUS / "expected.tsv"
    if not table.exists():
        return []
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
