// SPDX-License-Identifier: GPL-3.0-or-later
// The film in small pictures, for the seek bar: WebVTT whose cues say from when to when a picture stands
// and which part of which sheet it is. The server makes them when nobody waits for anything, so they are
// asked for when somebody looks, and again later while there are none.
// Ends: by the AbortSignal.
import { signal } from '@preact/signals';
import { getStoryboard, Problem, type Playback } from '../api';
import { canHeal } from './retry';

export interface Still { from: number; to: number; sheet: string; x: number; y: number; width: number; height: number }

const FIRST_PAUSE_MS = 4000;
const LONGEST_PAUSE_MS = 60_000;

const TIMES = /^(?:(\d+):)?(\d\d):(\d\d\.\d{3}) --> (?:(\d+):)?(\d\d):(\d\d\.\d{3})/;
const PLACE = /^([\w/-]+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

const seconds = (hours: string | undefined, minutes: string, rest: string): number =>
  Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(rest);

/** What cannot be read as a picture's cue is passed over. `base`: what the cues' addresses are relative to. */
export function readStoryboard(text: string, base: string): Still[] {
  const found: Still[] = [];
  for (const block of text.split(/\r?\n\r?\n/)) {
    const [first = '', second = ''] = block.trim().split(/\r?\n/);
    const times = TIMES.exec(first);
    const place = PLACE.exec(second);
    if (!times || !place) continue;
    const [, path = '', x, y, width, height] = place;
    found.push({
      from: seconds(times[1], times[2] ?? '', times[3] ?? ''),
      to: seconds(times[4], times[5] ?? '', times[6] ?? ''),
      sheet: new URL(path, base).href,
      x: Number(x), y: Number(y), width: Number(width), height: Number(height),
    });
  }
  return found;
}

/** The picture that is shown at `at`: the last one that is not later. */
export function stillAt(stills: readonly Still[], at: number): Still | undefined {
  let low = 0;
  let high = stills.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stills[middle]?.from ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return stills[Math.max(0, low - 1)];
}

export class Storyboard {
  readonly stills = signal<readonly Still[]>([]);
  readonly #ends: AbortSignal;
  #master: string | undefined;
  #askAgainAt = 0;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(ends: AbortSignal) {
    this.#ends = ends;
  }

  /** The film, by its playlist. What has no picture has none here. */
  follow({ master, tracks }: Pick<Playback, 'master' | 'tracks'>): void {
    this.#master = tracks.some(({ kind, cover }) => kind === 'video' && !cover) ? master : undefined;
  }

  /** Somebody looks at the seek bar. */
  want(): void {
    if (this.#master === undefined || performance.now() < this.#askAgainAt) return;
    this.#askAgainAt = Infinity;
    void this.#ask(this.#master);
  }

  async #ask(master: string): Promise<void> {
    try {
      const { text, url, mayCome } = await getStoryboard(master, this.#ends);
      this.stills.value = readStoryboard(text, url);
      if (mayCome) this.#askLater();
    } catch (error) {
      if (this.#ends.aborted || !(error instanceof Problem)) return;
      if (canHeal(error.status)) this.#askLater();
    }
  }

  #askLater(): void {
    this.#askAgainAt = performance.now() + this.#pauseMs;
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }
}
