// SPDX-License-Identifier: GPL-3.0-or-later
// hls.js where there is Media Source, else the browser's own HLS. Not the other way round: Chromium
// says `maybe` to HLS and then shows no tracks and dies of the first 503.
import type { Engine, EngineEvents } from './engine';
import { nativeIsSupported, NativeEngine } from './engine-native';

/** `?engine=native` in the address chooses the browser's own, for tests and for finding faults. */
const wantsNative = (): boolean => new URLSearchParams(location.search).get('engine') === 'native';

export async function chooseEngine(video: HTMLVideoElement, events: EngineEvents): Promise<Engine> {
  if (!(wantsNative() && nativeIsSupported(video))) {
    const { HlsEngine, hlsIsSupported } = await import('./engine-hls');
    if (hlsIsSupported()) return new HlsEngine(video, events);
  }
  return new NativeEngine(video, events);
}
