// SPDX-License-Identifier: GPL-3.0-or-later
// The films of the browser tests, made by the ffmpeg program: a moving test picture with a clock,
// a key frame every second, two audio tracks that can be told apart. All are dated an hour back: a file
// that has just changed may still be growing, and the server leaves it alone for half a minute.
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

const ACTS = ['The first act', '', 'The third act'];

/** Red, green and blue, each a third of the film and a chapter of its own, the second without a name. */
export async function makeChapterFilm(folder, name, seconds, titles = ACTS) {
  const path = join(folder, name);
  const third = seconds / 3;
  const chapters = titles.map((title, n) =>
    `[CHAPTER]\nTIMEBASE=1/1\nSTART=${n * third}\nEND=${(n + 1) * third}\n${title && `title=${title}\n`}`);
  const list = join(folder, 'chapters.txt');
  await writeFile(list, `;FFMETADATA1\n${chapters.join('')}`);
  await run('ffmpeg', ['-v', 'error', '-y',
    ...['red', 'green', 'blue'].flatMap((colour) => ['-f', 'lavfi', '-i', `color=c=${colour}:size=640x360:rate=24:duration=${third},drawbox=x=mod(t*60\\,600):w=30:h=30:c=white:t=fill`]),
    '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`, '-i', list,
    '-filter_complex', '[0][1][2]concat=n=3[v]', '-map', '[v]', '-map', '3', '-map_metadata', '4', ...COPIED, '-c:a', 'aac', path]);
  await unlink(list);
  return age(path);
}

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 23).replace('.', ',');

/** SubRip: a line for each whole second from 1 on, "{words} 7" from 7.0 to 7.9 s. */
export const linesOf = (words, seconds) => Array.from({ length: seconds - 1 }, (_, i) =>
  `${i + 1}\n${clock(i + 1)} --> ${clock(i + 1.9)}\n${words} <i>${i + 1}</i>\n`).join('\n');

/** A film with subtitles in two languages, the German ones for the deaf. */
export async function makeSubtitledFilm(folder, name, seconds) {
  const path = join(folder, name);
  const work = await mkdtemp(join(tmpdir(), 'matinee-subtitles-'));
  try {
    await writeFile(join(work, 'en.srt'), linesOf('English & line', seconds));
    await writeFile(join(work, 'de.srt'), linesOf('Deutsche Zeile', seconds));
    await run('ffmpeg', ['-v', 'error', '-y',
      '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=24:duration=${seconds}`,
      '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`,
      '-i', join(work, 'en.srt'), '-i', join(work, 'de.srt'), '-map', '0', '-map', '1', '-map', '2', '-map', '3',
      ...COPIED, '-c:a', 'aac', '-c:s:0', 'srt', '-c:s:1', 'ass',
      '-metadata:s:s:0', 'language=eng', '-metadata:s:s:1', 'language=deu', '-metadata:s:s:1', 'title=Deutsch (SDH)', path]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return age(path);
}

const DISCS = fileURLToPath(new URL('../system/discs.py', import.meta.url));

/** Of the film with subtitles that are pictures (tests/system/discs.py): the forms with these names. */
export async function makePictureFilms(folder, names) {
  const work = await mkdtemp(join(tmpdir(), 'matinee-pictures-'));
  try {
    await run('/usr/bin/python3', ['-B', DISCS, work, ...names], { env: { ...process.env, MATINEE_TEST_FILMS: work } });
    for (const name of names) {
      await copyFile(join(work, name), join(folder, name));
      await age(join(folder, name));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A film with sound in 5.1, which no browser plays as it is. */
export async function makeSurroundFilm(folder, name, seconds) {
  const path = join(folder, name);
  await run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=24:duration=${seconds}`,
    '-f', 'lavfi', '-i', `aevalsrc=0.1*sin(2000*t)|0.1*sin(3000*t)|0.3*sin(4000*t)|0|0.1*sin(5000*t)|0.1*sin(6000*t):c=5.1:s=48000:d=${seconds}`,
    ...COPIED, '-c:a', 'ac3', '-metadata:s:a:0', 'language=eng', path]);
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

/** Frames carry their number: as cells of black and white, the lowest bit first, in this top part of the picture. */
export const NUMBER_BITS = 12;
export const NUMBER_ROW = 1 / 8;

/**
 * A film of so many bits a second, its index at its end, whose frames are numbered from 0: Matroska, and
 * from it an MP4 beside it. Answers their paths.
 */
export async function makeNumberedFilms(folder, name, seconds, bitsPerSecond) {
  const [mkv, mp4] = ['mkv', 'mp4'].map((format) => join(folder, `${name}.${format}`));
  const cells = Array.from({ length: NUMBER_BITS }, (_, bit) => {
    const place = `x=iw*${bit}/${NUMBER_BITS}:y=0:w=iw/${NUMBER_BITS}:h=ih*${NUMBER_ROW}:t=fill`;
    return `drawbox=${place}:c=black,drawbox=${place}:c=white:enable='gte(mod(n,${2 ** (bit + 1)}),${2 ** bit})'`;
  });
  await run('ffmpeg', ['-v', 'error', '-y',
    '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=24:duration=${seconds},noise=alls=60:allf=t,${cells.join(',')}`,
    '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`,
    '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-pix_fmt', 'yuv420p',
    '-b:v', String(bitsPerSecond), '-minrate', String(bitsPerSecond), '-maxrate', String(bitsPerSecond), '-bufsize', String(bitsPerSecond),
    '-g', '48', '-keyint_min', '48', '-sc_threshold', '0', '-c:a', 'aac', '-b:a', '96k', '-ac', '2', mkv]);
  await run('ffmpeg', ['-v', 'error', '-y', '-i', mkv, '-c', 'copy', mp4]);
  return { mkv: await age(mkv), mp4: await age(mp4) };
}
