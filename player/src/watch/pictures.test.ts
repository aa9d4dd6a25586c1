// SPDX-License-Identifier: GPL-3.0-or-later
// Subtitles that are pictures: where they lie, which parts are asked for, what is seen when, and how they
// stand among the choices.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chooseRemembered } from './chosen';
import { NOTHING, OFF, type EngineState } from './engine';
import { PictureCues, readParts } from './picture-cues';
import { partBox, planeBox, shownBox } from './picture-place';
import { Pictures } from './pictures';

const BASE = 'http://film.test/hls/abc/pictures-2/index.m3u8?p=1';
const PLAYLIST = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXTINF:4.000000,
0.json?v=aa
#EXTINF:4.500000,
1.json?v=aa
#EXTINF:3.5,
2.json?v=aa
#EXT-X-ENDLIST
`;

describe('places', () => {
  const FULL = { left: 0, top: 0, width: 1920, height: 800 };

  test('the picture stands between bars', () => {
    expect(shownBox({ width: 900, height: 900 }, { width: 1280, height: 720 })).toEqual({ left: 0, top: 196.875, width: 900, height: 506.25 });
    expect(shownBox({ width: 1200, height: 400 }, { width: 640, height: 400 })).toEqual({ left: 280, top: 0, width: 640, height: 400 });
    expect(shownBox({ width: 300, height: 200 }, { width: 0, height: 0 })).toEqual({ left: 0, top: 0, width: 300, height: 200 });
  });

  test('a plane lies over its picture, as segments/burn.c has it', () => {
    const plane = { width: 1920, height: 1080 };
    expect(planeBox(plane, plane, { ...FULL, height: 1080 })).toEqual({ ...FULL, height: 1080 });
    expect(planeBox(plane, { width: 1920, height: 800 }, FULL)).toEqual({ left: 0, top: -140, width: 1920, height: 1080 });
    expect(planeBox(plane, { width: 1280, height: 534 }, { left: 10, top: 0, width: 1280, height: 534 }))
      .toEqual({ left: 10, top: -93, width: 1280, height: 720 });
    expect(planeBox({ width: 720, height: 576 }, { width: 1280, height: 720 }, { left: 0, top: 0, width: 640, height: 360 }))
      .toEqual({ left: 0, top: 0, width: 640, height: 360 });
    expect(planeBox({ width: 720, height: 480 }, undefined, { left: 0, top: 0, width: 854, height: 480 }))
      .toEqual({ left: 0, top: 0, width: 854, height: 480 });
  });

  test('what lies in bars that are not there is moved onto the picture', () => {
    const plane = { width: 1920, height: 1080 };
    const box = planeBox(plane, { width: 1920, height: 800 }, FULL);
    const part = { x: 400, y: 980, width: 600, height: 60 };
    expect(partBox(part, plane, box, { width: 1920, height: 800 })).toEqual({ left: 400, top: 740, width: 600, height: 60 });
    expect(partBox({ ...part, y: 10 }, plane, box, { width: 1920, height: 800 })).toMatchObject({ top: 0 });
    expect(partBox({ ...part, y: 500 }, plane, box, { width: 1920, height: 800 })).toMatchObject({ top: 360 });
  });
});

test('a playlist says which part stands when', () => {
  expect(readParts(PLAYLIST, BASE)).toEqual([
    { start: 0, end: 4, url: 'http://film.test/hls/abc/pictures-2/0.json?v=aa' },
    { start: 4, end: 8.5, url: 'http://film.test/hls/abc/pictures-2/1.json?v=aa' },
    { start: 8.5, end: 12, url: 'http://film.test/hls/abc/pictures-2/2.json?v=aa' },
  ]);
  expect(readParts('', BASE)).toEqual([]);
});

const cue = (start: number, end: number) => ({ start, end, width: 1280, height: 720, pictures: [] });
const PARTS: Record<string, unknown> = {
  '0.json': { cues: [cue(1, 3), cue(2, 5)] },
  '1.json': { cues: [cue(2, 5), cue(6, 7)] },
  '2.json': { cues: [] },
};

describe('what a server has', () => {
  let asked: string[] = [];
  let broken: number | undefined;
  let ends = new AbortController();
  const settle = () => vi.advanceTimersByTimeAsync(1);
  const loaded = vi.fn();

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    asked = [];
    broken = undefined;
    ends = new AbortController();
    loaded.mockClear();
    vi.stubGlobal('fetch', (url: string) => {
      const name = new URL(url).pathname.split('/').at(-1) ?? '';
      asked.push(name);
      if (broken !== undefined) return Promise.resolve(new Response('{}', { status: broken }));
      return Promise.resolve(new Response(name === 'index.m3u8' ? PLAYLIST : JSON.stringify(PARTS[name])));
    });
  });
  afterEach(() => {
    ends.abort();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test('is asked for where the film is, and once', async () => {
    const cues = new PictureCues(BASE, ends.signal, loaded);
    expect(cues.at(0)).toBeUndefined();
    await settle();
    expect(asked).toEqual(['index.m3u8']);
    expect(cues.at(4.2)).toBeUndefined();
    await settle();
    expect(asked).toEqual(['index.m3u8', '1.json', '2.json']);
    expect(loaded).toHaveBeenCalledTimes(3);
    expect(cues.at(4.2)).toMatchObject({ start: 2, end: 5 });
    expect(cues.at(5)).toBeUndefined();
    expect(cues.at(6.9)).toMatchObject({ start: 6 });
    await settle();
    expect(asked).toHaveLength(3);
    expect(cues.at(99)).toBeUndefined();
  });

  test('the last begun takes the place of the one before', async () => {
    const cues = new PictureCues(BASE, ends.signal, loaded);
    await settle();
    cues.at(0);
    await settle();
    expect([0.5, 1, 1.9, 2, 2.9, 3.9].map((at) => cues.at(at)?.start)).toEqual([undefined, 1, 1, 2, 2, 2]);
  });

  test('what does not come is asked for again, a moment later', async () => {
    broken = 503;
    const cues = new PictureCues(BASE, ends.signal, loaded);
    await settle();
    cues.at(0);
    expect(asked).toHaveLength(1);
    broken = undefined;
    await vi.advanceTimersByTimeAsync(1000);
    cues.at(0);
    await settle();
    cues.at(0);
    await settle();
    expect(asked).toEqual(['index.m3u8', 'index.m3u8', '0.json', '1.json']);
    expect(cues.at(1)).toMatchObject({ start: 1 });
  });

  const track = { id: 'subtitle-2', kind: 'pictures' as const, url: BASE, codec: 'hdmv_pgs_subtitle', language: 'en', title: 'Signs', forced: true };

  test('stand among the choices behind those that are text', () => {
    const pictures = new Pictures(document.createElement('video'), ends.signal);
    const said: EngineState = { ...NOTHING, subtitles: [{ id: '0', language: 'de', name: 'Alles', detail: undefined }] };
    expect(pictures.with(said)).toEqual(said);
    pictures.follow({ tracks: [], pictures: [track, { ...track, id: 'subtitle-3', language: 'und', title: '', forced: false, sdh: true }] });
    expect(pictures.with(said)).toMatchObject({
      subtitle: OFF,
      subtitles: [{ id: '0' }, { id: 'subtitle-2', language: 'en', name: 'Signs', marks: ['forced'] }, { id: 'subtitle-3', language: undefined, marks: ['sdh'] }],
    });
    expect(pictures.choose('0')).toBe(false);
    expect(pictures.choose('subtitle-2')).toBe(true);
    expect(pictures.on.value).toBe(true);
    expect(pictures.with(said).subtitle).toBe('subtitle-2');
    pictures.follow({ tracks: [], pictures: [track] }); // another playback of the film
    expect(pictures.with(said).subtitle).toBe('subtitle-2');
    pictures.follow({ tracks: [], pictures: [] });
    expect(pictures.on.value).toBe(false);
  });

  test('forced ones are chosen once it is known what is heard', () => {
    const pictures = new Pictures(document.createElement('video'), ends.signal);
    pictures.follow({ tracks: [], pictures: [track] });
    const chosen: string[] = [];
    const choose = (before: EngineState, after: EngineState) =>
      chooseRemembered(before, after, () => undefined, (id) => chosen.push(id));
    const opened = pictures.with(NOTHING);
    choose(NOTHING, opened);
    expect(chosen).toEqual([]);
    const audios = [{ id: '0', language: 'en', name: 'English', detail: undefined }];
    choose(opened, { ...opened, audios, audio: '0' });
    expect(chosen).toEqual(['subtitle-2']);
    choose({ ...opened, audios, audio: '0', subtitle: 'subtitle-2' }, { ...opened, audios, audio: '0', subtitle: 'subtitle-2' });
    expect(chosen).toHaveLength(1);
  });
});
