// SPDX-License-Identifier: GPL-3.0-or-later
// What this browser can play: a fixed list of codec strings, asked once per browser and screen and
// remembered, and what screen and loudspeakers there are now; sent with every playback, so that the
// server knows what it may copy, up to which level, in HDR, in 5.1.
// H.264 High 10 is not on the list: Chromium says yes and shows nothing.
import type { Capabilities } from '../api';
import { savedProbe, saveProbe } from '../prefs';

const VIDEO = [
  'avc1.42e01e', 'avc1.4d401f', 'avc1.640028', 'avc1.640033', 'avc1.640034',
  'hvc1.1.6.L120.90', 'hvc1.1.6.L153.B0', 'hvc1.2.4.L120.90', 'hvc1.2.4.L153.B0',
  'vp09.00.40.08', 'vp09.00.51.08', 'vp09.02.51.10',
  'av01.0.08M.08', 'av01.0.12M.08', 'av01.0.08M.10', 'av01.0.13M.10',
];
const AUDIO = ['mp4a.40.2', 'mp4a.40.5', 'mp4a.40.34', 'ac-3', 'ec-3', 'opus', 'fLaC', 'alac', 'dtsc'];

/** What the server takes. */
const MOST_CHANNELS = 64;
const MOST_PIXELS = 32768;

/** The part after the second dot of HEVC, AV1 and VP9 strings that means more than 1080p. */
const isLarge = (codec: string) => /L153|\.12M|\.13M|\.51\.|64003[34]/.test(codec);

async function canDecode(kind: 'video' | 'audio', codec: string): Promise<boolean> {
  const contentType = `${kind}/mp4; codecs="${codec}"`;
  const configuration: MediaDecodingConfiguration = kind === 'video'
    ? { type: 'media-source', video: { contentType, width: isLarge(codec) ? 3840 : 1920, height: isLarge(codec) ? 2160 : 1080, bitrate: 8e6, framerate: 24 } }
    : { type: 'media-source', audio: { contentType, channels: '2', bitrate: 192e3, samplerate: 48000 } };
  try {
    return (await navigator.mediaCapabilities.decodingInfo(configuration)).supported;
  } catch {
    return document.createElement(kind).canPlayType(contentType) === 'probably';
  }
}

async function ask(kind: 'video' | 'audio', codecs: string[]): Promise<string[]> {
  const answers = await Promise.all(codecs.map((codec) => canDecode(kind, codec)));
  return codecs.filter((_, index) => answers[index]);
}

async function codecs(): Promise<string[]> {
  const stamp = `2 ${navigator.userAgent} ${screen.width}x${screen.height}@${devicePixelRatio}`;
  const [savedStamp, saved] = savedProbe()?.split('\n') ?? [];
  if (savedStamp === stamp && saved) return saved.split(',');
  const [video, audio] = await Promise.all([ask('video', VIDEO), ask('audio', AUDIO)]);
  const found = [...video, ...audio];
  saveProbe(`${stamp}\n${found.join(',')}`);
  return found;
}

const showsHdr = (): boolean =>
  matchMedia('(dynamic-range: high)').matches || matchMedia('(video-dynamic-range: high)').matches;

/** As many as the machine's output has; stereo where it does not tell. */
function loudspeakers(): number {
  try {
    const context = new AudioContext();
    const channels = context.destination.maxChannelCount;
    void context.close();
    return Math.min(MOST_CHANNELS, Math.max(1, channels));
  } catch {
    return 2;
  }
}

const pixels = (points: number): number => Math.min(MOST_PIXELS, Math.max(1, Math.round(points * devicePixelRatio)));

export async function capabilities(): Promise<Capabilities> {
  return {
    codecs: await codecs(),
    hdr: showsHdr(),
    channels: loudspeakers(),
    screen: { width: pixels(screen.width), height: pixels(screen.height) },
  };
}
