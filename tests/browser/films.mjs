// SPDX-License-Identifier: GPL-3.0-or-later
// The films of the browser tests, made by the ffmpeg program: a moving test picture with a clock,
// a key frame every second, two audio tracks that can be told apart. All are dated an hour back: a file
// that has just changed may still be growing, and the server leaves it alone for half a minute.
import { execFile } from 'node:child_process';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const HOUR_SECONDS = 3600;

async function age(path) {
  const then = Date.now() / 1000 - HOUR_SECONDS;
  await utimes(path, then, then);
  return path;
}

const COPIED = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-pix_fmt', 'yuv420p', '-b:v', '600k', '-g', '24', '-keyint_min', '24', '-sc_threshold', '0'];
/** No browser plays MPEG-2, so the server makes another picture of it. */
const CONVERTED = ['-c:v', 'mpeg2video', '-qscale:v', '4', '-g', '12'];

/** `converted`: of a format that must be transcoded; `size` is that of the picture. */
export async function makeFilm(folder, name, seconds, { size = '640x360', converted = false } = {}) {
  const path = join(folder, name);
  await run('ffmpeg', ['-v', 'error', '-y',
    '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=24:duration=${seconds}`,
    '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`,
    '-f', 'lavfi', '-i', `sine=frequency=880:sample_rate=48000:duration=${seconds}`,
    '-map', '0', '-map', '1', '-map', '2',
    ...(converted ? CONVERTED : COPIED),
    '-c:a', 'aac', '-b:a', '96k', '-ac', '2',
    '-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=deu', path]);
  return age(path);
}

export async function makeGarbage(folder, name) {
  const path = join(folder, name);
  await writeFile(path, 'this is not a film\n'.repeat(500));
  return age(path);
}

const TONE = (seconds) => `aevalsrc=0.4*sin(2000*t)|0.4*sin(2000*t):s=48000:d=${seconds}`;
/** What may be wrong with the sound of a film that lasts `seconds`: its source, and a filter. */
const SOUNDS = {
  late: (seconds) => [TONE(seconds - 5), 'asetpts=PTS+5/TB'],
  hole: (seconds) => [TONE(seconds - 5), 'asetpts=PTS+5*gte(T\\,4)/TB'],
  shorter: (seconds) => [TONE(seconds - 4), 'anull'],
  longer: (seconds) => [TONE(seconds + 3), 'anull'],
};
export const soundFaults = Object.keys(SOUNDS);

/** A film whose sound begins late, has a hole, or ends before or after the picture. */
export async function makeSoundFilm(folder, name, seconds, fault) {
  const path = join(folder, name);
  const [source, filter] = SOUNDS[fault](seconds);
  await run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=24:duration=${seconds}`,
    '-f', 'lavfi', '-i', source, '-map', '0', '-map', '1', '-af', filter, ...COPIED, '-c:a', 'aac', path]);
  return age(path);
}

/** A white picture and a beep at every whole second; the sound is coded as `sound` says. */
export async function makeSyncFilm(folder, name, seconds, sound) {
  const path = join(folder, name);
  const on = 'lt(mod(t\\,1)\\,0.04)'; // one frame; of the picture half is asked for, as 24.04 mod 1 is less than 0.04
  await run('ffmpeg', ['-v', 'error', '-y',
    '-f', 'lavfi', '-i', `color=c=black:s=320x180:r=25:d=${seconds},drawbox=c=white:t=fill:enable='lt(mod(t,1),0.02)'`,
    '-f', 'lavfi', '-i', `aevalsrc=0.8*sin(2*PI*1000*t)*${on}|0.8*sin(2*PI*1000*t)*${on}:s=48000:d=${seconds}`,
    // Frames that are shown out of order: what shifts times by a delay shows.
    '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '50', '-keyint_min', '50', '-sc_threshold', '0', '-pix_fmt', 'yuv420p',
    '-c:a', sound, path]);
  return age(path);
}
