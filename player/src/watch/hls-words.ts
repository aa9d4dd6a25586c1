// SPDX-License-Identifier: GPL-3.0-or-later
// What hls.js says of levels, tracks, cues and errors, in the words of engine.ts.
import { renditionOf, type Mark, type Quality, type TrackChoice } from './engine';
import { ErrorDetails, PlaylistLevelType, type ErrorData, type Level, type MediaPlaylist } from './hls';
import { dayName, isNight } from './night';

export const qualityOf = (level: Level): Quality => {
  const id = renditionOf(level.uri);
  return { id, height: level.height || undefined, bitsPerSecond: level.bitrate, copy: id.endsWith('-copy') };
};

export const trackOf = (track: MediaPlaylist): TrackChoice => {
  const night = isNight(track.characteristics);
  const name = night ? dayName(track.name) : track.name;
  return { id: String(track.id), language: track.lang, name, detail: track.channels, night };
};

/** A picture stands once for each group of sounds. */
export const onceEach = (qualities: Quality[]): Quality[] =>
  qualities.filter(({ id }, index) => qualities.findIndex((other) => other.id === id) === index);

const SOUNDS_TOO = 'public.accessibility.describes-music-and-sound';

export function subtitleOf(track: MediaPlaylist): TrackChoice {
  const marks: Mark[] = [];
  if (track.forced) marks.push('forced');
  if (track.characteristics?.includes(SOUNDS_TOO)) marks.push('sdh');
  return { ...trackOf(track), marks };
}

/** Text that does not come is no reason to stop the film. */
export const isText = ({ frag, details }: ErrorData): boolean =>
  frag?.type === PlaylistLevelType.SUBTITLE
  || details === ErrorDetails.SUBTITLE_LOAD_ERROR
  || details === ErrorDetails.SUBTITLE_TRACK_LOAD_TIMEOUT;

/** Those of CUES_PARSED, which hls.js has no type for. */
export const cuesOf = (list: unknown): VTTCue[] => (Array.isArray(list) ? list.filter((it): it is VTTCue => it instanceof VTTCue) : []);
