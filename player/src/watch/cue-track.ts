// SPDX-License-Identifier: GPL-3.0-or-later
// One text track of the video element for whichever subtitles are chosen. hls.js could make tracks of
// its own, but does so with data: addresses, which the page's policy forbids. It loads each part of a
// language once: what it brought is kept here, for when that language is chosen again.

export interface Cue { startTime: number; endTime: number; text: string }

/** As much of a TextTrack as is used. */
export interface Track<C> {
  mode: TextTrackMode;
  addCue: (cue: C) => void;
  removeCue: (cue: C) => void;
}

/** Cues that span parts come with each of them. */
const keyOf = (cue: Cue): string => `${cue.startTime} ${cue.endTime} ${cue.text}`;

export class CueTrack<C extends Cue> {
  readonly #track: Track<C>;
  readonly #kept = new Map<string, Map<string, C>>();
  #chosen: string | undefined;

  constructor(track: Track<C>) {
    this.#track = track;
    track.mode = 'disabled';
  }

  /** `undefined`: none. */
  choose(id: string | undefined): void {
    if (id === this.#chosen) return;
    for (const cue of this.#of(this.#chosen)) this.#track.removeCue(cue);
    this.#chosen = id;
    this.#track.mode = id === undefined ? 'disabled' : 'showing';
    for (const cue of this.#of(id)) this.#track.addCue(cue);
  }

  add(id: string, cues: readonly C[]): void {
    const kept = this.#kept.get(id) ?? new Map<string, C>();
    this.#kept.set(id, kept);
    for (const cue of cues) {
      const key = keyOf(cue);
      if (kept.has(key)) continue;
      kept.set(key, cue);
      if (id === this.#chosen) this.#track.addCue(cue);
    }
  }

  /** Another playback: forgets all. */
  clear(): void {
    this.choose(undefined);
    this.#kept.clear();
  }

  #of(id: string | undefined): C[] {
    return id === undefined ? [] : [...this.#kept.get(id)?.values() ?? []];
  }
}
