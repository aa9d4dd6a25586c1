// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest';
import { sharesOf } from './arrival';

test('what is there is painted by its share of the file', () => {
  expect(sharesOf({ size: 200, complete: false, ranges: [[0, 50], [150, 200]] })).toEqual([
    { from: 0, to: 0.25 }, { from: 0.75, to: 1 },
  ]);
});

test('nothing is painted of a film that is whole, or does not come from a download', () => {
  expect(sharesOf({ size: 200, complete: true, ranges: [[0, 200]] })).toEqual([]);
  expect(sharesOf(undefined)).toEqual([]);
  expect(sharesOf({ size: 0, complete: false, ranges: [] })).toEqual([]);
});
