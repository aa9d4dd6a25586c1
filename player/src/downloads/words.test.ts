// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { download, file } from './testing';
import { factsOf, fileFacts, isMedia, percentOf, shortName } from './words';

describe('a download in words', () => {
  test.each([
    ['downloading', download('a'), ['43 %', '602 MB of 1.4 GB', '2.1 MB/s', '12 peers', '6 min left']],
    ['without a guess', download('a', { eta: null, rate: 0, peers: 1 }), ['43 %', '602 MB of 1.4 GB', '0 byte/s', '1 peer']],
    ['a guess of weeks', download('a', { eta: 5_000_000 }), ['43 %', '602 MB of 1.4 GB', '2.1 MB/s', '12 peers']],
    ['not described yet', download('a', { state: 'metadata', size: 0, progress: 0, files: [], peers: 0, eta: null }), ['0 peers']],
    ['paused', download('a', { state: 'paused' }), ['43 %', '602 MB of 1.4 GB']],
    ['complete', download('a', { state: 'complete', progress: 1, peers: 0 }), ['1.4 GB']],
    ['complete, and sends', download('a', { state: 'complete', progress: 1, upload_rate: 90_000 }), ['1.4 GB', 'sends 90 kB/s', '12 peers']],
    ['failed', download('a', { state: 'failed' }), ['43 %', '602 MB of 1.4 GB']],
  ])('%s', (_, shown, facts) => expect(factsOf(shown)).toEqual(facts));

  test('files', () => {
    expect(fileFacts(file('a.mkv'))).toBe('43 % · 1.4 GB');
    expect(fileFacts(file('a.mkv', { progress: 1 }))).toBe('1.4 GB');
    expect(fileFacts(file('a.mkv', { wanted: false, progress: 0 }))).toBe('left out · 1.4 GB');
  });
});

test('100 percent is said when nothing is missing, and not before', () => {
  expect(percentOf(0.9999)).toBe(99);
  expect(percentOf(1)).toBe(100);
});

test.each([['a.mkv', true], ['A.MP4', true], ['x/y.flac', true], ['y.mkv.txt', false], ['mkv', false], ['.mkv', false], ['x/.mkv', false], ['a.mkv/x', false]])(
  '%s can be played: %s', (name, played) => expect(isMedia(name)).toBe(played));

test('folders that repeat the name are left out', () => {
  expect(shortName(file('Film a/1.mkv'), download('a'))).toBe('1.mkv');
  expect(shortName(file('Film ab/1.mkv'), download('a'))).toBe('Film ab/1.mkv');
});
