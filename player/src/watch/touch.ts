// SPDX-License-Identifier: GPL-3.0-or-later
// What a press on the picture means. Mouse: play or pause, twice is fullscreen. Finger: shows or hides
// the controls, twice at a side jumps ten seconds.

export type Press = 'toggle' | 'fullscreen' | 'controls' | 'back' | 'forward' | 'nothing';

const DOUBLE_MS = 300;
const SIDE_SHARE = 0.35;

export class Presses {
  #last = -Infinity;
  #lastAcross = 0;

  /** `across`: 0 at the left edge, 1 at the right. */
  press(now: number, finger: boolean, across: number): Press {
    const again = now - this.#last < DOUBLE_MS && Math.abs(across - this.#lastAcross) < SIDE_SHARE;
    this.#last = now;
    this.#lastAcross = across;
    if (!finger) return again ? 'fullscreen' : 'toggle';
    if (!again) return 'controls';
    return across < SIDE_SHARE ? 'back' : across > 1 - SIDE_SHARE ? 'forward' : 'nothing';
  }
}
