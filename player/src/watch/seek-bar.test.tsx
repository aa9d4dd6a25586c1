// SPDX-License-Identifier: GPL-3.0-or-later
// The seek bar shows what is where it is pointed at, and says the same to those who hear it.
import { cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { signal } from '@preact/signals';
import { afterEach, expect, test, vi } from 'vitest';
import { SeekBar, type Seekable } from './seek-bar';
import type { Snapshot } from './snapshot';
import type { Still } from './storyboard';

afterEach(cleanup);

const still = (from: number, x: number): Still => ({ from, to: from + 10, sheet: 'http://film.test/s.jpg', x, y: 0, width: 240, height: 136 });

const SNAPSHOT: Snapshot = {
  position: 30, duration: 100, buffered: [], paused: true, ended: false, waiting: false, started: true, volume: 1, muted: false, rate: 1, fullscreen: false,
};

function bar(stills: Still[]) {
  const want = vi.fn();
  const seekTo = vi.fn();
  const sought = signal<number | undefined>(undefined);
  const player: Seekable = {
    snapshot: signal(SNAPSHOT),
    position: () => 30,
    seekTo,
    scrub: {
      arrival: { available: signal(undefined) },
      chapters: signal([{ start: 0, end: 50, title: 'Opening' }, { start: 50, end: 100, title: 'The end' }]),
      storyboard: { stills: signal<readonly Still[]>(stills), want },
      sought,
    },
  };
  const { container } = render(<SeekBar player={player} />);
  const seek = container.querySelector('.seek') ?? container;
  seek.getBoundingClientRect = () => new DOMRect(0, 0, 1000, 28);
  const tip = () => container.querySelector<HTMLElement>('.tip');
  return { container, sought, seek, seekTo, tip, want };
}

test('the range says the place and the chapter', () => {
  bar([]);
  expect(screen.getByRole('slider').getAttribute('aria-valuetext')).toBe('30 seconds of 1 minute, 40 seconds, Opening');
});

test('chapters are marks, but for the first', () => {
  const { container } = bar([]);
  const marks = [...container.querySelectorAll<HTMLElement>('.mark')];
  expect(marks.map((mark) => mark.style.getPropertyValue('--from'))).toEqual(['50%']);
});

test('pointing at a place shows its picture, chapter and time', () => {
  const { seek, tip, want } = bar([still(0, 0), still(40, 240), still(70, 480)]);
  fireEvent.pointerEnter(seek);
  fireEvent.pointerMove(seek, { clientX: 650 });
  expect(want).toHaveBeenCalled();
  expect(tip()?.textContent).toBe('The end1:05');
  const picture = tip()?.querySelector<HTMLElement>('.still');
  expect(picture?.style.backgroundPosition).toBe('-240px 0px');
  expect(picture?.style.backgroundImage).toContain('http://film.test/s.jpg');
  fireEvent.pointerLeave(seek);
  expect(tip()).toBeNull();
});

test('without pictures there is the time', () => {
  const { seek, tip } = bar([]);
  fireEvent.pointerMove(seek, { clientX: 100 });
  expect(tip()?.textContent).toBe('Opening0:10');
  expect(tip()?.querySelector('.still')).toBeNull();
});

test('dragging shows the place it would go to, and goes there when let go', () => {
  const { seekTo, tip } = bar([still(0, 0), still(40, 240), still(70, 480)]);
  const range = screen.getByRole<HTMLInputElement>('slider');
  fireEvent.pointerDown(range);
  fireEvent.input(range, { target: { value: '75' } });
  expect(tip()?.querySelector<HTMLElement>('.still')?.style.backgroundPosition).toBe('-480px 0px');
  expect(range.getAttribute('aria-valuetext')).toContain('The end');
  expect(seekTo).not.toHaveBeenCalled();
  fireEvent.change(range, { target: { value: '75' } });
  expect(seekTo).toHaveBeenCalledWith(75);
});

test('a seek by a key shows where it went', async () => {
  const { sought, tip } = bar([still(0, 0), still(40, 240)]);
  sought.value = 45;
  await vi.waitFor(() => expect(tip()?.textContent).toBe('Opening0:45'));
  sought.value = undefined;
  await vi.waitFor(() => expect(tip()).toBeNull());
});
