// SPDX-License-Identifier: GPL-3.0-or-later
// A swarm of real BitTorrent seeds for a test in the browser; where in a film's file lies what must be
// there to show a part of it; and which of its frames were shown.
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NUMBER_BITS, NUMBER_ROW } from './films.mjs';

const run = promisify(execFile);
const DRIVER = fileURLToPath(new URL('swarm.py', import.meta.url));
const FRAMES_PER_SECOND = 24;
const AT_ENDS = 2; // frames that may be dropped there
const PYTHON = '/usr/bin/python3'; // the one that the distribution's libtorrent is for

/** Why there can be no swarm on this machine; false if there can. */
export const noSwarm = spawnSync(PYTHON, ['-c', 'import libtorrent']).status !== 0 && 'python3-libtorrent is not installed';

export async function startSwarm(content, seeds, pieceBytes) {
  const child = spawn(PYTHON, [DRIVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error('the process of the swarm is gone');
    return JSON.parse(value);
  };
  const { magnet } = await ask({ content, seeds, piece_bytes: pieceBytes });
  return {
    magnet,
    /** How many bytes each seed has sent so far. */
    sent: async () => (await ask({ do: 'sent' })).answer,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** [begin, end) of the index of a film whose index stands at its end: Cues of Matroska, moov of MP4. */
async function indexOf(path, size) {
  const file = await open(path);
  try {
    const tail = Buffer.alloc(Math.min(size, 1 << 20));
    await file.read(tail, 0, tail.length, size - tail.length);
    const at = path.endsWith('.mp4') ? tail.lastIndexOf('moov') - 4 : tail.lastIndexOf(Buffer.from([0x1c, 0x53, 0xbb, 0x6b]));
    assert.ok(at >= 0, 'it has no index at its end');
    return [size - tail.length + at, size];
  } finally {
    await file.close();
  }
}

/** Where the parts of a film lie in its file. */
export async function layoutOf(path) {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', '-show_entries', 'packet=codec_type,pts_time,pos,size:format=size,duration', path],
    { maxBuffer: 1 << 27 });
  const { packets, format } = JSON.parse(stdout);
  const size = Number(format.size);
  const parts = packets.map((packet) => ({ kind: packet.codec_type, at: Number(packet.pts_time), begin: Number(packet.pos), end: Number(packet.pos) + Number(packet.size) }));
  return { size, duration: Number(format.duration), frames: parts.filter(({ kind }) => kind === 'video').length, parts, index: await indexOf(path, size) };
}

/** The span of the file in which all lies that is shown and heard from `from` until `to` seconds. */
export function spanOf({ parts }, from, to) {
  const inside = parts.filter(({ at }) => at >= from && at < to);
  return [Math.min(...inside.map(({ begin }) => begin)), Math.max(...inside.map(({ end }) => end))];
}

/** Bytes of the pieces that these spans touch, as a swarm delivers whole ones; without those that lie in `here`. */
export function bytesOfPieces(spans, pieceBytes, size, here = []) {
  const pieces = new Set(spans.flatMap(([begin, end]) =>
    Array.from({ length: Math.ceil(end / pieceBytes) - Math.floor(begin / pieceBytes) }, (_, i) => Math.floor(begin / pieceBytes) + i)));
  return [...pieces]
    .map((piece) => [piece * pieceBytes, Math.min(size, (piece + 1) * pieceBytes)])
    .filter(([begin, end]) => !here.some(([from, to]) => from <= begin && to >= end))
    .reduce((sum, [begin, end]) => sum + end - begin, 0);
}

/** Runs in the page before its scripts: the number that each shown frame carries, and each time it had to wait, with
 * how many seconds there were in the buffer. */
function frameReader({ bits, row }) {
  const seen = (window.seen = { frames: [], waits: [] });
  const CELL = 8;
  const canvas = new OffscreenCanvas(bits * CELL, CELL);
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const numberIn = (picture) => {
    pen.drawImage(picture, 0, 0, picture.displayWidth, picture.displayHeight * row, 0, 0, canvas.width, canvas.height);
    const { data } = pen.getImageData(0, CELL / 2, canvas.width, 1);
    let number = 0;
    for (let bit = 0; bit < bits; bit++) if (data[(bit * CELL + CELL / 2) * 4 + 1] > 127) number += 2 ** bit;
    return number;
  };
  new MutationObserver((_, self) => {
    const video = document.querySelector('video');
    if (!video) return;
    self.disconnect();
    const next = () => {
      // One object: the element may go on to the next frame between its time and its picture.
      const picture = new VideoFrame(video);
      const time = picture.timestamp / 1e6;
      if (time !== seen.frames.at(-1)?.time) seen.frames.push({ time, number: numberIn(picture) });
      picture.close();
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    video.addEventListener('waiting', () => {
      const { buffered, currentTime: time, seeking } = video;
      const ends = Array.from({ length: buffered.length }, (_, i) => buffered.end(i)).filter((_, i) => buffered.start(i) <= time);
      seen.waits.push({ at: performance.now(), time, seeking, ahead: Math.max(0, (ends.at(-1) ?? time) - time) });
    });
    video.addEventListener('playing', () => {
      const last = seen.waits.at(-1);
      if (last) last.lasted ??= performance.now() - last.at;
    });
  }).observe(document, { childList: true, subtree: true });
}

export const startFrameReader = (page) => page.addInitScript(frameReader, { bits: NUMBER_BITS, row: NUMBER_ROW });

/**
 * Every frame that was shown is the one that belongs to its time, and they came in order, from the first
 * to the last. A busy machine leaves some out, without a gap in what is decoded.
 */
export function judgeNumbers(frames, count) {
  assert.ok(frames.length > count / 4, `of ${count} frames ${frames.length} were looked at`);
  const late = ({ time, number }) => time - number / FRAMES_PER_SECOND;
  const delay = frames.map(late).sort((a, b) => a - b)[Math.floor(frames.length / 2)];
  for (const [i, frame] of frames.entries()) {
    assert.ok(frame.number < count, `there is no frame ${frame.number}`);
    assert.ok(i === 0 || frame.number > frames[i - 1].number, `frame ${frame.number} after ${frames[i - 1]?.number}`);
    assert.ok(Math.abs(late(frame) - delay) < 0.5 / FRAMES_PER_SECOND, `frame ${frame.number} at ${frame.time} s`);
  }
  assert.ok(frames[0].number <= AT_ENDS && frames.at(-1).number >= count - 1 - AT_ENDS, `from ${frames[0].number} to ${frames.at(-1).number} of ${count}`);
}
