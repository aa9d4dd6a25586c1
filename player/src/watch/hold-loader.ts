// SPDX-License-Identifier: GPL-3.0-or-later
// The loader of segments, with two additions: bytes pass through a BoxGate, and the server's waiting
// is kept out of the statistics by a HoldMeter.
// Ends: with the request; destroy() and abort() stop its timer.
import { BoxGate } from './box-gate';
import type {
  FragmentLoaderContext, LoaderCallbacks, LoaderConfiguration, LoaderContext, LoaderResponse,
} from './hls';
import { HoldMeter } from './hold-meter';
import { WordyLoader } from './wordy-loader';

const TICK_MS = 40;

/** `details` is hls.js's `any`: a Response here. */
function heldMs(details: unknown): number {
  const held = details instanceof Response ? Number(details.headers.get('X-Hold-Ms') ?? 0) : 0;
  return Number.isFinite(held) ? held : 0;
}

const bytesOf = (data: string | ArrayBuffer): Uint8Array =>
  typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);

export class HoldAwareLoader extends WordyLoader {
  declare context: FragmentLoaderContext | null;
  #timer = 0;

  override load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    const { onProgress, onSuccess } = callbacks;
    if (!onProgress || !Number.isFinite(config.highWaterMark)) {
      super.load(context, config, callbacks);
      return;
    }
    const gate = new BoxGate();
    const meter = new HoldMeter(performance.now());
    const stats = this.stats;
    this.#timer = window.setInterval(() => {
      if (stats.loading.end === 0) meter.tick(performance.now(), stats.loading);
    }, TICK_MS);

    // No size to wait for: every chunk of the network is seen, so that the pauses between them are.
    super.load(context, { ...config, highWaterMark: 0 }, {
      ...callbacks,
      onProgress: (_stats, ctx, data, details) => {
        meter.chunk(performance.now(), stats.loading, heldMs(details));
        const whole = gate.push(bytesOf(data));
        if (whole) onProgress(stats, ctx, new Uint8Array(whole).buffer, details);
      },
      onSuccess: (response: LoaderResponse, _stats, ctx, details) => {
        clearInterval(this.#timer);
        const rest = gate.flush();
        if (rest) onProgress(stats, ctx, new Uint8Array(rest).buffer, details);
        onSuccess(response, stats, ctx, details);
      },
    });
  }

  protected override abortInternal(): void {
    clearInterval(this.#timer);
    super.abortInternal();
  }
}
