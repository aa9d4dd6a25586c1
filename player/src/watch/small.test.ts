// SPDX-License-Identifier: GPL-3.0-or-later
// The small rules of the player: ranges, keys, presses, retries, the watchdog, names.
import { describe, expect, test } from 'vitest';
import { kindOfStatus, renditionOf } from './engine';
import { trackItem, qualityName } from './menus';
import { aheadOf, mergeRanges } from './ranges';
import { canHeal } from './retry';
import { commandOf, SHORTCUTS, type Press } from './shortcuts';
import { Presses } from './touch';
import { STILL_MS, TRIES, Watchdog } from './watchdog';

describe('ranges', () => {
  test('touching ones become one', () => {
    expect(mergeRanges([{ start: 8, end: 12 }, { start: 0, end: 4 }, { start: 4.05, end: 8 }, { start: 20, end: 20 }, { start: 30, end: 31 }]))
      .toEqual([{ start: 0, end: 12 }, { start: 30, end: 31 }]);
    expect(mergeRanges([{ start: 0, end: 10 }, { start: 2, end: 3 }])).toEqual([{ start: 0, end: 10 }]);
  });

  test('what lies ahead ends at the first hole', () => {
    const ranges = [{ start: 0, end: 10 }, { start: 12, end: 20 }];
    expect(aheadOf(4, ranges)).toBe(6);
    expect(aheadOf(11, ranges)).toBe(0);
  });
});

describe('retries', () => {
  test.each([undefined, 0, 408, 425, 429, 503, 504])('%s may heal', (status) => expect(canHeal(status)).toBe(true));
  test.each([400, 401, 403, 404, 410, 416, 500, 502])('%i does not', (status) => expect(canHeal(status)).toBe(false));
  test('what a refusal means', () => {
    expect([401, 404, 410, 403, 500, 502, 0].map(kindOfStatus)).toEqual(['signed-out', 'gone', 'gone', 'refused', 'refused', 'refused', 'network']);
  });
});

describe('keys', () => {
  const press = (key: string, more: Partial<Press> = {}): Press =>
    ({ key, ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false, target: document.body, ...more });

  test('each key of the list does what its row says', () => {
    for (const { keys, command } of SHORTCUTS) for (const key of keys) expect(commandOf(press(key), true)).toEqual(command);
    expect(commandOf(press('7'), true)).toEqual({ do: 'share', to: 0.7 });
    expect(commandOf(press('K'), true)).toEqual({ do: 'toggle' });
  });

  test('text fields, buttons and other people’s shortcuts are left alone', () => {
    const input = document.createElement('input');
    const button = document.createElement('button');
    const slider = document.createElement('input');
    slider.type = 'range';
    expect(commandOf(press('k', { target: input }), true)).toBeUndefined();
    expect(commandOf(press(' ', { target: button }), true)).toBeUndefined();
    expect(commandOf(press('k', { target: button }), true)).toEqual({ do: 'toggle' });
    expect(commandOf(press('ArrowLeft', { target: slider }), true)).toEqual({ do: 'seek', by: -5 });
    expect(commandOf(press('f', { ctrlKey: true }), true)).toBeUndefined();
    expect(commandOf(press('ArrowDown', { defaultPrevented: true }), true)).toBeUndefined();
  });

  test('single letters can be switched off', () => {
    expect(commandOf(press('k'), false)).toBeUndefined();
    expect(commandOf(press('5'), false)).toBeUndefined();
    expect(commandOf(press(' '), false)).toEqual({ do: 'toggle' });
    expect(commandOf(press('ArrowLeft'), false)).toEqual({ do: 'seek', by: -5 });
  });
});

describe('presses on the picture', () => {
  test('mouse', () => {
    const presses = new Presses();
    expect([presses.press(0, false, 0.5), presses.press(200, false, 0.5), presses.press(900, false, 0.5)]).toEqual(['toggle', 'fullscreen', 'toggle']);
  });
  test('finger', () => {
    const presses = new Presses();
    expect([presses.press(0, true, 0.1), presses.press(200, true, 0.1)]).toEqual(['controls', 'back']);
    expect([presses.press(900, true, 0.9), presses.press(1000, true, 0.9)]).toEqual(['controls', 'forward']);
    expect([presses.press(2000, true, 0.1), presses.press(2100, true, 0.9)]).toEqual(['controls', 'controls']);
  });
});

describe('the watchdog', () => {
  const still = { position: 5, playing: true, bufferedAheadSeconds: 10, loading: false };

  test('pushes three times, then gives up', () => {
    const dog = new Watchdog(0);
    const seen: unknown[] = [];
    for (let now = 0; now <= STILL_MS * (TRIES + 1) + 1000; now += 1000) seen.push(dog.look(now, still));
    expect(seen.filter((verdict) => verdict !== 'fine')).toEqual([1, 2, 3, 'stuck']);
  });

  test('does not mind a pause, or a wait for bytes', () => {
    const dog = new Watchdog(0);
    for (let now = 0; now <= 60_000; now += 1000) {
      expect(dog.look(now, { ...still, playing: now < 30_000, bufferedAheadSeconds: 0, loading: true })).toBe('fine');
    }
  });

  test('forgets its pushes when the film moves', () => {
    const dog = new Watchdog(0);
    dog.look(0, still);
    expect(dog.look(STILL_MS, still)).toBe(1);
    expect(dog.look(STILL_MS + 1000, { ...still, position: 6 })).toBe('fine');
    expect(dog.look(2 * STILL_MS + 1000, { ...still, position: 6 })).toBe(1);
  });
});

describe('names', () => {
  test('of renditions, from their URLs', () => {
    expect(renditionOf('http://h/hls/abc/video-copy/index.m3u8?v=1&p=2')).toBe('video-copy');
    expect(renditionOf('video-720p/index.m3u8')).toBe('video-720p');
  });
  test('of qualities and tracks', () => {
    expect(qualityName({ id: 'video-copy', height: 1080, bitsPerSecond: 1, copy: true })).toBe('Original (1080p)');
    expect(qualityName({ id: 'video-720p', height: 720, bitsPerSecond: 1, copy: false })).toBe('720p');
    expect(trackItem({ id: '1', language: 'de', name: 'Kommentar', detail: '2' })).toEqual({ id: '1', label: 'German', detail: 'Kommentar · 2 channels' });
    expect(trackItem({ id: '1', language: 'de', name: 'de', detail: undefined })).toEqual({ id: '1', label: 'German', detail: undefined });
    expect(trackItem({ id: '1', language: 'de', name: 'Director', detail: undefined, marks: ['forced', 'sdh'] }).detail).toBe('Director · Forced: foreign parts only · With sounds (SDH)');
    expect(trackItem({ id: '1', language: undefined, name: 'Track 1', detail: undefined })).toEqual({ id: '1', label: 'Track 1', detail: undefined });
  });
});
