// SPDX-License-Identifier: GPL-3.0-or-later
// Which subtitles a film begins with, and how a choice is remembered.
import { nameOf, OFF, type EngineState } from './engine';
import { likedSubtitle, type Likes } from './likes';

/**
 * What was chosen last in this browser, where this film has it; else what the account likes. Who never said sees what
 * is foreign in the language he hears: it belongs to the film.
 */
export function firstSubtitle({ subtitles, audios, audio }: EngineState, saved: string | undefined, likes: Likes = {}): string {
  if (saved === OFF) return OFF;
  const last = subtitles.find((track) => nameOf(track) === saved);
  if (last) return last.id;
  if (likes.subtitles === 'off') return OFF;
  if (likes.subtitles === 'on') return likedSubtitle(subtitles, likes)?.id ?? OFF;
  if (saved !== undefined) return OFF;
  const heard = audios.find(({ id }) => id === audio)?.language;
  const foreign = subtitles.find(({ marks, language }) => marks?.includes('forced') && language !== undefined && language === heard);
  return foreign?.id ?? OFF;
}
