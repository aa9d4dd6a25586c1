// SPDX-License-Identifier: GPL-3.0-or-later
// Tells the server where the film stands: every ten seconds of play, on pause, after
// a seek, and on leaving, by a request that outlives the page.
// Ends: by the AbortSignal, with a last report; what is answered is when the one under way is done.
import { reportPlayback } from '../api';

const EVERY_MS = 10_000;

export function report(
  video: HTMLVideoElement,
  playback: () => string | undefined,
  ends: AbortSignal,
): () => Promise<unknown> {
  let underWay: Promise<unknown> = Promise.resolve();
  const tell = (keepalive: boolean) => {
    if (video.readyState === 0 || !Number.isFinite(video.duration)) return;
    const id = playback();
    if (id === undefined) return;
    const body = { position: video.currentTime, paused: video.paused, rate: video.playbackRate };
    // A lost report is made good by the next one; a playback that is gone shows at the next segment.
    underWay = reportPlayback(id, body, keepalive).catch(() => undefined);
  };
  const timer = setInterval(() => {
    if (!video.paused) tell(false);
  }, EVERY_MS);
  for (const name of ['pause', 'seeked', 'ended']) video.addEventListener(name, () => tell(false), { signal: ends });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') tell(true);
  }, { signal: ends });
  window.addEventListener('pagehide', () => tell(true), { signal: ends });
  ends.addEventListener('abort', () => {
    clearInterval(timer);
    tell(true);
  }, { once: true });
  return () => underWay;
}
