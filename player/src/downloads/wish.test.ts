// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest';
import { hostOf, wishOf } from './wish';

test.each([
  [' magnet:?xt=1 ', { magnet: 'magnet:?xt=1' }],
  ['MAGNET:?xt=1', { magnet: 'MAGNET:?xt=1' }],
  ['https://x.example/a.torrent', { torrent_url: 'https://x.example/a.torrent' }],
  ['http://x.example/A.TORRENT?key=1#a', { torrent_url: 'http://x.example/A.TORRENT?key=1#a' }],
  ['https://x.example/a?f=b.torrent', { url: 'https://x.example/a?f=b.torrent' }],
  ['HTTPS://x.example', { url: 'HTTPS://x.example' }],
  ['\thttp://10.0.0.5:8000/film.mkv\n', { url: 'http://10.0.0.5:8000/film.mkv' }],
  ['http://', undefined],
  ['https:x.example/a.mp4', undefined],
  ['ftp://x.example/a.mp4', undefined],
  ['javascript:alert(1)', undefined],
  ['x.example/a.mp4', undefined],
  ['', undefined],
])('%j is %j', (text, wish) => expect(wishOf(text)).toEqual(wish));

test('the host of an address', () => {
  expect(hostOf('https://films.example:8443/a.mp4')).toBe('films.example:8443');
  expect(hostOf('no address')).toBe('');
});
