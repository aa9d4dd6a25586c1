// SPDX-License-Identifier: GPL-3.0-or-later
// Notices a player that stands still with nothing to wait for, pushes it three times, each time
// harder, and then says so. A wait for bytes that were asked for is not a fault.
// Ends: by the AbortSignal.

export const STILL_MS = 8000;
export const TRIES = 3;
const LOOK_MS = 1000;
/** This much buffered ahead and still no motion: it is not the bytes that are missing. */
const ENOUGH_SECONDS = 1;

export interface Watched {
  position: number;
  /** It should be moving: not paused, not ended. */
  playing: boolean;
  bufferedAheadSeconds: number;
  loading: boolean;
}

export class Watchdog {
  #position = -1;
  #since: number;
  #attempts = 0;

  constructor(now: number) {
    this.#since = now;
  }

  /** 'fine', the number of the push that is due, or 'stuck' once after the last one. */
  look(now: number, at: Watched): 'fine' | 'stuck' | number {
    const moved = Math.abs(at.position - this.#position) > 0.01;
    const waiting = at.loading && at.bufferedAheadSeconds < ENOUGH_SECONDS;
    if (moved || !at.playing || waiting) {
      if (moved && at.playing && this.#position >= 0) this.#attempts = 0;
      this.#position = at.position;
      this.#since = now;
      return 'fine';
    }
    if (now - this.#since < STILL_MS) return 'fine';
    this.#since = now;
    if (this.#attempts === TRIES) {
      this.#attempts = 0;
      return 'stuck';
    }
    this.#attempts += 1;
    return this.#attempts;
  }
}

export function guard(read: () => Watched, push: (attempt: number) => void, stuck: () => void, signal: AbortSignal): void {
  const dog = new Watchdog(performance.now());
  const timer = setInterval(() => {
    const verdict = dog.look(performance.now(), read());
    if (verdict === 'stuck') stuck();
    else if (verdict !== 'fine') push(verdict);
  }, LOOK_MS);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
