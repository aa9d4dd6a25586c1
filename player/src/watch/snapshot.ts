// SPDX-License-Identifier: GPL-3.0-or-later
// What the video element is doing, as one read-only snapshot. Nobody writes it but this file, and only
// when the element says so: controls that were pressed show the new state once it is true.
// Ends: by the AbortSignal.
import { signal, type ReadonlySignal } from '@preact/signals';
import { mergeRanges, rangesOf, type Range } from './ranges';

export interface Snapshot {
  position: number;
  duration: number;
  buffered: Range[];
  paused: boolean;
  ended: boolean;
  /** It should be playing, and has no picture to show. */
  waiting: boolean;
  /** A first frame has been there. */
  started: boolean;
  volume: number;
  muted: boolean;
  rate: number;
  fullscreen: boolean;
}

const EVENTS = [
  'timeupdate', 'durationchange', 'progress', 'play', 'pause', 'playing', 'waiting', 'stalled', 'seeking', 'seeked',
  'ended', 'volumechange', 'ratechange', 'loadeddata', 'canplay', 'emptied', 'error',
  'webkitbeginfullscreen', 'webkitendfullscreen',
];

function read(video: HTMLVideoElement, started: boolean): Snapshot {
  const duration = Number.isFinite(video.duration) ? video.duration : 0;
  return {
    position: video.currentTime,
    duration,
    buffered: mergeRanges(rangesOf(video.buffered)),
    paused: video.paused,
    ended: video.ended,
    waiting: !video.ended && (video.seeking || !video.paused) && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA
      && !(duration > 0 && duration - video.currentTime < 0.1),
    started,
    volume: video.volume,
    muted: video.muted,
    rate: video.playbackRate,
    fullscreen: document.fullscreenElement !== null,
  };
}

export function snapshotOf(video: HTMLVideoElement, ends: AbortSignal): ReadonlySignal<Snapshot> {
  let started = false;
  const state = signal(read(video, started));
  const update = () => {
    started ||= video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    state.value = read(video, started);
  };
  for (const name of EVENTS) video.addEventListener(name, update, { signal: ends });
  document.addEventListener('fullscreenchange', update, { signal: ends });
  return state;
}
