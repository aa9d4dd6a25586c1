// SPDX-License-Identifier: GPL-3.0-or-later
// The pictures above the seek bar, and the chapters on it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chapterAt, chapterName, usableChapters } from './chapters';
import { readStoryboard, stillAt, Storyboard } from './storyboard';

const BASE = 'http://film.test/hls/abc/storyboard.vtt';
const TEXT = `WEBVTT

00:00:00.000 --> 00:00:05.000
storyboard/aa11.jpg#xywh=0,0,240,136

00:00:05.000 --> 01:00:00.500
storyboard/aa11.jpg#xywh=240,0,240,136

01:00:00.500 --> 100:00:00.000
storyboard/bb22.jpg#xywh=0,136,240,136
`;

describe('storyboards', () => {
  test('each cue is a part of a sheet', () => {
    const stills = readStoryboard(TEXT, BASE);
    expect(stills.map(({ from, to }) => [from, to])).toEqual([[0, 5], [5, 3600.5], [3600.5, 360000]]);
    expect(stills[1]).toMatchObject({ sheet: 'http://film.test/hls/abc/storyboard/aa11.jpg', x: 240, y: 0, width: 240, height: 136 });
    expect(stills[2]).toMatchObject({ sheet: 'http://film.test/hls/abc/storyboard/bb22.jpg', x: 0, y: 136 });
  });

  test('what is no picture of ours is passed over', () => {
    expect(readStoryboard('WEBVTT\n', BASE)).toEqual([]);
    expect(readStoryboard('', BASE)).toEqual([]);
    const odd = TEXT.replace('storyboard/aa11.jpg#xywh=240', 'https://elsewhere.test/x.jpg#xywh=240').replace('01:00:00.500 --> 100', 'soon --> 100');
    expect(readStoryboard(odd, BASE)).toHaveLength(1);
    expect(readStoryboard(TEXT.replaceAll('\n', '\r\n'), BASE)).toHaveLength(3);
  });

  test('the picture of a moment is the last before it', () => {
    const stills = readStoryboard(TEXT, BASE);
    expect([-1, 0, 4.9, 5, 3600.4, 3600.5, 1e9].map((at) => stillAt(stills, at)?.from)).toEqual([0, 0, 0, 5, 5, 3600.5, 3600.5]);
    expect(stillAt([], 3)).toBeUndefined();
  });
});

describe('asking', () => {
  const answers: Array<() => Response> = [];
  const asked: string[] = [];
  const settle = () => vi.advanceTimersByTimeAsync(1);
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    asked.length = answers.length = 0;
    vi.stubGlobal('fetch', (url: string) => {
      asked.push(url);
      const answer = answers.shift();
      return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError('no net'));
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const open = () => {
    const board = new Storyboard(new AbortController().signal);
    board.follow({ master: '/hls/abc/master.m3u8?client=mse', tracks: [{ kind: 'video', number: 1, codec: 'h264' }] });
    return board;
  };

  test('once, when somebody looks', async () => {
    const board = open();
    answers.push(() => new Response(TEXT));
    expect(asked).toHaveLength(0);
    board.want();
    board.want();
    await settle();
    expect(asked).toEqual([new URL('/hls/abc/storyboard.vtt', document.baseURI).href]);
    expect(board.stills.value).toHaveLength(3);
    board.want();
    expect(asked).toHaveLength(1);
  });

  test('again, later and later, while there are none', async () => {
    const board = open();
    answers.push(() => new Response('WEBVTT\n', { headers: { 'Retry-After': '5' } }), () => new Response('', { status: 503 }), () => new Response(TEXT));
    board.want();
    await settle();
    board.want();
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(4000);
    board.want();
    await settle();
    await vi.advanceTimersByTimeAsync(4000);
    board.want();
    expect(asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(4000);
    board.want();
    await settle();
    expect(board.stills.value).toHaveLength(3);
  });

  test.each([() => new Response('', { status: 404 }), () => new Response('WEBVTT\n')])('never again where there will be none', async (answer) => {
    const board = open();
    answers.push(answer);
    board.want();
    await settle();
    await vi.advanceTimersByTimeAsync(120_000);
    board.want();
    expect(asked).toHaveLength(1);
  });

  test('not for sound alone', () => {
    const board = open();
    board.follow({ master: '/hls/abc/master.m3u8', tracks: [{ kind: 'audio', number: 1, codec: 'aac' }, { kind: 'video', number: 1, codec: 'mjpeg', cover: true }] });
    board.want();
    expect(asked).toHaveLength(0);
  });
});

describe('chapters', () => {
  const chapters = [{ start: 0, end: 60, title: 'Opening' }, { start: 60, end: 120, title: ' ' }, { start: 120, end: 200, title: 'The end' }];

  test('which one is on', () => {
    expect([0, 59.9, 60, 119, 500].map((at) => chapterAt(chapters, at))).toEqual([0, 0, 1, 1, 2]);
    expect(chapterAt([{ start: 5, end: 6, title: '' }], 1)).toBe(-1);
    expect(chapterAt([], 1)).toBe(-1);
  });

  test('those without a name have a number', () => {
    expect(chapters.map((_, index) => chapterName(chapters, index))).toEqual(['Opening', 'Chapter 2', 'The end']);
  });

  test('are in order', () => {
    const odd = [{ start: 90, end: 95, title: 'b' }, { start: -1, end: 2, title: 'x' }, { start: 10, end: 20, title: 'a' }];
    expect(usableChapters(odd).map(({ title }) => title)).toEqual(['a', 'b']);
  });
});
