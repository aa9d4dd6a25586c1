// SPDX-License-Identifier: GPL-3.0-or-later
// Which subtitles a film begins with, and how a choice is remembered.
import { nameOf, OFF, type EngineState } from './engine';

/**
 * What was chosen last, where this film has it. Who never chose sees what is foreign in the language he
 * hears: it belongs to the film.
 */
export function firstSubtitle({ subtitles, audios, audio }: EngineState, saved: string | undefined): string {
  const heard = audios.find(({ id }) => id === audio)?.language;
  const wanted = saved === undefined
    ? subtitles.find(({ marks, language }) => marks?.includes('forced') && language !== undefined && language === heard)
    : subtitles.find((track) => nameOf(track) === saved);
  return wanted?.id ?? OFF;
}
