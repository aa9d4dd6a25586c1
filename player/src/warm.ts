// SPDX-License-Identifier: GPL-3.0-or-later
// The player is fetched while a list is looked at, so that the first press need not wait for it.
// Ends: by the AbortSignal.
const AFTER_MS = 1500;

function warm(): void {
  // Where that fails, the press tries again and says why.
  Promise.all([import('./watch/watch'), import('./watch/engine-hls')]).catch(() => undefined);
}

export function warmPlayer(ends: AbortSignal): void {
  const timer = setTimeout(warm, AFTER_MS);
  ends.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
