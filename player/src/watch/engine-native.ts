// SPDX-License-Identifier: GPL-3.0-or-later
// HLS by the browser itself, where Media Source is missing (iPhones before iOS 17.1). It chooses the
// quality alone; audio and subtitles are the element's own tracks, where it has them.
// Ends: destroy() removes the source and all listeners.
import { NOTHING, OFF, type Engine, type EngineEvents, type EngineSource, type TrackChoice } from './engine';

export const nativeIsSupported = (video: HTMLVideoElement): boolean =>
  video.canPlayType('application/vnd.apple.mpegurl') !== '';

/** Only WebKit has this list on the element. */
interface AudioTracks extends Iterable<{ id: string; language: string; label: string; enabled: boolean }> { length: number }
type WithAudioTracks = HTMLVideoElement & { audioTracks: AudioTracks };
const hasAudioTracks = (video: HTMLVideoElement): video is WithAudioTracks => 'audioTracks' in video;

export class NativeEngine implements Engine {
  readonly #video: HTMLVideoElement;
  readonly #events: EngineEvents;
  #ends = new AbortController();
  #source: EngineSource | undefined;

  constructor(video: HTMLVideoElement, events: EngineEvents) {
    this.#video = video;
    this.#events = events;
  }

  load(source: EngineSource): void {
    this.#ends.abort();
    this.#ends = new AbortController();
    this.#source = source;
    const { signal } = this.#ends;
    const video = this.#video;
    const publish = () => this.#publish();
    video.addEventListener('loadedmetadata', publish, { signal });
    video.addEventListener('playing', () => this.#events.trouble(undefined), { signal });
    video.addEventListener('stalled', () => this.#events.trouble('not-ready'), { signal });
    video.addEventListener('error', () => this.#failed(), { signal });
    video.textTracks.addEventListener('addtrack', publish, { signal });
    video.textTracks.addEventListener('change', publish, { signal });
    video.src = source.native;
    if (source.startAt > 0) {
      video.addEventListener('loadedmetadata', () => { video.currentTime = source.startAt; }, { signal, once: true });
    }
  }

  setQuality(): void {
    // The browser alone decides.
  }

  setAudio(id: string): void {
    if (!hasAudioTracks(this.#video)) return;
    for (const track of this.#video.audioTracks) track.enabled = track.id === id;
    this.#publish();
  }

  setSubtitle(id: string): void {
    [...this.#video.textTracks].forEach((track, index) => {
      track.mode = String(index) === id ? 'showing' : 'disabled';
    });
  }

  isLoading(): boolean {
    return this.#video.networkState === HTMLMediaElement.NETWORK_LOADING;
  }

  nudge(): void {
    const { currentTime } = this.#video;
    if (!this.#source) return;
    this.load({ ...this.#source, startAt: currentTime });
    this.#video.play().catch(() => undefined);
  }

  destroy(): void {
    this.#ends.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #publish(): void {
    const video = this.#video;
    const audios: TrackChoice[] = [];
    let audio: string | undefined;
    if (hasAudioTracks(video)) {
      for (const { id, language, label, enabled } of video.audioTracks) {
        audios.push({ id, language, name: label, detail: undefined });
        if (enabled) audio = id;
      }
    }
    const texts = [...video.textTracks];
    const showing = texts.findIndex((track) => track.mode === 'showing');
    this.#events.changed({
      ...NOTHING,
      audios,
      audio,
      subtitles: texts.map(({ language, label }, index) => ({ id: String(index), language, name: label, detail: undefined })),
      subtitle: showing < 0 ? OFF : String(showing),
    });
  }

  #failed(): void {
    const { error } = this.#video;
    const unsupported = error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED;
    this.#events.failed({
      kind: error?.code === MediaError.MEDIA_ERR_NETWORK ? 'network' : unsupported ? 'unsupported' : 'media',
      code: `native-${error?.code ?? 0}`,
      status: undefined,
      words: '',
    });
  }
}
