// SPDX-License-Identifier: GPL-3.0-or-later
// Subtitles that are pictures, as the server has them: a playlist of parts, each with what is seen in its
// time. The part that is played and the one after it are asked for; some are kept, for who goes back.
// Ends: by the AbortSignal.
import { getPictureParts, getPictures, Problem, type PicturePart } from '../api';

export interface Picture { x: number; y: number; width: number; height: number; image: CanvasImageSource }
/** One takes the place of the one before it. `width`, `height`: of the plane. */
export interface PictureCue { start: number; end: number; width: number; height: number; pictures: Picture[] }

const KEPT_PARTS = 30;
const PAUSE_MS = 1000; // before what did not come is asked for again

interface Part { start: number; end: number; url: string }

/** A media playlist (RFC 8216): how long each part is, and where. */
export function readParts(text: string, base: string): Part[] {
  const parts: Part[] = [];
  let start = 0;
  let length = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith('#EXTINF:')) length = Number.parseFloat(line.slice(8));
    else if (line !== '' && !line.startsWith('#')) {
      parts.push({ start, end: start + length, url: new URL(line, base).href });
      start += length;
    }
  }
  return parts;
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

const decode = (png: string): Promise<ImageBitmap> =>
  createImageBitmap(new Blob([bytesOf(png)], { type: 'image/png' }));

async function decodeAll({ cues }: PicturePart): Promise<PictureCue[]> {
  return Promise.all(cues.map(async (cue) => ({
    ...cue,
    pictures: await Promise.all(cue.pictures.map(async ({ x, y, width, height, png }) => ({ x, y, width, height, image: await decode(png) }))),
  })));
}

export class PictureCues {
  readonly #url: string;
  readonly #ends: AbortSignal;
  readonly #loaded: () => void;
  #parts: Part[] | undefined;
  readonly #kept = new Map<number, PictureCue[]>();
  readonly #asked = new Set<number>();
  #pausedUntil = 0;

  /** `loaded`: there may be something new to be seen. */
  constructor(url: string, ends: AbortSignal, loaded: () => void) {
    this.#url = url;
    this.#ends = ends;
    this.#loaded = loaded;
    void this.#list();
  }

  /** What is seen then, as far as it is here; what is not is asked for. */
  at(seconds: number): PictureCue | undefined {
    const parts = this.#parts;
    if (!parts) {
      if (performance.now() >= this.#pausedUntil) void this.#list();
      return undefined;
    }
    const n = parts.findIndex(({ end }) => end > seconds);
    if (n < 0) return undefined;
    this.#want(n);
    this.#want(n + 1);
    return this.#kept.get(n)?.findLast(({ start, end }) => start <= seconds && seconds < end);
  }

  async #list(): Promise<void> {
    this.#pausedUntil = Infinity;
    await this.#try(async () => {
      const { text, url } = await getPictureParts(this.#url, this.#ends);
      this.#parts = readParts(text, url);
      this.#pausedUntil = 0;
    });
  }

  #want(n: number): void {
    const part = this.#parts?.[n];
    if (!part || this.#kept.has(n) || this.#asked.has(n) || performance.now() < this.#pausedUntil) return;
    this.#asked.add(n);
    void this.#try(async () => {
      this.#kept.set(n, await decodeAll(await getPictures(part.url, this.#ends)));
      this.#drop();
    }).finally(() => this.#asked.delete(n));
  }

  /** Those that were loaded first. */
  #drop(): void {
    for (const n of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_PARTS) return;
      this.#kept.delete(n);
    }
  }

  /** Subtitles that do not come are no reason to stop the film: they are asked for again. */
  async #try(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (this.#ends.aborted) return;
      this.#pausedUntil = performance.now() + PAUSE_MS;
      if (!(error instanceof Problem) && !(error instanceof DOMException)) throw error;
      return;
    }
    if (!this.#ends.aborted) this.#loaded();
  }
}
