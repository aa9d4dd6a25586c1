// SPDX-License-Identifier: GPL-3.0-or-later
// The keys of keyboards and headphones, and what the lock screen shows.
// Ends: by the AbortSignal.
import { effect } from '@preact/signals';
import { at } from '../base';
import type { Player } from './player';

const STEP_SECONDS = 10;

export function mediaSession(player: Player, title: string, ends: AbortSignal): void {
  if (!('mediaSession' in navigator)) return;
  const session = navigator.mediaSession;
  const { video } = player;
  session.metadata = new MediaMetadata({ title, artwork: [{ src: at('/icon.svg'), type: 'image/svg+xml' }] });
  const handlers: [MediaSessionAction, MediaSessionActionHandler][] = [
    ['play', () => player.play()],
    ['pause', () => video.pause()],
    ['seekbackward', ({ seekOffset }) => player.seekTo(video.currentTime - (seekOffset ?? STEP_SECONDS))],
    ['seekforward', ({ seekOffset }) => player.seekTo(video.currentTime + (seekOffset ?? STEP_SECONDS))],
    ['seekto', ({ seekTime }) => player.seekTo(seekTime ?? video.currentTime)],
  ];
  for (const [action, handler] of handlers) {
    try {
      session.setActionHandler(action, handler);
    } catch {
      // This browser does not know the action.
    }
  }
  const stop = effect(() => {
    const { duration, position, rate, paused } = player.snapshot.value;
    session.playbackState = paused ? 'paused' : 'playing';
    if (duration > 0) session.setPositionState({ duration, playbackRate: rate, position: Math.min(position, duration) });
  });
  ends.addEventListener('abort', () => {
    stop();
    session.metadata = null;
    session.playbackState = 'none';
    for (const [action] of handlers) session.setActionHandler(action, null);
  }, { once: true });
}
