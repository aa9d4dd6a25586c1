// SPDX-License-Identifier: GPL-3.0-or-later
// Sounds come in two forms where the server made a second one for the night. A person chooses a sound, and
// whether it is night; here the two become one track of the playlist, and are told apart again.
import type { TrackChoice } from './engine';

/** As the server writes it into a playlist: CHARACTERISTICS, and what NAME goes on with. */
const TYPE = 'org.matinee.night-mode';
const SUFFIX = ' (night mode)';

export const isNight = (characteristics: string | undefined): boolean =>
  characteristics?.split(',').includes(TYPE) ?? false;

export const dayName = (name: string): string =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name;

/** What there is to choose among. */
export const byDay = (tracks: TrackChoice[]): TrackChoice[] => tracks.filter(({ night }) => !night);

/** The form of a track for the night, or for the day; undefined where there is none. */
export function formOf(tracks: TrackChoice[], id: string | undefined, night: boolean): TrackChoice | undefined {
  const track = tracks.find((one) => one.id === id);
  if (!track) return undefined;
  return tracks.find((one) => (one.night ?? false) === night && one.language === track.language && one.name === track.name);
}
