// SPDX-License-Identifier: GPL-3.0-or-later
// HLS by hls.js over Media Source. Turns its levels, tracks and errors into the words of engine.ts.
import { problemOf } from '../api';
import { saveBandwidth, savedBandwidth } from '../prefs';
import { CueTrack } from './cue-track';
import {
  AUTO, kindOfStatus, NOTHING, OFF, renditionOf,
  type Engine, type EngineEvents, type EngineSource, type Failure,
} from './engine';
import { ErrorDetails, ErrorTypes, Events, Hls, PlaylistLevelType, type ErrorData } from './hls';
import { hlsConfig } from './hls-config';
import { cuesOf, isText, onceEach, qualityOf, subtitleOf, trackOf } from './hls-words';
import { canHeal, Switch } from './retry';

/** Bits per second; the next film may be watched over a slower network. */
const MOST_REMEMBERED = 50e6;
const MOST_SUPPOSED = 25e6;

export const hlsIsSupported = (): boolean => Hls.isSupported();

/** The session or the playback is over; the player heals both. */
const isLost = (status: number | undefined): boolean => status !== undefined && ['signed-out', 'gone'].includes(kindOfStatus(status));

export class HlsEngine implements Engine {
  readonly #video: HTMLVideoElement;
  readonly #events: EngineEvents;
  readonly #off = new Switch();
  #hls: Hls | undefined;
  #wanted = AUTO;
  #loading = new Set<string>();
  #mediaErrors = 0;
  readonly #cues: CueTrack<VTTCue>;

  constructor(video: HTMLVideoElement, events: EngineEvents) {
    this.#video = video;
    this.#events = events;
    this.#cues = new CueTrack<VTTCue>(video.addTextTrack('subtitles', 'matinee'));
  }

  load({ master, startAt }: EngineSource): void {
    this.#close();
    this.#off.start();
    const hls = new Hls(hlsConfig(this.#off, startAt, savedBandwidth()));
    this.#hls = hls;
    const publish = () => this.#publish();
    hls.on(Events.MANIFEST_PARSED, () => {
      // Told "auto", hls.js would first load a segment of the lowest, which costs a transcode, only to
      // measure the network.
      const wanted = this.#indexOf(this.#wanted);
      if (wanted >= 0) hls.loadLevel = wanted;
      else this.#wanted = AUTO;
      this.#preferCopy(hls);
      publish();
    });
    hls.on(Events.LEVEL_SWITCHED, publish);
    hls.on(Events.LEVELS_UPDATED, publish);
    hls.on(Events.AUDIO_TRACKS_UPDATED, publish);
    hls.on(Events.AUDIO_TRACK_SWITCHED, publish);
    hls.on(Events.AUDIO_TRACK_SWITCHING, publish);
    this.#flushOnce(hls);
    // Whoever hears of them chooses, and hls.js, once it has told of them, would choose none.
    hls.on(Events.SUBTITLE_TRACKS_UPDATED, () => queueMicrotask(publish));
    hls.on(Events.SUBTITLE_TRACK_SWITCH, (_, { id }) => {
      this.#cues.choose(id >= 0 ? String(id) : undefined);
      publish();
    });
    hls.on(Events.CUES_PARSED, (_, { type, cues, subtitleTrack }) => {
      if (type === 'subtitles' && subtitleTrack) this.#cues.add(String(subtitleTrack.id), cuesOf(cues));
    });
    hls.on(Events.FRAG_LOADING, (_, { frag }) => {
      if (frag.type !== PlaylistLevelType.SUBTITLE) this.#loading.add(frag.type);
    });
    hls.on(Events.FRAG_LOADED, (_, { frag }) => {
      if (frag.type === PlaylistLevelType.SUBTITLE) return;
      this.#loading.delete(frag.type);
      this.#events.trouble(undefined);
      saveBandwidth(Math.min(hls.bandwidthEstimate, MOST_REMEMBERED));
    });
    hls.on(Events.FRAG_LOAD_EMERGENCY_ABORTED, (_, { frag }) => this.#loading.delete(frag.type));
    hls.on(Events.ERROR, (_, data) => this.#failed(data));
    hls.loadSource(master);
    hls.attachMedia(this.#video);
  }

  setQuality(id: string): void {
    this.#wanted = id;
    const hls = this.#hls;
    if (!hls) return;
    // The next segment, not this one: the picture goes on.
    hls.nextLevel = this.#indexOf(id);
    this.#publish();
  }

  setAudio(id: string): void {
    if (this.#hls) this.#hls.nextAudioTrack = Number(id);
  }

  setSubtitle(id: string): void {
    if (!this.#hls) return;
    this.#hls.subtitleTrack = id === OFF ? -1 : Number(id);
    this.#publish();
  }

  /**
   * When the sound changes, hls.js takes away what lies ahead of the old track; with `progressive` it does
   * so again at every piece of the new one, and thereby takes away that. Once a piece of the new track
   * goes in, there is nothing left to take: an infinite distance makes it an empty range.
   */
  #flushOnce(hls: Hls): void {
    const usualSeconds = hls.config.nextAudioTrackBufferFlushForwardOffset;
    hls.on(Events.AUDIO_TRACK_SWITCHING, () => {
      hls.config.nextAudioTrackBufferFlushForwardOffset = usualSeconds;
    });
    hls.on(Events.BUFFER_APPENDING, (_, { type, frag }) => {
      if (type !== 'audio' || frag.sn === 'initSegment' || frag.level !== hls.audioTrack) return;
      hls.config.nextAudioTrackBufferFlushForwardOffset = Infinity;
    });
  }

  isLoading(): boolean {
    return this.#loading.size > 0;
  }

  nudge(attempt: number): void {
    const hls = this.#hls;
    if (!hls) return;
    if (attempt === 1) hls.startLoad(this.#video.currentTime);
    else hls.recoverMediaError();
  }

  destroy(): void {
    this.#close();
  }

  #close(): void {
    this.#off.stop();
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#cues.clear();
    this.#loading.clear();
  }

  /** With the sounds that are heard now, else with the richest: levels stand by bit rate. */
  #indexOf(id: string): number {
    const hls = this.#hls;
    if (!hls) return -1;
    const group = hls.audioTracks[hls.audioTrack]?.groupId;
    const same = hls.levels.findLastIndex((level) => renditionOf(level.uri) === id && level.hasAudioGroup(group));
    return same >= 0 ? same : hls.levels.findLastIndex((level) => renditionOf(level.uri) === id);
  }

  /**
   * Levels stand by height. Nothing above the file's own picture is better than it, and a small window
   * is no reason to have it converted: left to itself, only a slow network may choose below it.
   */
  #preferCopy(hls: Hls): void {
    const copy = hls.levels.findLastIndex((level) => qualityOf(level).copy);
    if (copy < 0) return;
    hls.capLevelToPlayerSize = false;
    hls.autoLevelCapping = copy;
    // Where nothing was measured yet, the network is taken to carry it.
    if (savedBandwidth() === undefined) hls.bandwidthEstimate = Math.max(hls.bandwidthEstimate, Math.min(MOST_SUPPOSED, hls.levels[copy]?.maxBitrate ?? 0));
  }

  #publish(): void {
    const hls = this.#hls;
    if (!hls) return;
    const shown = hls.levels[hls.currentLevel];
    this.#events.changed({
      ...NOTHING,
      qualities: onceEach(hls.levels.map(qualityOf)),
      quality: this.#wanted,
      shown: shown && renditionOf(shown.uri),
      audios: hls.audioTracks.map(trackOf),
      audio: hls.audioTrack >= 0 ? String(hls.audioTrack) : undefined,
      subtitles: hls.subtitleTracks.map(subtitleOf),
      subtitle: hls.subtitleTrack >= 0 ? String(hls.subtitleTrack) : OFF,
    });
  }

  #failed(data: ErrorData): void {
    const status = data.response?.code;
    const network = data.type === ErrorTypes.NETWORK_ERROR;
    if (isText(data) && !data.fatal && !isLost(status)) return;
    if (network && status !== undefined && !canHeal(status) && this.#isHopeless(data, status)) {
      this.#hls?.stopLoad();
      void this.#give(kindOfStatus(status), data);
      return;
    }
    if (!data.fatal) {
      if (network && status !== undefined) this.#events.trouble(status === 0 ? 'offline' : 'not-ready');
      return;
    }
    if (data.type === ErrorTypes.MEDIA_ERROR && this.#recoverMedia(data)) return;
    void this.#give(network ? 'network' : 'media', data);
  }

  /**
   * The player heals a lost session or playback. A refused part is left to hls.js as long as it goes to
   * another level; without one it would ask again for ever, whatever shouldRetry says.
   */
  #isHopeless(data: ErrorData, status: number): boolean {
    return isLost(status) || data.fatal || data.errorAction?.nextAutoLevel === undefined;
  }

  #recoverMedia(data: ErrorData): boolean {
    if (data.details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) return false;
    this.#mediaErrors += 1;
    if (this.#mediaErrors > 2) return false;
    this.#hls?.recoverMediaError();
    return true;
  }

  async #give(kind: Failure['kind'], data: ErrorData): Promise<void> {
    if (this.#off.stopped) return;
    this.#off.stop();
    const details: unknown = data.networkDetails;
    const problem = details instanceof Response && !details.bodyUsed ? await problemOf(details) : undefined;
    const unsupported = data.details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR
      || data.details === ErrorDetails.BUFFER_ADD_CODEC_ERROR;
    this.#events.failed({
      kind: unsupported ? 'unsupported' : kind,
      code: data.details,
      status: data.response?.code,
      words: problem?.words ?? '',
    });
  }
}
