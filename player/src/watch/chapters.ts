// SPDX-License-Identifier: GPL-3.0-or-later
// The chapters of a film, as its makers set them.
import { t } from '../i18n';

export interface Chapter { start: number; end: number; title: string }

/** In the order of the film, as they are listed; what has no name has a number. */
export const chapterName = (chapters: readonly Chapter[], index: number): string => {
  const title = chapters[index]?.title.trim() ?? '';
  return title === '' ? t('chapters.nth', { number: index + 1 }) : title;
};

/** Which chapter is on at `at`; -1 before the first. */
export const chapterAt = (chapters: readonly Chapter[], at: number): number =>
  chapters.findLastIndex(({ start }) => start <= at);

/** In order, whatever order they stood in. */
export const usableChapters = (chapters: readonly Chapter[]): Chapter[] =>
  chapters.filter(({ start }) => start >= 0).sort((a, b) => a.start - b.start);
