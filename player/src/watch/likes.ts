// SPDX-License-Identifier: GPL-3.0-or-later
// How the account likes its films to begin: said once in the settings, for all of its devices. What was chosen in this
// browser since goes before it.
import type { Shape } from '../api';
import { me } from '../store';
import type { TrackChoice } from './engine';

export type Likes = Shape<'Preferences'>;

export const likes = (): Likes => me.value?.preferences ?? {};

const base = (language: string | undefined): string | undefined => language?.toLowerCase().split('-')[0];

/** "pt" is "pt-BR" to who asks for no more. */
export const isOf = (language: string | undefined, track: TrackChoice): boolean =>
  language !== undefined && base(track.language) === base(language);

/** Undefined: nothing is wished for, or there is none. */
export function likedAudio(audios: TrackChoice[], { audio_language: language }: Likes): TrackChoice | undefined {
  return audios.find((track) => isOf(language, track) && track.night !== true);
}

/** All that is said, by who likes to read along: without what is no speech, where there is a choice. */
export function likedSubtitle(subtitles: TrackChoice[], { subtitle_language: language }: Likes): TrackChoice | undefined {
  const whole = subtitles.filter((track) => isOf(language, track) && !track.marks?.includes('forced'));
  return whole.find((track) => !track.marks?.includes('sdh')) ?? whole[0];
}
