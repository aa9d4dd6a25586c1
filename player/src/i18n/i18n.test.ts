// SPDX-License-Identifier: GPL-3.0-or-later
import { afterEach, describe, expect, test } from 'vitest';
import { bytes, clock, languageName, preferredLanguage, shortDuration, speak, spokenTime, t } from './index';
import de from './de.json';
import en from './en.json';

afterEach(() => speak('en'));

describe('t', () => {
  test('fills in names and chooses the plural', () => {
    expect(t('library.unreadable', { count: 1 })).toBe('1 file cannot be played');
    expect(t('library.unreadable', { count: 2000 })).toBe('2,000 files cannot be played');
    expect(t('library.noMatch', { query: '<b>' })).toBe('Nothing matches “<b>”');
  });

  test('speaks German, with its numbers', async () => {
    await speak('de');
    expect(t('play')).toBe('Abspielen');
    expect(t('library.unreadable', { count: 2000 })).toBe('2.000 Dateien können nicht abgespielt werden');
    expect(document.documentElement.lang).toBe('de');
    expect(languageName('en')).toBe('Englisch');
  });

  test('every language has every key, with the same names in it', () => {
    const names = (text: string) => [...text.matchAll(/\{\{\w+\}\}/g)].map(([name]) => name).sort();
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    const german: Record<string, string> = de;
    for (const [key, text] of Object.entries(en)) expect(names(german[key] ?? ''), key).toEqual(names(text));
  });

  test('takes the first of the reader’s languages that it knows', () => {
    expect(preferredLanguage(['fr-CA', 'de-AT', 'en'])).toBe('de');
    expect(preferredLanguage(['tlh'])).toBe('en');
  });
});

describe('times', () => {
  test.each([[0, '0:00'], [59.9, '0:59'], [83.4, '1:23'], [3723, '1:02:03'], [-1, '0:00'], [Number.NaN, '0:00'], [Infinity, '0:00']])(
    'clock(%s) is %s', (seconds, text) => expect(clock(seconds)).toBe(text));

  test('in words', () => {
    expect(spokenTime(3723)).toBe('1 hour, 2 minutes, 3 seconds');
    expect(spokenTime(60)).toBe('1 minute');
    expect(spokenTime(0)).toBe('0 seconds');
    expect(spokenTime(3723, true)).toBe('1 hour, 2 minutes');
  });

  test('on cards', () => {
    expect(shortDuration(5)).toBe('1 min');
    expect(shortDuration(5040)).toBe('1 h 24 min');
  });
});

test('amounts and rates', async () => {
  expect([0, 999, 12_400, 2_100_000, 1_400_000_000].map((count) => bytes(count))).toEqual(['0 byte', '999 byte', '12 kB', '2.1 MB', '1.4 GB']);
  expect(bytes(2_100_000, true)).toBe('2.1 MB/s');
  await speak('de');
  expect(bytes(2_100_000, true)).toBe('2,1 MB/s');
});

test('languages that the browser cannot name stay as they are', () => {
  expect(languageName('und')).toBeUndefined();
  expect(languageName(undefined)).toBeUndefined();
  expect(languageName('not a tag!')).toBe('not a tag!');
});
