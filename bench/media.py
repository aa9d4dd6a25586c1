# SPDX-License-Identifier: GPL-3.0-or-later
"""The films benches run on, made once: 1080p24 H.264 High, about 6 Mbit/s, B-frames, keys every 0.8
to 10 s, AAC 5.1 and stereo; ten minutes or as many as asked for, looped from one encode with -c copy."""

import pathlib
import subprocess
import tempfile

FOLDER = pathlib.Path(tempfile.gettempdir()) / "matinee-bench-films"
UNIT_S = 50


def make(name, container, repeats=12, limit_s=None):
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / name
    if path.exists():
        return path
    unit = FOLDER / "unit.mkv"
    if not unit.exists():
        subprocess.run([
            "ffmpeg", "-v", "error", "-y",
            "-f", "lavfi", "-i", f"mandelbrot=size=1920x1080:rate=24,trim=0:{UNIT_S},"
            "noise=alls=6:allf=t",
            "-f", "lavfi", "-i", f"anoisesrc=d={UNIT_S}:c=pink:a=0.2,aformat=cl=5.1",
            "-f", "lavfi", "-i", f"sine=330:d={UNIT_S},aformat=cl=stereo",
            "-map", "0:v", "-map", "1:a", "-map", "2:a", "-t", str(UNIT_S),
            "-c:v", "libx264", "-preset", "superfast", "-b:v", "6M", "-maxrate", "9M",
            "-bufsize", "12M", "-bf", "3", "-pix_fmt", "yuv420p", "-profile:v", "high",
            "-g", "10000", "-sc_threshold", "0",
            "-force_key_frames", "expr:gte(t,n_forced*4)+between(t,21,21.05)+between(t,30.8,30.85)",
            "-c:a", "aac", "-b:a:0", "384k", "-b:a:1", "192k", str(unit) + ".part.mkv"],
            check=True)
        pathlib.Path(str(unit) + ".part.mkv").rename(unit)
    part = FOLDER / f"part-{name}"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-stream_loop", str(repeats - 1), "-i",
                    str(unit), "-map", "0", "-c", "copy",
                    *(["-t", str(limit_s)] if limit_s else []), "-f", container, str(part)],
                   check=True)
    part.rename(path)
    return path
