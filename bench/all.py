#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the benches of the engine and writes what they say into the table of the README.

    bench/all.py [BUILD-FOLDER] [quick]

What they print is kept beside the films, one file a bench. `quick`: a round each, to see that they
run; the README stays as it is. Nothing else should run: look at /proc/loadavg first."""

import json
import subprocess
import sys
import time

import common
import media

README = common.ROOT / "README.md"
BEGIN, END = "<!-- bench/all.py writes from here -->", "<!-- to here -->"
IS_QUICK = "quick" in sys.argv[2:]
# The arguments behind the build folder, usually and in a hurry.
BENCHES = {
    "open": (["9"], ["1"]),
    "seek": (["5"], ["1"]),
    "segment": (["5"], ["1"]),
    "memory": (["200"], ["20"]),
    "viewers": (["0", "60"], ["100", "10"]),
    "requests": (["5"], ["1"]),
    "first_picture": (["7"], ["1"]),
    "ladder": (["5"], ["1"]),
}


def run(name, arguments):
    began = time.monotonic()
    said = subprocess.run([sys.executable, common.ROOT / "bench" / f"{name}.py", common.BUILD,
                           *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout
    print(f"== {name}: {time.monotonic() - began:.0f} s\n{said}", flush=True)
    (media.FOLDER / f"{name}.txt").write_text(said)
    return said


def last_json(said):
    """What a bench says at its end, on one line or several; None where it was skipped."""
    for at in (said.rfind("\n[") + 1, said.rfind("\n{") + 1, 0):
        try:
            return json.loads(said[at:])
        except ValueError:
            continue
    return None


def ladder_rows(results):
    for row in results["ladder"] or []:
        yield (f"CPU for a minute of film, {row['rungs']} {'rung' if row['rungs'] == 1 else 'rungs'}",
               f"{row['cpu_s']:.0f} s",
               f"ffmpeg with the same settings: {row['split_cpu_s']:.0f} s in one process, "
               f"{row['each_cpu_s']:.0f} s in one for each",
               f"{row['to_split']:.2f}, {row['to_each']:.2f}")


def segment_rows(results):
    for row in results["segment"] or []:
        yield (f"{row['kind']}, segments/s", f"{row['rate']:.0f}, {row['cpu_s_per_gb']:.2f} CPU s/GB",
               f"nginx, finished files: {row['nginx_rate']:.0f}, "
               f"{row['nginx_cpu_s_per_gb']:.2f} CPU s/GB",
               f"{row['rate_ratio']:.2f}, CPU {row['cpu_ratio']:.2f}")


def open_rows(results):
    for row in results["open"] or []:
        yield (f"playlists of a film of two hours, {row['film'].split('.')[1]}",
               f"{row['never_seen_ms']:.0f} ms never seen, {row['stored_ms']:.0f} ms seen, "
               f"{row['again_ms']:.1f} ms open", "", "")


def seek_rows(results):
    for row in results["seek"] or []:
        is_copy = row["what"].startswith("copy")
        peer = "" if row["peer_ms"] == 0 else (
            f"a cold pread: {row['peer_ms']:.0f} ms" if is_copy
            else f"ffmpeg, the whole segment: {row['peer_ms']:.0f} ms")
        yield (f"after a seek: {row['what']}", f"{row['ms']:.0f} ms", peer,
               f"{row['ratio']:.2f}" if peer else "")


def other_rows(results):
    memory, viewers = results["memory"], results["viewers"]
    yield ("memory of the server at rest (RSS)", f"{memory['idle_server_rss_kb'] / 1000:.0f} MB", "",
           "")
    yield ("each viewer of a copy", f"{max(memory['viewer_server_kb'], memory['viewer_all_kb']):.0f} kB", "", "")
    yield ("converting to 1080p (RSS)", f"{memory['transcode_process_rss_kb'] / 1000:.0f} MB",
           f"ffmpeg: {memory['ffmpeg_rss_kb'] / 1000:.0f} MB", f"{memory['transcode_ratio']:.2f}")
    yield (f"{viewers['viewers']} viewers of a copy for {viewers['seconds']:.0f} s",
           f"{viewers['stalls']} stalls, {viewers['mbit_per_s'] / 1000:.1f} Gbit/s",
           f"pread and send alone: {viewers['bare_mbit_per_s'] / 1000:.1f} Gbit/s",
           f"{viewers['share_of_bare']:.2f}")


def table(results):
    lines = ["The engine, next to programs that do the same work in the same run (`bench/all.py`):", "",
             "| | matinee | next to | ratio |", "|---|---|---|---|"]
    for rows in (ladder_rows, segment_rows, open_rows, seek_rows, other_rows):
        lines += [f"| {' | '.join(cells)} |" for cells in rows(results)]
    return "\n".join(lines)


def main():
    media.FOLDER.mkdir(parents=True, exist_ok=True)
    said = {name: run(name, quick if IS_QUICK else usual)
            for name, (usual, quick) in BENCHES.items()}
    text = table({name: last_json(output) for name, output in said.items()})
    print(text)
    if IS_QUICK:
        return
    readme = README.read_text()
    before, rest = readme.split(BEGIN)
    README.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
