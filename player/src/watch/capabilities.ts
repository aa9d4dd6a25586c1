// SPDX-License-Identifier: GPL-3.0-or-later
// What this browser can decode: a fixed list of codec strings, asked once per browser and screen,
// remembered, and sent with every playback, so that the server knows what it may copy.
// H.264 High 10 is not on the list: Chromium says yes and shows nothing.
import { savedProbe, saveProbe } from '../prefs';

const VIDEO = [
  'avc1.42e01e', 'avc1.4d401f', 'avc1.640028', 'avc1.640033',
  'hvc1.1.6.L120.90', 'hvc1.1.6.L153.B0', 'hvc1.2.4.L120.90', 'hvc1.2.4.L153.B0',
  'vp09.00.40.08', 'vp09.00.51.08', 'vp09.02.51.10',
  'av01.0.08M.08', 'av01.0.12M.08', 'av01.0.13M.10',
  'dvh1.05.06', 'dvh1.08.06',
];
const AUDIO = ['mp4a.40.2', 'mp4a.40.5', 'mp4a.40.34', 'ac-3', 'ec-3', 'opus', 'fLaC', 'alac', 'dtsc'];

/** The part after the second dot of HEVC, AV1 and VP9 strings that means more than 1080p. */
const isLarge = (codec: string) => /L153|\.12M|\.13M|\.51\.|640033/.test(codec);

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

export async function capabilities(): Promise<{ codecs: string[] }> {
  const stamp = `${navigator.userAgent} ${screen.width}x${screen.height}@${devicePixelRatio}`;
  const [savedStamp, savedCodecs] = savedProbe()?.split('\n') ?? [];
  if (savedStamp === stamp && savedCodecs) return { codecs: savedCodecs.split(',') };
  const [video, audio] = await Promise.all([ask('video', VIDEO), ask('audio', AUDIO)]);
  const codecs = [...video, ...audio];
  saveProbe(`${stamp}\n${codecs.join(',')}`);
  return { codecs };
}
