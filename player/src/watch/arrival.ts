// SPDX-License-Identifier: GPL-3.0-or-later
// What of a film that is still being downloaded is there, for the seek bar.
// Ends: when all of it is there, or by the AbortSignal.
import { signal } from '@preact/signals';
import { listen, type Playback } from '../api';

export type Available = NonNullable<Playback['available']>;
/** A part of the film, as shares of it: from 0 to 1. */
export interface Share { from: number; to: number }

/** Bytes are near enough to time for a bar: what lies at a third of the file plays at about a third. */
export function sharesOf(available: Available | undefined): Share[] {
  if (!available || available.complete || available.size === 0) return [];
  return available.ranges.map(([begin = 0, end = 0]) => ({ from: begin / available.size, to: end / available.size }));
}

export class Arrival {
  readonly available = signal<Available | undefined>(undefined);
  #stop: () => void = () => undefined;

  constructor(ends: AbortSignal) {
    ends.addEventListener('abort', () => this.#stop(), { once: true });
  }

  /** In place of the playback before. */
  follow(playback: Playback): void {
    this.#stop();
    this.available.value = playback.available;
    if (!playback.available || playback.available.complete) return;
    this.#stop = listen([`playback:${playback.id}`], {
      heard: (news) => {
        if (news.type !== 'playback') return;
        this.available.value = news.playback.available;
        if (news.playback.available?.complete !== false) this.#stop();
      },
    });
  }
}
