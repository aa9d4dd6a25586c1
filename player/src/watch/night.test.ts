// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest';
import type { TrackChoice } from './engine';
import { byDay, dayName, formOf, isNight } from './night';

const track = (id: string, language: string, name: string, night = false): TrackChoice => ({ id, language, name, detail: '2', night });
const tracks = [track('0', 'en', 'en'), track('1', 'en', 'Commentary'), track('2', 'de', 'de'), track('3', 'en', 'en', true), track('4', 'de', 'de', true)];

test('a playlist says which sounds are for the night', () => {
  expect(isNight('org.matinee.night-mode')).toBe(true);
  expect(isNight('public.accessibility.describes-video,org.matinee.night-mode')).toBe(true);
  expect(isNight('public.accessibility.describes-video')).toBe(false);
  expect(isNight(undefined)).toBe(false);
  expect(dayName('en (night mode)')).toBe('en');
  expect(dayName('en')).toBe('en');
});

test('one is chosen among those of the day', () => {
  expect(byDay(tracks).map(({ id }) => id)).toEqual(['0', '1', '2']);
});

test('each finds its other form, and nobody else’s', () => {
  expect(formOf(tracks, '0', true)?.id).toBe('3');
  expect(formOf(tracks, '4', false)?.id).toBe('2');
  expect(formOf(tracks, '4', true)?.id).toBe('4');
  expect(formOf(tracks, '1', true)).toBeUndefined();
  expect(formOf(tracks, undefined, true)).toBeUndefined();
  expect(formOf(tracks, '9', false)).toBeUndefined();
});
