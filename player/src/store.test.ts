// SPDX-License-Identifier: GPL-3.0-or-later
import { afterEach, expect, test, vi } from 'vitest';
import { fakeServer, house } from './account/testing';
import { begun, later, load, loadBegun, loadLater, placeChanged, setLater, status, titles } from './store';

afterEach(() => vi.unstubAllGlobals());

const item = { id: 't1', kind: 'film' as const, title: 'Playtime', year: 1967, poster: null, here: true };

test('what was shown to one is not shown to the next, in whatever way she came in', async () => {
  house();
  const now = status.value;
  let who = 'anna';
  fakeServer({
    'GET /status': () => now, 'GET /me': () => ({ id: `u-${who}`, username: who, role: 'member' }),
    'GET /continue': () => ({ items: [{ item, file: 'f1', position: 60, duration: 600, at: '2026-11-01T00:00:00Z' }], next: null }),
    'GET /watchlist': () => ({ items: [{ item, added: '2026-11-01T00:00:00Z' }], next: null }),
  });
  const never = new AbortController().signal;
  await load();
  await Promise.all([loadBegun(never), loadLater(never)]);
  await load();
  expect([begun.value.length, later.value?.length]).toEqual([1, 1]);
  who = 'ben';
  await load();
  expect([begun.value.length, later.value]).toEqual([0, undefined]);
});

test('what was taken off the list elsewhere is off it here', async () => {
  house();
  fakeServer({});
  later.value = [{ item, added: '2026-11-01T00:00:00Z' }];
  await setLater(item, false);
  expect(later.value).toEqual([]);
  await expect(setLater(item, true)).rejects.toThrow();
  expect(later.value).toEqual([]);
});

test('a place in what stands in no list asks for no title', async () => {
  house();
  const ofTitle = vi.fn();
  fakeServer({ 'GET /continue': () => ({ items: [], next: null }), 'GET /titles/a-link': ofTitle });
  titles.value = [];
  await placeChanged('a-link');
  expect(ofTitle).not.toHaveBeenCalled();
});
