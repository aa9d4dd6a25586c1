// SPDX-License-Identifier: GPL-3.0-or-later
// What the player asks of whatever plays HLS, and what it hears back. engine-hls.ts and
// engine-native.ts stand behind it; nothing else in the player knows which one is at work.
// Life: load() -> opened -> load() again for a new playback -> destroy(). Positions are media time from 0.

export interface Quality {
  id: string;
  height: number | undefined;
  bitsPerSecond: number;
  /** The source's own picture, sent as it is; else it is converted for this viewer. */
  copy: boolean;
}

/** Of subtitles: only what is foreign; also what is no speech. */
export type Mark = 'forced' | 'sdh';

export interface TrackChoice {
  id: string;
  language: string | undefined;
  name: string;
  /** Of sound: its channels. */
  detail: string | undefined;
  marks?: Mark[];
  /** The same sound as the one of this language and name, loud and soft brought together. */
  night?: boolean;
}

export const AUTO = 'auto';
export const OFF = 'off';

export interface EngineState {
  qualities: Quality[];
  /** What was asked for: an id or AUTO. */
  quality: string;
  /** What is on the screen, once that is known. */
  shown: string | undefined;
  audios: TrackChoice[];
  audio: string | undefined;
  subtitles: TrackChoice[];
  /** An id or OFF. */
  subtitle: string;
}

export const NOTHING: EngineState = {
  qualities: [], quality: AUTO, shown: undefined, audios: [], audio: undefined, subtitles: [], subtitle: OFF,
};

/** signed-out: 401. gone: 404 or 410, a new playback may heal it. refused: 403, 500, 502. */
export type FailureKind = 'signed-out' | 'gone' | 'refused' | 'network' | 'media' | 'unsupported' | 'stuck';

export interface Failure {
  kind: FailureKind;
  /** For the small print: what the engine calls it. */
  code: string;
  status: number | undefined;
  /** The server's own words, if it said any. */
  words: string;
}

/** Why bytes are late, while they may still come. */
export type Trouble = 'offline' | 'not-ready' | undefined;

export interface EngineEvents {
  changed: (state: EngineState) => void;
  trouble: (trouble: Trouble) => void;
  failed: (failure: Failure) => void;
}

export interface EngineSource { master: string; native: string; startAt: number }

export interface Engine {
  load(source: EngineSource): void;
  setQuality(id: string): void;
  setAudio(id: string): void;
  setSubtitle(id: string): void;
  /** True while bytes are asked for: then a standstill is a wait, not a fault. */
  isLoading(): boolean;
  /** The watchdog's push; `attempt` counts from 1 and each is stronger than the one before. */
  nudge(attempt: number): void;
  destroy(): void;
}

/** The kind of failure a status means, once retries are of no use. */
export function kindOfStatus(status: number): FailureKind {
  if (status === 401) return 'signed-out';
  if (status === 404 || status === 410) return 'gone';
  if (status >= 400) return 'refused';
  return 'network';
}

/** "/hls/abc/video-copy/index.m3u8?v=1" -> "video-copy": renditions are named in their URLs. */
export function renditionOf(url: string): string {
  const path = url.split(/[?#]/)[0] ?? '';
  return path.split('/').at(-2) ?? path;
}

/** Tracks are remembered by what a person calls them. */
export const nameOf = (track: { language: string | undefined; name: string } | undefined): string | undefined =>
  track && `${track.language ?? ''}/${track.name}`;
