// SPDX-License-Identifier: GPL-3.0-or-later
// Subtitles that are pictures, drawn over the film, whichever engine plays it: no engine knows of them.
// Among the choices of the menu they stand behind those that are text.
// Life: follow() a playback -> choose() -> follow() another one. Ends: by the AbortSignal.
import { signal } from '@preact/signals';
import type { Playback } from '../api';
import { t } from '../i18n';
import type { EngineState, Mark, TrackChoice } from './engine';
import { PictureCues, type PictureCue } from './picture-cues';
import { partBox, planeBox, shownBox, type Size } from './picture-place';

type Track = Playback['pictures'][number];

/** A frame that is shown is later by the clock of the element than it is in the film. */
const FRAME_SECONDS = 1;

function choiceOf({ id, language, title, forced, sdh }: Track): TrackChoice {
  const marks: Mark[] = [];
  if (forced === true) marks.push('forced');
  if (sdh === true) marks.push('sdh');
  const number = id.replace(/^\D*/, '');
  const spoken = language === 'und' ? undefined : language;
  return { id, language: spoken, name: (title === undefined || title === '' ? spoken : title) ?? t('subtitles.numbered', { number }), detail: undefined, marks };
}

export class Pictures {
  readonly #video: HTMLVideoElement;
  readonly #ends: AbortSignal;
  #tracks: Track[] = [];
  #coded: Size | undefined;
  #chosen: Track | undefined;
  #cues: PictureCues | undefined;
  #stop = new AbortController();
  #canvas: HTMLCanvasElement | undefined;
  /** What the canvas shows, and how large; undefined: nothing. */
  #drawn: { cue: PictureCue; size: string } | undefined;
  #covered = 0;
  /** Whether anything is chosen: then a canvas is needed. */
  readonly on = signal(false);

  constructor(video: HTMLVideoElement, ends: AbortSignal) {
    this.#video = video;
    this.#ends = ends;
    const look = () => this.#draw(video.currentTime);
    for (const name of ['timeupdate', 'seeking', 'seeked', 'loadeddata', 'resize', 'emptied'])
      video.addEventListener(name, look, { signal: ends });
    window.addEventListener('resize', look, { signal: ends });
    ends.addEventListener('abort', () => this.#stop.abort(), { once: true });
  }

  /** In place of the playback before; what was chosen there is chosen here. */
  follow({ pictures, tracks }: Pick<Playback, 'pictures' | 'tracks'>): void {
    const id = this.#chosen?.id;
    const film = tracks.find(({ kind, cover }) => kind === 'video' && cover !== true);
    this.#coded = film?.width !== undefined && film.height !== undefined ? { width: film.width, height: film.height } : undefined;
    this.#tracks = pictures;
    this.#chosen = undefined;
    this.choose(id);
  }

  /** False: it is none of these, and none of these is seen any more. */
  choose(id: string | undefined): boolean {
    const track = this.#tracks.find((it) => it.id === id);
    if (track && track === this.#chosen) return true;
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#chosen = track;
    this.#cues = track && new PictureCues(track.url, AbortSignal.any([this.#stop.signal, this.#ends]), () => this.#draw(this.#video.currentTime));
    this.on.value = track !== undefined;
    this.#draw(this.#video.currentTime);
    if (track) this.#followFrames(this.#stop.signal);
    return track !== undefined;
  }

  /** What the engine says, and these. */
  with(state: EngineState): EngineState {
    return {
      ...state,
      subtitles: [...state.subtitles, ...this.#tracks.map(choiceOf)],
      subtitle: this.#chosen?.id ?? state.subtitle,
    };
  }

  /** The canvas lies over the whole video element, bars and all. `undefined`: there is none any more. */
  drawOn(canvas: HTMLCanvasElement | undefined): void {
    this.#canvas = canvas;
    this.#drawn = undefined;
    this.#draw(this.#video.currentTime);
  }

  /** So many pixels from below are under the controls: what would lie there is drawn above them. */
  cover(pixels: number): void {
    this.#covered = pixels;
    this.#draw(this.#video.currentTime);
  }

  /** Frame by frame, where the browser tells of them; else a few times a second. */
  #followFrames(stop: AbortSignal): void {
    if (!('requestVideoFrameCallback' in this.#video)) return;
    const video = this.#video;
    const next = () => video.requestVideoFrameCallback((_, { mediaTime }) => {
      if (stop.aborted || this.#ends.aborted) return;
      const isOnClock = Math.abs(mediaTime - video.currentTime) < FRAME_SECONDS;
      this.#draw(isOnClock ? mediaTime : video.currentTime);
      next();
    });
    next();
  }

  #draw(seconds: number): void {
    const cue = this.#cues?.at(seconds);
    const canvas = this.#canvas;
    if (!canvas) return;
    const frame = { width: canvas.clientWidth, height: canvas.clientHeight };
    const { videoWidth, videoHeight } = this.#video;
    const ratio = window.devicePixelRatio;
    const size = [frame.width, frame.height, videoWidth, videoHeight, ratio, this.#covered].join(' ');
    if (cue === this.#drawn?.cue && (!cue || size === this.#drawn?.size)) return;
    canvas.width = Math.round(frame.width * ratio); // which clears it
    canvas.height = Math.round(frame.height * ratio);
    this.#drawn = cue && { cue, size };
    const context = canvas.getContext('2d');
    if (!cue || !context) return;
    context.scale(ratio, ratio);
    context.imageSmoothingQuality = 'high';
    const box = planeBox(cue, this.#coded, shownBox(frame, { width: videoWidth, height: videoHeight }));
    for (const picture of cue.pictures) {
      const { left, top, width, height } = partBox(picture, cue, box, { ...frame, height: frame.height - this.#covered });
      context.drawImage(picture.image, left, top, width, height);
    }
  }
}
