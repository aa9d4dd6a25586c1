// SPDX-License-Identifier: GPL-3.0-or-later
// Stretches of time, in seconds, for the seek bar.

export interface Range { start: number; end: number }

/** Sorted, with those that touch (or nearly) made one. */
export function mergeRanges(ranges: readonly Range[], slack = 0.1): Range[] {
  const merged: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (range.end <= range.start) continue;
    if (last && range.start <= last.end + slack) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged;
}

export const rangesOf = (list: TimeRanges): Range[] =>
  Array.from({ length: list.length }, (_, i) => ({ start: list.start(i), end: list.end(i) }));

/** How much lies ahead of `position` without a hole. */
export function aheadOf(position: number, ranges: readonly Range[]): number {
  const range = ranges.find(({ start, end }) => start <= position + 0.1 && end >= position);
  return range ? range.end - position : 0;
}
