// SPDX-License-Identifier: GPL-3.0-or-later
// What is known beside the place of the film: what of it is here, its chapters, its intro and credits, its
// pictures, and where the last seek went.
// Ends: by the AbortSignal.
import { signal } from '@preact/signals';
import type { Playback } from '../api';
import { Arrival } from './arrival';
import { usableChapters, type Chapter } from './chapters';
import { Markers } from './markers';
import { Storyboard } from './storyboard';

/** How long the place that a key or a button went to is shown above the bar. */
const SOUGHT_MS = 1500;

export class Scrub {
  readonly arrival: Arrival;
  readonly storyboard: Storyboard;
  readonly markers: Markers;
  readonly chapters = signal<readonly Chapter[]>([]);
  /** Where the last seek went, for a moment after it. */
  readonly sought = signal<number | undefined>(undefined);
  #timer = 0;

  constructor(ends: AbortSignal) {
    this.arrival = new Arrival(ends);
    this.storyboard = new Storyboard(ends);
    this.markers = new Markers(ends);
    ends.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** In place of the playback before. */
  follow(playback: Playback): void {
    this.arrival.follow(playback);
    this.storyboard.follow(playback);
    this.markers.follow(playback);
    this.chapters.value = usableChapters(playback.chapters);
  }

  show(seconds: number): void {
    this.storyboard.want();
    this.sought.value = seconds;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => { this.sought.value = undefined; }, SOUGHT_MS);
  }
}
