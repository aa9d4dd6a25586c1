// SPDX-License-Identifier: GPL-3.0-or-later
// A poster made of type, for titles that have no picture: the colour comes from the title, so a film
// always looks the same.

/** Hues that stay clear when dark; the olive and mustard ones are left out. */
const HUES = [4, 18, 32, 150, 168, 186, 204, 222, 240, 258, 276, 296, 318, 340];

/** One of HUES, the same for the same text (FNV-1a). */
export function hueOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return HUES[(hash >>> 8) % HUES.length] ?? 0;
}

/** Titles in longer type need smaller letters. */
const sizeOf = (title: string) => (title.length > 34 ? 'small' : title.length > 16 ? 'middle' : 'large');

/** The letter that a person would look for. */
const initialOf = (title: string) => Array.from(title.replace(/^(the|an?|der|die|das|le|la|les|il) /i, ''))[0] ?? '';

export function Poster({ title, year }: { title: string; year: number | undefined }) {
  return (
    <span class={`poster ${sizeOf(title)}`} style={{ '--hue': hueOf(title) }} data-initial={initialOf(title)}>
      <span class="poster-title">{title}</span>
      {year !== undefined && <span class="poster-year">{year}</span>}
    </span>
  );
}
