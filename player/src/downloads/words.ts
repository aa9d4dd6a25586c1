// SPDX-License-Identifier: GPL-3.0-or-later
// A download in words and numbers.
import type { Download, DownloadFile } from '../api';
import { bytes, shortDuration, t, type Key } from '../i18n';

const STATES: Record<Download['state'], Key> = {
  metadata: 'downloads.state.metadata',
  checking: 'downloads.state.checking',
  downloading: 'downloads.state.downloading',
  paused: 'downloads.state.paused',
  complete: 'downloads.state.complete',
  failed: 'downloads.state.failed',
};
const LONGEST_SECONDS = 7 * 86_400; // a longer guess helps nobody

/** What the server's library takes for films and sound (src/library/names.c). */
const MEDIA = new Set(('mkv mp4 m4v mov webm avi ts m2ts mts mpg mpeg ps vob wmv asf flv f4v ogv ogm 3gp 3g2 mk3d divx rm '
  + 'rmvb mxf dv mp3 flac m4a m4b opus ogg oga wav aac ac3 eac3 dts mka wma aiff aif ape wv tta mp2 weba').split(' '));

export const isMedia = (name: string): boolean => MEDIA.has(/[^/.]\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? '');

export const stateWords = ({ state }: Download): string => t(STATES[state]);

/** Whole percents; 100 only when nothing is missing. */
export const percentOf = (progress: number): number => Math.floor(progress * 100);

export const percentWords = (progress: number): string => t('downloads.percent', { percent: percentOf(progress) });

const amount = (progress: number, size: number): string =>
  progress >= 1 ? bytes(size) : t('downloads.of', { here: bytes(progress * size), size: bytes(size) });

const timeLeft = ({ eta }: Download): string[] =>
  eta === null || eta > LONGEST_SECONDS ? [] : [t('card.left', { time: shortDuration(eta) })];

/** What stands below the name, after the state. */
export function factsOf(download: Download): string[] {
  const { state, progress, size, rate, upload_rate: upRate, peers } = download;
  const isComing = state === 'metadata' || state === 'checking' || state === 'downloading';
  const facts: string[] = [];
  if (size > 0 && progress < 1) facts.push(percentWords(progress));
  if (size > 0) facts.push(amount(progress, size));
  if (state === 'downloading') facts.push(bytes(rate, true));
  if (state === 'complete' && upRate > 0) facts.push(t('downloads.sends', { rate: bytes(upRate, true) }));
  if ((isComing && state !== 'checking') || (state === 'complete' && peers > 0)) facts.push(t('downloads.peers', { count: peers }));
  if (state === 'downloading') facts.push(...timeLeft(download));
  return facts;
}

export function fileFacts({ progress, size, wanted }: DownloadFile): string {
  const parts = wanted ? [] : [t('downloads.leftOut')];
  if (progress < 1 && (wanted || progress > 0)) parts.push(percentWords(progress));
  parts.push(bytes(size));
  return parts.join(' · ');
}

/** Folders that repeat the name of the download say nothing. */
export const shortName = (file: DownloadFile, download: Download): string =>
  file.name.startsWith(`${download.name}/`) ? file.name.slice(download.name.length + 1) : file.name;
