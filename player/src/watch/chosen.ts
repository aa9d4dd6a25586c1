// SPDX-License-Identifier: GPL-3.0-or-later
// What a person chose in the film before is chosen in this one: by language and title, as files of a
// series differ in their order; and whether it is night.
import { savedNight, savedTrack, saveTrack } from '../prefs';
import { nameOf, OFF, type EngineState, type TrackChoice } from './engine';
import { firstSubtitle } from './first-choice';
import { likedAudio, likes } from './likes';
import { byDay, formOf } from './night';

export function remember(kind: 'audio' | 'subtitle', tracks: TrackChoice[], id: string): void {
  saveTrack(kind, id === OFF ? OFF : nameOf(tracks.find((track) => track.id === id)));
}

type Choose = (id: string) => void;

/** When tracks have become known. Text and pictures come one after the other, and what is forced goes by what is heard. */
export function chooseRemembered(before: EngineState, state: EngineState, chooseAudio: Choose, chooseSubtitle: Choose): void {
  const heard = before.audio === undefined && state.audio !== undefined;
  if ((before.audios.length === 0 || heard) && state.audios.length > 0) {
    const wanted = rememberedAudio(state);
    if (wanted !== undefined && wanted !== state.audio) chooseAudio(wanted);
  }
  if (state.subtitles.length > before.subtitles.length || (heard && state.subtitles.length > 0)) {
    const wanted = rememberedSubtitle(state);
    if (wanted !== state.subtitle) chooseSubtitle(wanted);
  }
}

/** Undefined: nothing speaks against what the engine takes, which is not known yet. */
function rememberedAudio({ audios, audio }: EngineState): string | undefined {
  const chosen = byDay(audios).find((track) => nameOf(track) === savedTrack('audio')) ?? likedAudio(byDay(audios), likes());
  const wanted = chosen?.id ?? audio;
  return formOf(audios, wanted, savedNight())?.id ?? wanted;
}

const rememberedSubtitle = (state: EngineState): string =>
  firstSubtitle(state, savedTrack('subtitle'), likes());
