# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures flash and sounds beep, as the ffmpeg program shows and plays them: the offset of
sound against picture, whatever the rendition, in seconds."""

import re

import films
import hls

SECONDS = 16
# A white picture and a beep at every whole second; keys every 4 s.
FLASHES = ["-f", "lavfi", "-i", "color=c=black:s=320x180:r=25:d=16,"
           "drawbox=c=white:t=fill:enable='lt(mod(t,1),0.04)'"]
BEEPS = ["-f", "lavfi", "-i",
         "aevalsrc=0.8*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.04)|0.8*sin(2*PI*1000*t)*"
         "lt(mod(t\\,1)\\,0.04):s=48000:d=16"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "100", "-keyint_min", "100",
        "-sc_threshold", "0", "-pix_fmt", "yuv420p"]

BRIGHT = 150
LOUD_DB = -10
WINDOW = 24  # samples: half a millisecond at 48 kHz


def film(name, *codec):
    return films.make(name, FLASHES + BEEPS + X264 + list(codec))


def readings(source, stream, filters, key):
    """(time, value) of each frame, as it is stamped."""
    kind = ["-fps_mode", "passthrough", "-vf"] if stream[0] == "v" else ["-af"]
    code, out, err = hls.run("ffmpeg", "-v", "error", "-copyts", "-i", source,
                             "-map", f"0:{stream}", *kind,
                             f"{filters}metadata=print:key={key}:file=-", "-f", "null", "-")
    assert code == 0, err
    return [(float(t), float(v)) for t, v in
            re.findall(r"pts_time:(\S+)\nlavfi\.\S+=(\S+)", out.decode())]


def flashes(source, stream="v:0"):
    seen = readings(source, stream, "signalstats,", "lavfi.signalstats.YAVG")
    return rises([(t, v > BRIGHT) for t, v in seen])


def beeps(source, stream="a:0"):
    heard = readings(source, stream, f"aformat=channel_layouts=mono,asetnsamples=n={WINDOW}:p=0,"
                     "astats=metadata=1:reset=1:measure_perchannel=none:"
                     "measure_overall=Peak_level,a", "lavfi.astats.Overall.Peak_level")
    return rises([(t, v > LOUD_DB) for t, v in heard])


def rises(states):
    """Where it sets in after at least 0.3 s without."""
    found, last = [], -1.0
    for time, is_on in states:
        if is_on:
            if time - last > 0.3:
                found.append(time)
            last = time
    return found


def offsets(pictures, sounds):
    """Sound minus picture for each flash that has a beep near it; all but one do where both are."""
    found = []
    for picture in pictures:
        near = min(sounds, key=lambda s: abs(s - picture))
        if abs(near - picture) < 0.45:
            found.append(near - picture)
    assert len(found) >= max(1, min(len(pictures), len(sounds)) - 1), (pictures, sounds)
    return found
