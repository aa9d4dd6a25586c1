// SPDX-License-Identifier: GPL-3.0-or-later
// What somebody typed or pasted: a magnet, a .torrent file elsewhere, or a video elsewhere.
export type Wish = { magnet: string } | { torrent_url: string } | { url: string };

function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** undefined: it is none of them. */
export function wishOf(typed: string): Wish | undefined {
  const text = typed.trim();
  if (/^magnet:/i.test(text)) return { magnet: text };
  const url = /^https?:\/\//i.test(text) ? urlOf(text) : undefined;
  if (!url) return undefined;
  return /\.torrent$/i.test(url.pathname) ? { torrent_url: text } : { url: text };
}

/** The server that an address leads to, as a person knows it. */
export const hostOf = (url: string): string => urlOf(url)?.host ?? '';
