// SPDX-License-Identifier: GPL-3.0-or-later
// hls.js's stream controllers, which forget a fragment that was aborted. With `progressive` its demuxer
// keeps the last moof+mdat until the next one comes; when the fragment that follows the aborted one is
// loaded next, that piece would be taken for its beginning, and all times be shifted by a segment.
import { AudioStreamController, Hls } from './hls';

export class FreshStreamController extends Hls.DefaultConfig.streamController {
  protected override resetLoadingState(): void {
    super.resetLoadingState();
    this.resetTransmuxer();
  }
}

export class FreshAudioStreamController extends AudioStreamController {
  protected override resetLoadingState(): void {
    super.resetLoadingState();
    this.resetTransmuxer();
  }
}
