// SPDX-License-Identifier: GPL-3.0-or-later
// What comes after an episode, or what a show is gone on with.
import { call, type Shape, type Title } from '../api';

export const nextOf = async (item: string, signal: AbortSignal): Promise<Title | null> =>
  (await call<Shape<'Next'>>('GET', `/items/${encodeURIComponent(item)}/next`, { signal })).item;

/** The one that was begun, or else the first that plays. */
export function fileToPlay(title: Title): string | undefined {
  const ready = title.files.filter(({ state }) => state === 'ready');
  return (ready.find(({ id }) => id === title.progress?.file) ?? ready[0])?.id;
}
