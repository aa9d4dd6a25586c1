// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { BoxGate } from './box-gate';

function box(type: string, payload: number): Uint8Array {
  const bytes = new Uint8Array(8 + payload).fill(7);
  new DataView(bytes.buffer).setUint32(0, bytes.length);
  bytes.set(new TextEncoder().encode(type), 4);
  return bytes;
}

const join = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));

function feed(bytes: Uint8Array, size: number): number[] {
  const gate = new BoxGate();
  const pieces: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = gate.push(bytes.slice(at, at + size));
    if (piece) pieces.push(piece.length);
  }
  const rest = gate.flush();
  if (rest) pieces.push(rest.length);
  return pieces;
}

const segment = join(box('styp', 16), box('moof', 100), box('mdat', 500), box('moof', 90), box('mdat', 400));
const FIRST = 24 + 108 + 508;

describe('BoxGate', () => {
  test.each([1, 2, 7, 64, 333])('lets whole parts through, in chunks of %i', (size) => {
    expect(feed(segment, size)).toEqual([FIRST, segment.length - FIRST]);
  });

  test('gives everything at once where it comes at once', () => {
    expect(feed(segment, segment.length)).toEqual([segment.length]);
  });

  test('keeps the bytes and their order', () => {
    const gate = new BoxGate();
    const out: Uint8Array[] = [];
    for (let at = 0; at < segment.length; at += 13) {
      const piece = gate.push(segment.slice(at, at + 13));
      if (piece) out.push(piece);
    }
    expect(join(...out)).toEqual(segment);
    expect(gate.flush()).toBeUndefined();
  });

  test('holds back a part that was cut', () => {
    const gate = new BoxGate();
    expect(gate.push(segment.slice(0, FIRST + 50))?.length).toBe(FIRST);
    expect(gate.push(segment.slice(FIRST + 50, FIRST + 200))).toBeUndefined();
  });

  test('passes over the free boxes of a heartbeat', () => {
    const bytes = join(box('styp', 16), box('free', 0), box('free', 0), box('moof', 100), box('mdat', 500));
    expect(feed(bytes, 8)).toEqual([bytes.length]);
  });

  test('knows 64-bit sizes', () => {
    const mdat = new Uint8Array(16 + 20);
    const view = new DataView(mdat.buffer);
    view.setUint32(0, 1);
    mdat.set(new TextEncoder().encode('mdat'), 4);
    view.setBigUint64(8, 36n);
    const bytes = join(box('moof', 8), mdat, box('moof', 8));
    expect(feed(bytes, 5)).toEqual([16 + 36, 16]);
  });

  test('lets through what is not boxes', () => {
    const text = new TextEncoder().encode('\0\0\0\0not a box at all');
    expect(feed(text, 10).reduce((sum, n) => sum + n, 0)).toBe(text.length);
  });
});
