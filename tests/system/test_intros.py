# SPDX-License-Identifier: GPL-3.0-or-later
"""Intros and credits, found by what episodes of a season have in common, or named by chapters."""

import os
import shutil
import tempfile
import time

import pytest

import films
from server import SLOW, Server

MADE = {"hls.fingerprint_bytes": 1 << 26}
EXACT_S = 0.6

COLD_OPENS = {1: 4.3, 2: 9.1, 3: 1.77}  # seconds, each of another sound
TUNE_S, BODY_S, ENDING_S = 20, 27, 20
CODINGS = {1: ("mkv", ["-c:a", "aac"]), 2: ("mp4", ["-c:a", "aac", "-b:a", "96k"]),
           3: ("mkv", ["-c:a", "libmp3lame", "-b:a", "96k"])}


def tune(seed, seconds):
    """Two voices whose notes change by chance, as the seed says."""
    def note(rate, base, part):
        chance = f"mod(abs(sin(floor(t*{rate})*{part}+{seed})*43758.5453)\\,24)"
        return f"0.2*sin(2*PI*t*{base}*pow(2\\,floor({chance})/12))"
    return f"aevalsrc={note(4, 220, 12.9898)}+{note(3, 110, 78.233)}:s=44100:d={seconds}"


def episode(name, parts, coding):
    """A film whose sound is of these (seed, seconds), one after the other."""
    sounds = [word for seed, seconds in parts for word in ("-f", "lavfi", "-i", tune(seed, seconds))]
    joined = "".join(f"[{i + 1}:a]" for i in range(len(parts)))
    return films.make(name, [
        "-f", "lavfi", "-i", f"testsrc2=size=64x36:rate=5:duration={sum(s for _, s in parts)}",
        *sounds, "-filter_complex", f"{joined}concat=n={len(parts)}:v=0:a=1[a]", "-map", "0:v",
        "-map", "[a]", *films.X264, "-g", "20", *coding])


def with_tunes(number):
    end, coding = CODINGS[number]
    return episode(f"episode-{number}.{end}", [
        (10 + number, COLD_OPENS[number]), (7, TUNE_S), (20 + number, BODY_S), (9, ENDING_S)], coding)


@pytest.fixture(scope="module")
def folder():
    """A season of four, the last one without the tunes; of another show one that has them."""
    made = tempfile.mkdtemp(prefix="matinee-films-")
    for number in COLD_OPENS:
        path = with_tunes(number)
        os.symlink(path, f"{made}/The.Show.S02E0{number}{path.suffix}")
    plain = episode("episode-4.mkv", [(34, 40), (35, 30)], ["-c:a", "aac"])
    os.symlink(plain, f"{made}/The.Show.S02E04.mkv")
    os.symlink(with_tunes(1), f"{made}/Another.Show.S02E05.mkv")
    yield made
    shutil.rmtree(made)


def until(say):
    deadline = time.monotonic() + 60 * SLOW
    while not (said := say()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return said


def is_made(server, count):
    return f"matinee_fingerprints_made_total {count}\n" in server.metrics()


def markers(server, name):
    answer = server.get(f"/api/v1/files/{server.known[name][0]}")
    assert answer.status == 200
    return {m["kind"]: (m["start"], m["end"]) for m in answer.json["markers"]}


def they_are_right(found, number):
    intro = COLD_OPENS[number]
    credit = intro + TUNE_S + BODY_S
    assert found["intro"] == pytest.approx((intro, intro + TUNE_S), abs=EXACT_S)
    assert found["credits"] == pytest.approx((credit, credit + ENDING_S), abs=EXACT_S)


def all_are_right(server):
    for number, (end, _) in CODINGS.items():
        they_are_right(markers(server, f"The.Show.S02E0{number}.{end}"), number)
    assert markers(server, "The.Show.S02E04.mkv") == {}
    assert markers(server, "Another.Show.S02E05.mkv") == {}, "of another show, and alone"


def test_they_are_found_and_kept(folder):
    """Who plays already hears of them; a server that was killed goes on where it was."""
    data = tempfile.mkdtemp(prefix="matinee-data-")
    killed = Server(folder, data=data, settings=MADE).start()
    killed.known = killed.files()
    until(lambda: not is_made(killed, 0))
    killed.stop(kill=True)
    with Server(folder, data=data, settings=MADE) as s:
        s.known = s.files()
        file = s.known["The.Show.S02E02.mp4"][0]
        playback = s.ask("POST", "/api/v1/playback", {"file": file}).json
        assert playback["markers"] == []
        path = f"/api/v1/playback/{playback['id']}"
        found = until(lambda: s.get(path).json["markers"])
        they_are_right({m["kind"]: (m["start"], m["end"]) for m in found}, 2)
        until(lambda: markers(s, "The.Show.S02E03.mkv"))
        assert not is_made(s, 4), "what was heard before the end was kept"
        all_are_right(s)
    with Server(folder, data=data, settings=MADE) as s:
        s.known = s.files()
        all_are_right(s)
        assert s.ask("POST", "/api/v1/playback", {"file": file}).json["markers"] == found
        assert is_made(s, 0)
    with Server(folder, data=data, settings={"hls.fingerprint_bytes": 0}) as s:
        s.known = s.files()
        assert markers(s, "The.Show.S02E01.mkv") == {}
    shutil.rmtree(data)


def test_chapters_that_are_named_so_win(tmp_path):
    """As their makers set them, without another film and without being looked for."""
    text = ";FFMETADATA1\n"
    for start, end, title in ((0, 3, "Prologue"), (3, 13, "Opening"), (13, 40, "Introductions"),
                              (40, 55, "Part B"), (55, 70, "Ending 2")):
        text += f"[CHAPTER]\nTIMEBASE=1/1\nSTART={start}\nEND={end}\ntitle={title}\n"
    (tmp_path / "chapters.txt").write_text(text, encoding="ascii")
    os.mkdir(tmp_path / "films")
    arguments = ["-i", "{source}", "-i", str(tmp_path / "chapters.txt"), "-map_metadata", "1", "-c", "copy"]
    source = episode("episode-4.mkv", [(34, 40), (35, 30)], ["-c:a", "aac"])
    path = films.make("chaptered.mkv", [a.format(source=source) for a in arguments])
    os.symlink(path, tmp_path / "films" / "Some.Film.mkv")
    with Server(tmp_path / "films") as s:
        s.known = s.files()
        found = markers(s, "Some.Film.mkv")
        assert found["intro"] == pytest.approx((3, 13), abs=0.05)
        assert found["credits"] == pytest.approx((55, 70), abs=0.05)
