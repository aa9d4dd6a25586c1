// SPDX-License-Identifier: GPL-3.0-or-later
// The settings of hls.js. The numbers were measured against holding, refusing and breaking servers.
import { FreshAudioStreamController, FreshStreamController } from './fresh-controllers';
import type { HlsConfig, LoaderResponse, RetryConfig } from './hls';
import { HoldAwareLoader } from './hold-loader';
import { canHeal, type Switch } from './retry';
import { PlaylistLoader } from './wordy-loader';

/** All audio and video errors share one counter in hls.js, so only a very large number means "until told". */
const UNTIL_TOLD = 10_000;
const DEFAULT_BITS_PER_SECOND = 5e6;

function retryUnless(off: Switch, maxNumRetry: number, delays_ms: [first: number, max: number]): RetryConfig {
  return {
    maxNumRetry,
    retryDelayMs: delays_ms[0],
    maxRetryDelayMs: delays_ms[1],
    backoff: 'linear',
    shouldRetry: (rule, count, timeout, response: LoaderResponse | undefined) =>
      !off.stopped && count < (rule?.maxNumRetry ?? 0) && (timeout || canHeal(response?.code)),
  };
}

export function hlsConfig(off: Switch, startAt: number, bandwidth: number | undefined): Partial<HlsConfig> {
  const again = retryUnless(off, UNTIL_TOLD, [1000, 3000]);
  return {
    enableWorker: false, // the ES module has no worker, and it was measured no slower
    lowLatencyMode: false,
    progressive: true, // shows a segment while it is being made
    fLoader: HoldAwareLoader,
    streamController: FreshStreamController,
    audioStreamController: FreshAudioStreamController,
    pLoader: PlaylistLoader,
    renderTextTracksNatively: false, // cue-track.ts does
    startFragPrefetch: true,
    capLevelToPlayerSize: true,
    maxBufferLength: 30,
    maxMaxBufferLength: 120,
    maxBufferSize: 60e6,
    backBufferLength: 60,
    abrEwmaDefaultEstimate: bandwidth ?? DEFAULT_BITS_PER_SECOND,
    startPosition: startAt, // a seek after loading would waste a segment
    preserveManualLevelOnError: true,
    fragLoadPolicy: { default: {
      maxTimeToFirstByteMs: 45_000, // the server holds 20 s, then says 503
      maxLoadTimeMs: 180_000,
      timeoutRetry: retryUnless(off, UNTIL_TOLD, [0, 0]),
      errorRetry: again,
    } },
    playlistLoadPolicy: { default: {
      maxTimeToFirstByteMs: 20_000, maxLoadTimeMs: 30_000, timeoutRetry: again, errorRetry: again,
    } },
    manifestLoadPolicy: { default: {
      maxTimeToFirstByteMs: 30_000, maxLoadTimeMs: 40_000,
      timeoutRetry: retryUnless(off, 3, [1000, 3000]),
      errorRetry: retryUnless(off, 5, [1000, 3000]),
    } },
  };
}
