// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { nameOf, NOTHING, OFF, type EngineState, type Mark } from './engine';
import { firstSubtitle } from './first-choice';
import { likedAudio } from './likes';

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
  test('are those that the account likes, where nothing else was chosen', () => {
    const german = { subtitles: 'on', subtitle_language: 'de' } as const;
    const tracks = [track('0', 'de', 'forced'), track('1', 'de-AT', 'sdh'), track('2', 'de'), track('3', 'en')];
    expect(firstSubtitle({ ...state, subtitles: tracks }, undefined, german)).toBe('2');
    expect(firstSubtitle({ ...state, subtitles: tracks.slice(0, 2) }, undefined, german)).toBe('1');
    expect(firstSubtitle({ ...state, subtitles: tracks }, 'fr/fr', german)).toBe('2');
    expect(firstSubtitle({ ...state, subtitles: tracks }, OFF, german)).toBe(OFF);
    expect(firstSubtitle({ ...state, subtitles: tracks }, nameOf(tracks[3]), german)).toBe('3');
    expect(firstSubtitle({ ...state, subtitles: tracks.slice(3) }, undefined, german)).toBe(OFF);
    expect(firstSubtitle(state, undefined, { subtitles: 'off' })).toBe(OFF);
    expect(firstSubtitle(state, undefined, { subtitles: 'forced' })).toBe('2');
  });
  test('are the forced ones of the language that is heard, for whoever never chose', () => {
    expect(firstSubtitle(state, undefined)).toBe('2');
    expect(firstSubtitle({ ...state, audio: '0' }, undefined)).toBe('1');
    expect(firstSubtitle({ ...state, audio: undefined }, undefined)).toBe(OFF);
  });
});

describe('the language that is heard', () => {
  const audios = [track('0', 'en'), { ...track('1', 'de'), night: true }, track('2', 'de')];
  test('is the one that the account likes, where the film has it', () => {
    expect(likedAudio(audios, { audio_language: 'de-CH' })?.id).toBe('2');
    expect(likedAudio(audios, { audio_language: 'fr' })).toBeUndefined();
    expect(likedAudio(audios, {})).toBeUndefined();
  });
});
