// SPDX-License-Identifier: GPL-3.0-or-later
// Words, numbers and times in the reader's language. Catalogues are flat JSON in the i18next v4
// plural form (key_one, key_other); English is in the page, others are loaded when chosen.
// t() reads a signal, so what shows it is drawn again when the language changes.
import { signal } from '@preact/signals';
import en from './en.json';

export type Key = Plain<keyof typeof en>;
type Plain<K> = K extends `${infer Base}_one` | `${infer Base}_other` ? Base : K;
type Catalogue = Partial<Record<string, string>>;

export const LANGUAGES = { en: 'English', de: 'Deutsch' };
export type Language = keyof typeof LANGUAGES;

const ENGLISH: Catalogue = en;
const loaders: Record<Language, () => Promise<Catalogue>> = {
  en: () => Promise.resolve(ENGLISH),
  de: () => import('./de.json').then((module) => module.default),
};

const current = signal<{ language: Language; words: Catalogue }>({ language: 'en', words: ENGLISH });

export const language = (): Language => current.value.language;

export const isLanguage = (name: string): name is Language => Object.hasOwn(LANGUAGES, name);

/** The first of the reader's languages that we speak. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.split('-')[0] ?? '';
    if (isLanguage(base)) return base;
  }
  return 'en';
}

export async function speak(next: Language): Promise<void> {
  const words = await loaders[next]();
  current.value = { language: next, words };
  document.documentElement.lang = next;
}

/** The words of `key`, with {{names}} filled in; `count` also chooses the plural form. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const { language: tag, words } = current.value;
  const find = (name: string) => words[name] ?? ENGLISH[name];
  const count = values['count'];
  const plural = typeof count === 'number' ? find(`${key}_${new Intl.PluralRules(tag).select(count)}`) : undefined;
  const text = plural ?? find(key) ?? find(`${key}_other`) ?? key;
  return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? new Intl.NumberFormat(tag).format(value) : (value ?? '');
  });
}

/** 83.4 -> "1:23", 3723 -> "1:02:03": for clocks. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const pad = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** 3723 -> "1 hour, 2 minutes, 3 seconds": for screen readers. `coarse` leaves the seconds out. */
export function spokenTime(seconds: number, coarse = false): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const parts: string[] = [];
  if (h > 0) parts.push(t('time.hours', { count: h }));
  if (m > 0) parts.push(t('time.minutes', { count: m }));
  if (parts.length === 0 || (!coarse && s > 0)) parts.push(t('time.seconds', { count: s }));
  return parts.join(', ');
}

/** 5025 -> "1 h 24 min": for cards. */
export function shortDuration(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 60
    ? t('duration.minutes', { minutes })
    : t('duration.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** "2026-11-30T09:15:00Z" -> "30 Nov 2026", here. */
export function day(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : new Intl.DateTimeFormat(current.value.language, { dateStyle: 'medium' }).format(date);
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** 2100000 -> "2.1 MB"; `perSecond` -> "2.1 MB/s". */
export function bytes(count: number, perSecond = false): string {
  const step = count < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3));
  return new Intl.NumberFormat(current.value.language, {
    style: 'unit', unit: `${UNITS[step] ?? 'byte'}${perSecond ? '-per-second' : ''}`, unitDisplay: 'short',
    maximumFractionDigits: step > 1 ? 1 : 0,
  }).format(count / 1000 ** step);
}

/** "de" -> "German"; what the browser cannot name is shown as it is. */
export function languageName(tag: string | undefined): string | undefined {
  if (!tag || tag === 'und') return undefined;
  try {
    return new Intl.DisplayNames([current.value.language], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
