// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { nameOf, NOTHING, OFF, type EngineState, type Mark } from './engine';
import { firstSubtitle } from './first-choice';

const track = (id: string, language: string, ...marks: Mark[]) => ({ id, language, name: language, detail: undefined, marks });
const state: EngineState = {
  ...NOTHING,
  audios: [track('0', 'de'), track('1', 'en')],
  audio: '1',
  subtitles: [track('0', 'en'), track('1', 'de', 'forced'), track('2', 'en', 'forced')],
};

describe('the first subtitles', () => {
  test('are those chosen last', () => {
    expect(firstSubtitle(state, nameOf(state.subtitles[1]))).toBe('1');
    expect(firstSubtitle(state, 'fr/fr')).toBe(OFF);
  });
  test('are none for whoever chose none', () => expect(firstSubtitle(state, OFF)).toBe(OFF));
  test('are the forced ones of the language that is heard, for whoever never chose', () => {
    expect(firstSubtitle(state, undefined)).toBe('2');
    expect(firstSubtitle({ ...state, audio: '0' }, undefined)).toBe('1');
    expect(firstSubtitle({ ...state, audio: undefined }, undefined)).toBe(OFF);
  });
});
