// SPDX-License-Identifier: GPL-3.0-or-later
import { beforeEach, describe, expect, test } from 'vitest';
import { CueTrack, type Cue } from './cue-track';

class FakeTrack {
  mode: TextTrackMode = 'hidden';
  list: Cue[] = [];
  addCue(cue: Cue): void { this.list.push(cue); }
  removeCue(cue: Cue): void { this.list = this.list.filter((it) => it !== cue); }
}

const cue = (startTime: number, text: string): Cue => ({ startTime, endTime: startTime + 1, text });

describe('a cue track', () => {
  let fake: FakeTrack, track: CueTrack<Cue>;
  const words = (): string[] => fake.list.map(({ text }) => text);

  beforeEach(() => {
    fake = new FakeTrack();
    track = new CueTrack(fake);
  });

  test('shows nothing before one is chosen', () => {
    track.add('0', [cue(1, 'a')]);
    expect(fake.mode).toBe('disabled');
    expect(words()).toEqual([]);
  });

  test('shows what came before and after it was chosen, once', () => {
    track.add('0', [cue(1, 'a')]);
    track.choose('0');
    track.add('0', [cue(1, 'a'), cue(2, 'b')]);
    track.add('1', [cue(1, 'x')]);
    expect(fake.mode).toBe('showing');
    expect(words()).toEqual(['a', 'b']);
  });

  test('keeps each language for when it is chosen again', () => {
    track.choose('0');
    track.add('0', [cue(1, 'a')]);
    track.choose('1');
    track.add('1', [cue(1, 'x')]);
    expect(words()).toEqual(['x']);
    track.choose(undefined);
    expect(fake.mode).toBe('disabled');
    expect(words()).toEqual([]);
    track.choose('0');
    expect(words()).toEqual(['a']);
  });

  test('forgets all with another playback', () => {
    track.choose('0');
    track.add('0', [cue(1, 'a')]);
    track.clear();
    track.choose('0');
    expect(words()).toEqual([]);
  });
});
