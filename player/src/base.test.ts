// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest';
import { at, baseOf } from './base';

it('finds the folder above the scripts', () => {
  expect(baseOf('http://tv.lan/assets/main-1.js')).toBe('');
  expect(baseOf('https://tv.lan/films/assets/main-1.js')).toBe('/films');
  expect(baseOf('https://tv.lan/a/b/assets/main-1.js')).toBe('/a/b');
});

it('is the root of the host where nothing is served', () => {
  expect(baseOf('file:///films/assets/main.js')).toBe('');
  expect(at('/settings')).toBe('/settings');
});
