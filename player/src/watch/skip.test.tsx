// SPDX-License-Identifier: GPL-3.0-or-later
// What can be skipped, when the button is there, and markers that come while the film plays.
import { act, cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Markers, markerAt, type Marker } from './markers';
import { commandOf } from './shortcuts';
import { Skip } from './skip';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const INTRO: Marker = { kind: 'intro', start: 10, end: 40 };
const CREDITS: Marker = { kind: 'credits', start: 90, end: 100 };

test('a marker is on from its start until there is nothing left to skip', () => {
  const at = (seconds: number) => markerAt([INTRO, CREDITS], seconds)?.kind;
  expect([9.9, 10, 38.9, 39.5, 50, 95, 99.5].map(at)).toEqual([undefined, 'intro', 'intro', undefined, undefined, 'credits', undefined]);
});

test('the button is there while a marker is on, alone at first, and takes no focus', async () => {
  const place = signal(0);
  const seekTo = vi.fn();
  const all = signal<readonly Marker[]>([INTRO, CREDITS]);
  const go = (to: number) => act(() => { place.value = to; });
  render(<Skip player={{ scrub: { markers: { all } }, position: () => place.value, seekTo }} />);
  expect(screen.queryByRole('button')).toBeNull();
  await go(12);
  const button = screen.getByRole('button', { name: 'Skip intro' });
  expect(button.classList.contains('alone')).toBe(true);
  expect(document.activeElement).not.toBe(button);
  fireEvent.click(button);
  expect(seekTo).toHaveBeenCalledExactlyOnceWith(40);
  await act(() => { vi.advanceTimersByTime(8000); });
  expect(screen.getByRole('button').classList.contains('alone')).toBe(false);
  await go(91);
  expect(screen.getByRole('button', { name: 'Skip credits' }).classList.contains('alone')).toBe(true);
  await go(60);
  expect(screen.queryByRole('button')).toBeNull();
});

test('S skips, where single keys do anything', () => {
  const press = { key: 's', ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false, target: null };
  expect(commandOf(press, true)).toEqual({ do: 'skip' });
  expect(commandOf(press, false)).toBeUndefined();
});

test('markers that are found while it plays come later; others are not asked for', async () => {
  const answers: Marker[][] = [[], [INTRO]];
  const asked = vi.fn(() => Promise.resolve(new Response(JSON.stringify({ markers: answers.shift() ?? [] }), { headers: { 'Content-Type': 'application/json' } })));
  vi.stubGlobal('fetch', asked);
  const ends = new AbortController();
  const markers = new Markers(ends.signal);
  markers.follow({ id: 'p', markers: [] });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveBeenCalledTimes(1);
  expect(markers.all.value).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(markers.all.value).toEqual([INTRO]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toHaveBeenCalledTimes(2);
  markers.follow({ id: 'q', markers: [CREDITS] });
  expect(markers.all.value).toEqual([CREDITS]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toHaveBeenCalledTimes(2);
  ends.abort();
});

test('a film that has none is asked for three times, and a server that refuses once', async () => {
  const asked = vi.fn(() => Promise.resolve(new Response(JSON.stringify({ markers: [] }), { headers: { 'Content-Type': 'application/json' } })));
  vi.stubGlobal('fetch', asked);
  const ends = new AbortController();
  new Markers(ends.signal).follow({ id: 'p', markers: [] });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(asked).toHaveBeenCalledTimes(3);
  const refused = vi.fn(() => Promise.resolve(new Response('', { status: 404 })));
  vi.stubGlobal('fetch', refused);
  new Markers(ends.signal).follow({ id: 'p', markers: [] });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(refused).toHaveBeenCalledTimes(1);
  ends.abort();
});
