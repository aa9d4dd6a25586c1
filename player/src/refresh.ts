// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the list fresh while it is looked at: by the server's news where it has them, and when the
// window gets the focus; without news, every two seconds while a scan runs.
// Ends: by the AbortSignal. The event stream is closed while the tab is hidden.
import { listen, type News } from './api';
import { loadBegun, loadLater, loadLibrary, loadScan, scan, scanIs, status } from './store';

const SCAN_POLL_MS = 2000;
const SETTLE_MS = 400; // news come in bursts: one reload for all of them

/** False where the server says that it has no event stream. */
export const hasEvents = (): boolean => status.peek()?.features['events'] !== false;

/** Calls `open` while the tab can be seen, and what it returned when it cannot. */
export function whileVisible(open: () => () => void, signal: AbortSignal): void {
  let close: (() => void) | undefined;
  const look = () => {
    const wanted = document.visibilityState === 'visible' && !signal.aborted;
    if (wanted) close ??= open();
    else {
      close?.();
      close = undefined;
    }
  };
  document.addEventListener('visibilitychange', look, { signal });
  signal.addEventListener('abort', look, { once: true });
  look();
}

export function watchLibrary(signal: AbortSignal): void {
  let timer = 0;
  const reload = async (): Promise<void> => {
    clearTimeout(timer);
    await Promise.all([loadScan(signal), loadBegun(signal), loadLater(signal), loadLibrary(signal)]);
    if (!signal.aborted && !hasEvents() && scan.peek()?.running) later(SCAN_POLL_MS);
  };
  const later = (ms: number) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void reload(), ms);
  };
  const heard = (news: News) => {
    if (news.type === 'scan') scanIs(news.scan);
    if (news.type === 'title' || news.type === 'title-gone') later(SETTLE_MS);
  };

  void reload();
  window.addEventListener('focus', () => void reload(), { signal });
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  if (hasEvents()) whileVisible(() => listen(['library'], { heard }), signal);
}
