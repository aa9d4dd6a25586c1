# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line on single files: inspect, segment."""

import json
import os
import subprocess

import films
import hls
from server import BIN, SLOW


def matinee(*arguments):
    done = subprocess.run([BIN, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120 * SLOW, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def test_inspect_says_what_is_in_a_film_and_what_each_client_gets():
    code, out, err = matinee("inspect", films.make("ac3.mkv"))
    assert code == 0, err
    about = json.loads(out)
    names = {r["name"] for r in about["renditions"]}
    assert {"video-copy", "video-360p", "audio-1-aac", "audio-1-copy"} <= names
    assert abs(about["duration"] - 14.0) < 0.1
    assert b": 23.976023976024,\n" in out, "no more digits than a number has"


def test_inspect_says_what_this_machine_converts_in_time():
    code, out, err = matinee("inspect", films.make("ac3.mkv"))
    assert code == 0, err
    rungs = {r["name"]: r for r in json.loads(out)["renditions"] if "fits" in r}
    assert set(rungs) == {"video-360p"}, "copies and sound cost next to nothing"
    assert rungs["video-360p"]["fits"] is True, "alone, one gets the smallest, however slow it is"


def test_inspect_says_what_it_does_not_convert_in_time(tmp_path):
    """More pictures a second than any core converts."""
    film = tmp_path / "fast.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                    "testsrc2=size=1920x1080:rate=2000:duration=0.1,noise=alls=20", "-c:v", "libx264",
                    "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-r", "2000", film], check=True)
    code, out, err = matinee("inspect", film)
    assert code == 0, err
    rungs = [r for r in json.loads(out)["renditions"] if "fits" in r]
    assert len(rungs) > 1 and not rungs[0]["fits"], rungs
    assert "cannot convert" in rungs[0]["why"], rungs


def test_a_segment_is_written_whole_and_is_the_same_again(tmp_path):
    film = films.make("plain.mkv")
    code, init, err = matinee("segment", film, "--rendition", "video-copy", "--init")
    assert code == 0, err
    hls.Init(init)
    out = tmp_path / "2.m4s"
    code, _, err = matinee("segment", film, "--rendition", "video-copy", "--index", "2", "-o", out)
    assert code == 0, err
    assert list(tmp_path.iterdir()) == [out]
    again = matinee("segment", film, "--rendition", "video-copy", "--index", "2")[1]
    assert out.read_bytes() == again
    assert hls.parse_segment(again)


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    """As root, -o /dev/null once put a file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = tmp_path / "got"
    with got.open("wb") as file, subprocess.Popen(["cat", pipe], stdout=file) as reader:
        code, _, err = matinee("segment", films.make("plain.mkv"), "--rendition", "video-copy",
                               "--index", "1", "-o", pipe)
        if not pipe.is_fifo():
            reader.kill()
    assert code == 0, err
    assert pipe.is_fifo() and sorted(tmp_path.iterdir()) == [got, pipe]
    assert hls.parse_segment(got.read_bytes())


def test_what_cannot_be_done_is_said():
    film = films.make("plain.mkv")
    for arguments, words in [
        (("inspect", "/no/such/film.mkv"), "/no/such/film.mkv"),
        (("inspect", "/etc/passwd"), ""),
        (("segment", film, "--rendition", "video-copy", "--index", "999"), "0 to"),
        (("segment", film, "--rendition", "video-9p", "--index", "0"), "video-copy"),
        (("segment", film, "--rendition", "video-copy", "--index", "x"), "--index"),
        (("segment", film), "--rendition"),
        (("dance",), "dance"),
    ]:
        code, out, err = matinee(*arguments)
        assert code != 0 and out == b"", arguments
        assert err.splitlines()[-1].startswith("matinee: ") and words in err, err
