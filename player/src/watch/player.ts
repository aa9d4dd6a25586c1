// SPDX-License-Identifier: GPL-3.0-or-later
// One film being played: the playback on the server, the engine, and what is wrong with either.
// Components read its signals and call its methods.
// Life: new -> open() -> playing | waiting for the server | failure; renew() starts again at the same
// position; everything ends with the AbortSignal.
import { batch, signal, type ReadonlySignal } from '@preact/signals';
import * as api from '../api';
import { savedNight, savedVolume, saveNight, saveVolume } from '../prefs';
import { announce } from '../parts/live';
import { placeChanged } from '../store';
import { t } from '../i18n';
import { capabilities } from './capabilities';
import { kindOfStatus, NOTHING, OFF, type Engine, type EngineState, type Failure, type Trouble } from './engine';
import { chooseEngine } from './choose-engine';
import { chooseRemembered, remember } from './chosen';
import { formOf } from './night';
import { opened } from './opening';
import { Pictures } from './pictures';
import { aheadOf } from './ranges';
import { report } from './report';
import { Scrub } from './scrub';
import { snapshotOf, type Snapshot } from './snapshot';
import { guard } from './watchdog';

const RENEW_PAUSE_MS = 10_000; // a playback that ends at once is not asked for in a circle
const ARRIVED_SECONDS = 5;
const STUCK: Failure = { kind: 'stuck', code: 'watchdog', status: undefined, words: '' };

export class Player {
  readonly video: HTMLVideoElement;
  readonly file: string;
  readonly snapshot: ReadonlySignal<Snapshot>;
  readonly engineState = signal<EngineState>(NOTHING);
  readonly failure = signal<Failure | undefined>(undefined);
  readonly trouble = signal<Trouble>(undefined);
  /** What the server is doing before there can be a playlist, in its words. */
  readonly preparing = signal<string | undefined>(undefined);
  /** Why the film's own picture is not offered, in the server's words. */
  readonly noCopy = signal<string | undefined>(undefined);
  /** Why larger converted pictures are not offered, in the server's words. */
  readonly limited = signal<string | undefined>(undefined);
  /** Where an earlier visit was left, if that is where this one began. */
  readonly resumedAt = signal<number | undefined>(undefined);
  /** Where the film is to begin, until the element has got there. */
  readonly heading = signal<number | undefined>(undefined);
  readonly scrub: Scrub;
  readonly pictures: Pictures;
  /** The browser wants a press of a button before it makes a sound. */
  readonly needsPress = signal(false);
  #engine: Engine | undefined;
  #engineSays = NOTHING;
  #playback: api.Playback | undefined;
  #renewedAt = -Infinity;
  #wanted: number | undefined;
  readonly #ends: AbortSignal;

  constructor(video: HTMLVideoElement, file: string, ends: AbortSignal) {
    this.video = video;
    this.file = file;
    this.#ends = ends;
    this.snapshot = snapshotOf(video, ends);
    this.scrub = new Scrub(ends);
    this.pictures = new Pictures(video, ends);
    const { volume, muted } = savedVolume();
    video.volume = volume;
    video.muted = muted;
    video.addEventListener('volumechange', () => saveVolume(video.volume, video.muted), { signal: ends });
    video.addEventListener('timeupdate', () => this.#arrive(false), { signal: ends });
    video.addEventListener('playing', () => this.#arrive(true), { signal: ends });
    guard(() => this.#watched(), (attempt) => this.#engine?.nudge(attempt), () => this.#failed(STUCK), ends);
    const reported = report(video, () => this.#playback?.id, ends);
    ends.addEventListener('abort', () => this.#close(reported()), { once: true });
  }

  play(): void {
    this.video.play().then(
      () => { this.needsPress.value = false; },
      (error: unknown) => {
        if (error instanceof DOMException && error.name === 'NotAllowedError') this.needsPress.value = true;
      },
    );
  }

  toggle(): void {
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  seekTo(seconds: number): void {
    const { duration } = this.snapshot.peek();
    const to = Math.min(Math.max(0, seconds), duration > 0 ? duration - 0.05 : seconds);
    if (this.heading.peek() !== undefined) this.heading.value = to;
    this.video.currentTime = to;
    this.scrub.show(to);
  }

  setVolume(volume: number): void {
    this.video.volume = Math.min(1, Math.max(0, Math.round(volume * 100) / 100));
    this.video.muted = this.video.volume === 0;
  }

  /** Where the film is, or is about to be. Reading it in a component subscribes. */
  position(): number {
    return this.heading.value ?? this.snapshot.value.position;
  }

  /** After a failure another quality is also another try. */
  setQuality(id: string): void {
    this.#engine?.setQuality(id);
    if (this.failure.peek()) void this.retry();
  }

  setAudio(id: string): void {
    const { audios } = this.engineState.peek();
    this.#engine?.setAudio(formOf(audios, id, savedNight())?.id ?? id);
    remember('audio', audios, id);
  }

  /** Loud and soft brought together, for this film and those after it. */
  setNight(on: boolean): void {
    const { audios, audio } = this.engineState.peek();
    const form = formOf(audios, audio, on);
    saveNight(on);
    if (form) this.#engine?.setAudio(form.id);
  }

  setSubtitle(id: string): void {
    this.#chooseSubtitle(id);
    remember('subtitle', this.engineState.peek().subtitles, id);
  }

  #chooseSubtitle(id: string): void {
    this.#engine?.setSubtitle(this.pictures.choose(id) ? OFF : id);
    this.#changed(this.#engineSays);
  }

  /** The way out of a failure: a new playback at the same position. */
  async retry(): Promise<void> {
    this.#renewedAt = -Infinity;
    await this.renew();
  }

  /** Asks the server for a new playback where this one stands; at most once in ten seconds. */
  async renew(): Promise<void> {
    const pause = this.#renewedAt + RENEW_PAUSE_MS - performance.now();
    if (pause > 0) await new Promise((done) => setTimeout(done, pause));
    if (this.#ends.aborted) return;
    this.#renewedAt = performance.now();
    this.failure.value = undefined;
    // What was never opened is still to begin where it was left.
    await this.open(this.position() || this.#wanted);
  }

  /** `playing` elsewhere: someone sought while the film was still being opened. */
  #arrive(playing: boolean): void {
    const heading = this.heading.peek();
    if (heading === undefined) return;
    const there = Math.abs(this.video.currentTime - heading) < ARRIVED_SECONDS;
    if (!there && !playing) return;
    this.heading.value = undefined;
    if (!there) this.video.currentTime = heading;
  }

  /** `position`: from the address; without it, where the server says that one was. */
  async open(position: number | undefined): Promise<void> {
    this.#wanted = position;
    this.heading.value = position ?? 0;
    try {
      const wish = { file: this.file, ...(position === undefined ? {} : { position }), capabilities: await capabilities() };
      const playback = await opened(wish, this.#ends, (words) => { this.preparing.value = words; });
      this.#playback = playback;
      this.limited.value = playback.limited;
      this.scrub.follow(playback);
      this.pictures.follow(playback);
      const picture = playback.tracks.find(({ kind, cover }) => kind === 'video' && !cover);
      this.noCopy.value = picture?.copy?.reason ?? picture?.delivery?.reason;
      const startAt = position ?? playback.position;
      this.#wanted = 0;
      this.heading.value = startAt;
      this.resumedAt.value = position === undefined && startAt > 0 ? startAt : undefined;
      this.#engine ??= await chooseEngine(this.video, {
        changed: (state) => this.#changed(state),
        trouble: (trouble) => { this.trouble.value = trouble; },
        failed: (failure) => this.#failed(failure),
      });
      if (this.#ends.aborted) {
        this.#close();
        return;
      }
      this.#engine.load({ master: playback.master, native: playback.native, startAt });
      this.play();
    } catch (error) {
      if (this.#ends.aborted) return;
      if (!(error instanceof api.Problem)) throw error;
      this.#failed({ kind: kindOfStatus(error.status), code: 'playback', status: error.status, words: error.words }, false);
    }
  }

  #changed(said: EngineState): void {
    this.#engineSays = said;
    const before = this.engineState.peek();
    const state = this.pictures.with(said);
    this.engineState.value = state;
    chooseRemembered(before, state, (id) => this.#engine?.setAudio(id), (id) => this.#chooseSubtitle(id));
  }

  #failed(failure: Failure, mayRenew = true): void {
    if (failure.kind === 'gone' && mayRenew) {
      void this.renew();
      return;
    }
    batch(() => {
      this.trouble.value = undefined;
      this.preparing.value = undefined;
      this.failure.value = failure;
    });
    this.video.pause();
    announce(t(`failure.${failure.kind}.title`));
  }

  #watched() {
    const { position, paused, ended, buffered } = this.snapshot.peek();
    const idle = this.failure.peek() !== undefined || this.needsPress.peek() || this.#engine === undefined;
    return {
      position: this.video.currentTime,
      playing: !paused && !ended && !idle,
      bufferedAheadSeconds: aheadOf(position, buffered),
      loading: this.#engine?.isLoading() ?? false,
    };
  }

  /** What is still to be said of the playback is said before it is ended. */
  #close(after: Promise<unknown> = Promise.resolve()): void {
    this.#engine?.destroy();
    this.#engine = undefined;
    const ended = this.#playback;
    if (ended) void after.then(() => api.endPlayback(ended.id)).catch(() => undefined).then(() => placeChanged(ended.item));
    this.#playback = undefined;
  }
}
