// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { HoldMeter, SHOWN_WAIT_MS, type Times } from './hold-meter';

describe('HoldMeter', () => {
  test('takes the time that the server says it held', () => {
    const times: Times = { start: 1000, first: 16_040 };
    new HoldMeter(1000).chunk(16_041, times, 15_000);
    expect(times).toEqual({ start: 16_000, first: 16_040 });
  });

  test('never makes the wait negative', () => {
    const times: Times = { start: 1000, first: 1100 };
    new HoldMeter(1000).chunk(1100, times, 9999);
    expect(times.start).toBe(1100);
  });

  test('leaves a slow network slow', () => {
    const times: Times = { start: 0, first: 300 };
    const meter = new HoldMeter(0);
    for (let now = 300; now <= 3300; now += 40) meter.chunk(now, times, 0);
    expect(times).toEqual({ start: 0, first: 300 });
  });

  test('takes out the pauses between parts, once', () => {
    const times: Times = { start: 0, first: 10 };
    const meter = new HoldMeter(0);
    meter.chunk(10, times, 0);
    meter.tick(400, times);
    meter.tick(800, times);
    meter.chunk(830, times, 0);
    expect(times).toEqual({ start: 820, first: 830 });
    meter.chunk(840, times, 0);
    expect(times.start).toBe(820);
  });

  test('shows little of a wait that is not over, and the truth after it', () => {
    const times: Times = { start: 0, first: 0 };
    const meter = new HoldMeter(0);
    meter.tick(5000, times);
    expect(times.start).toBe(5000 - SHOWN_WAIT_MS);
    times.first = 6000;
    meter.chunk(6000, times, 0);
    expect(times.start).toBe(0);
  });
});
