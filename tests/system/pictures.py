# SPDX-License-Identifier: GPL-3.0-or-later
"""Which picture of the source a picture of a transcode shows: by how alike they look, small and grey."""

import bisect
import functools
import statistics

import hls

WIDTH, HEIGHT = 32, 18
AREA = WIDTH * HEIGHT
NEAR = 3  # pictures to each side that the right one is told from
# Pictures so close to the one that looks most alike cannot be told from it: a coder's noise.
ALIKE, ALIKE_SHARE = 0.35, 1.5


def begin_of(path):
    """When the file begins by its own clock, sound's or picture's; None: it does not say."""
    code, out, err = hls.run("ffprobe", "-v", "error", "-show_entries", "format=start_time", "-of",
                             "csv=p=0", path)
    assert code == 0, err
    return float(out) if out.strip() != b"N/A" else None


def small(path):
    """[(seconds from the file's begin, grey pixels)] of each picture, as decoded."""
    begin = begin_of(path)
    times, _ = hls.frame_hashes(path, "V:0", "-copyts")
    code, out, err = hls.run("ffmpeg", "-v", "error", "-i", path, "-map", "0:V:0", "-vf",
                             f"scale={WIDTH}:{HEIGHT}:flags=area,format=gray", "-fps_mode",
                             "passthrough", "-f", "rawvideo", "-")
    assert code == 0, err
    pictures = [out[i:i + AREA] for i in range(0, len(out), AREA)]
    assert len(pictures) == len(times), (len(pictures), len(times))
    begin = times[0][0] if begin is None else begin
    return [(float(t) - float(begin), p) for (t, _), p in zip(times, pictures)]


@functools.lru_cache(maxsize=2)
def of_source(path):
    """The same of a film that several transcodes are held against."""
    return small(path)


def unlike(a, b):
    """The mean difference in levels of grey."""
    return sum(map(abs, map(int.__sub__, a, b))) / AREA


def distances(source, made):
    """[(time, [how long after its time in the source the picture of `made` is shown])], for each of
    the pictures that it may be, most alike first. Only while the source shows pictures. Seconds."""
    times = [t for t, _ in source]
    found = []
    for t, picture in [(t - made[0][0], p) for t, p in made]:
        at = bisect.bisect(times, t + 0.001)
        near = range(max(0, at - 1 - NEAR), min(len(source), at + NEAR))
        scored = sorted((unlike(picture, source[i][1]), t - times[i]) for i in near)
        like = [late for score, late in scored if score <= scored[0][0] * ALIKE_SHARE + ALIKE]
        if like and times[0] - 0.001 <= t <= times[-1]:
            found.append((t, like))
    return found


def check_in_step(path, made, step):
    """The pictures of `made`, a transcode of `path`, come when the source's do: none late, early or
    left out beyond what the grid of `step` seconds and the source's own times make of it. All of
    them may be less than a step early: the film then begins with the picture's place on the grid."""
    source = of_source(path)
    longest = max((b[0] - a[0] for a, b in zip(source, source[1:])), default=step)
    off = distances(source, small(made))
    all_early = min(step, max(0, -statistics.median(late[0] for _, late in off))) if off else 0
    least, most = -step / 2 - 0.001 - all_early, max(longest, step) + step / 2 + 0.001 - all_early
    for t, late in off:
        assert any(least <= s <= most for s in late), f"at {t:.3f} s a picture {late[0]:.3f} s late"
