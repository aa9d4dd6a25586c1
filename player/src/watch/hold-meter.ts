// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the server's waiting out of what hls.js takes for the speed of the network. A segment may be
// held until its first part is ready (the server says for how long: X-Hold-Ms) and then arrives as fast
// as it is made, with gaps between the parts. Both are taken out of the times that the bandwidth
// estimate and the rule for giving up on a slow segment look at.

/** A pause longer than this between two chunks is the server making the next part. */
export const GAP_MS = 50;
/** While no answer is there, no more than this much waiting shows. */
export const SHOWN_WAIT_MS = 400;

/** The two times of hls.js's LoaderStats that are moved. */
export interface Times { start: number; first: number }

export class HoldMeter {
  readonly #asked: number;
  #last: number | undefined;
  #movedInGap = 0;

  constructor(now: number) {
    this.#asked = now;
  }

  /** A chunk has arrived; `held_ms` is what the server said with the headers. */
  chunk(now: number, times: Times, held_ms: number): void {
    if (this.#last === undefined) {
      times.start = Math.min(times.first, this.#asked + Math.max(0, held_ms));
    } else {
      this.#move(times, this.#gap(now) - this.#movedInGap);
    }
    this.#last = now;
    this.#movedInGap = 0;
  }

  /** Called now and then while bytes are awaited, because hls.js looks at the times all along. */
  tick(now: number, times: Times): void {
    if (this.#last === undefined) {
      if (times.first === 0) times.start = Math.max(times.start, now - SHOWN_WAIT_MS);
      return;
    }
    const gap = this.#gap(now);
    this.#move(times, gap - this.#movedInGap);
    this.#movedInGap = gap;
  }

  #gap(now: number): number {
    const pause = now - (this.#last ?? now);
    return pause > GAP_MS ? pause : 0;
  }

  #move(times: Times, by: number): void {
    times.start += by;
    times.first += by;
  }
}
