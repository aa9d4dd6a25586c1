// SPDX-License-Identifier: GPL-3.0-or-later
// What this browser remembers by itself: language, theme, volume, tracks. Where a film was left is the
// server's to know. Storage may be full or forbidden; then things last as long as the page.
import { signal } from '@preact/signals';
import { isLanguage, preferredLanguage, type Language } from './i18n';

const PREFIX = 'matinee.';
const memory = new Map<string, string>();

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + key) ?? memory.get(key);
  } catch {
    return memory.get(key);
  }
}

function write(key: string, value: string | undefined): void {
  if (value === undefined) memory.delete(key);
  else memory.set(key, value);
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
  } catch {
    // Kept in memory.
  }
}

export type Theme = 'dark' | 'light';
export const theme = signal<Theme>(read('theme') === 'light' ? 'light' : 'dark');
export const singleKeys = signal(read('keys') !== 'off');

export function setTheme(next: Theme): void {
  theme.value = next;
  write('theme', next);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = theme.value;
}

export function setSingleKeys(on: boolean): void {
  singleKeys.value = on;
  write('keys', on ? undefined : 'off');
}

export function savedLanguage(): Language {
  const saved = read('language') ?? '';
  return isLanguage(saved) ? saved : preferredLanguage(navigator.languages);
}

export const saveLanguage = (next: Language): void => write('language', next);

const number = (key: string): number | undefined => {
  const text = read(key);
  const value = Number(text);
  return text !== undefined && Number.isFinite(value) ? value : undefined;
};

export const savedVolume = (): { volume: number; muted: boolean } => ({
  volume: Math.min(1, Math.max(0, number('volume') ?? 1)),
  muted: read('muted') === 'yes',
});
export function saveVolume(volume: number, muted: boolean): void {
  write('volume', volume.toFixed(2));
  write('muted', muted ? 'yes' : undefined);
}

/** Bits per second seen last time: hls.js starts from it instead of from a guess. */
export const savedBandwidth = (): number | undefined => number('bandwidth');
export const saveBandwidth = (bits: number): void => write('bandwidth', String(Math.round(bits)));

/** Remembered by language and title, never by index: files of a series differ. */
export const savedTrack = (kind: 'audio' | 'subtitle'): string | undefined => read(kind);
export const saveTrack = (kind: 'audio' | 'subtitle', name: string | undefined): void => write(kind, name);

/** Night mode: whether loud and soft are brought together. */
export const savedNight = (): boolean => read('night') === 'yes';
export const saveNight = (on: boolean): void => write('night', on ? 'yes' : undefined);

/** Codec answers, once per browser and screen. */
export const savedProbe = (): string | undefined => read('probe');
export const saveProbe = (text: string): void => write('probe', text);
