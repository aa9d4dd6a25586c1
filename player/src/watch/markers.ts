// SPDX-License-Identifier: GPL-3.0-or-later
// Where the film's intro and its credits are. The server may find them while the film plays already: as
// long as there are none, it is asked again a few times.
// Ends: by the AbortSignal.
import { signal } from '@preact/signals';
import { getPlayback, Problem, type Playback } from '../api';

export type Marker = Playback['markers'][number];

const PAUSES_MS = [20_000, 60_000, 180_000];
/** So near its end there is nothing left to skip. */
const REST_SECONDS = 1;

/** What can be skipped at `at`. */
export const markerAt = (markers: readonly Marker[], at: number): Marker | undefined =>
  markers.find(({ start, end }) => at >= start && at < end - REST_SECONDS);

export class Markers {
  readonly all = signal<readonly Marker[]>([]);
  readonly #ends: AbortSignal;
  #timer = 0;

  constructor(ends: AbortSignal) {
    this.#ends = ends;
    ends.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** In place of the playback before. */
  follow({ id, markers }: Pick<Playback, 'id' | 'markers'>): void {
    this.all.value = markers;
    this.#askLater(id, 0);
  }

  #askLater(id: string, tries: number): void {
    const pauseMs = PAUSES_MS[tries];
    clearTimeout(this.#timer);
    if (this.all.peek().length > 0 || pauseMs === undefined || this.#ends.aborted) return;
    this.#timer = window.setTimeout(() => void this.#ask(id, tries), pauseMs);
  }

  async #ask(id: string, tries: number): Promise<void> {
    const timer = this.#timer;
    try {
      const { markers } = await getPlayback(id, this.#ends);
      if (timer !== this.#timer) return; // another playback by now
      this.all.value = markers;
      this.#askLater(id, tries + 1);
    } catch (error) {
      // It is no loss: the film plays on.
      if (!this.#ends.aborted && !(error instanceof Problem)) throw error;
    }
  }
}
