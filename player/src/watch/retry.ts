// SPDX-License-Identifier: GPL-3.0-or-later
// Which refusals may heal. A part that is not ready is held by the server and then answered 503, so
// asking again is the normal case and has no limit; the player stops it by the switch.

const HEALS = new Set([0, 408, 425, 429, 503, 504]);

/** No status at all is a lost connection: that heals too. */
export const canHeal = (status: number | undefined): boolean => status === undefined || HEALS.has(status);

/** Ends all retries at once: the page was left, or a refusal came that waiting cannot heal. */
export class Switch {
  #stopped = false;
  get stopped(): boolean { return this.#stopped; }
  stop(): void { this.#stopped = true; }
  start(): void { this.#stopped = false; }
}
