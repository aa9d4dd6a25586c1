// SPDX-License-Identifier: GPL-3.0-or-later
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { placeOf, savePlace, saveVolume, savedVolume } from './prefs';

beforeEach(() => localStorage.clear());

describe('the place in a film', () => {
  test('is kept and found again', () => {
    savePlace('f1', { seconds: 2480.2, duration: 6000 });
    expect(placeOf('f1')).toEqual({ seconds: 2480.2, duration: 6000 });
    expect(placeOf('f2')).toBeUndefined();
  });

  test('is forgotten when the film is over or has only begun', () => {
    savePlace('f1', { seconds: 2480, duration: 6000 });
    savePlace('f1', { seconds: 5600, duration: 6000 });
    expect(placeOf('f1')).toBeUndefined();
    savePlace('f1', { seconds: 3, duration: 6000 });
    expect(placeOf('f1')).toBeUndefined();
  });
});

test('where storage is forbidden, the page remembers as long as it lives', () => {
  vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => { throw new Error('forbidden'); });
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => { throw new Error('forbidden'); });
  saveVolume(0.3, true);
  expect(savedVolume()).toEqual({ volume: 0.3, muted: true });
  vi.restoreAllMocks();
});
