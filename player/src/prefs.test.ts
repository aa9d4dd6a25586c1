// SPDX-License-Identifier: GPL-3.0-or-later
import { beforeEach, expect, test, vi } from 'vitest';
import { saveVolume, savedVolume } from './prefs';

beforeEach(() => localStorage.clear());

test('where storage is forbidden, the page remembers as long as it lives', () => {
  vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => { throw new Error('forbidden'); });
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => { throw new Error('forbidden'); });
  saveVolume(0.3, true);
  expect(savedVolume()).toEqual({ volume: 0.3, muted: true });
  vi.restoreAllMocks();
});
