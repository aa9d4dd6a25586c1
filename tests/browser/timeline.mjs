// SPDX-License-Identifier: GPL-3.0-or-later
// What hls.js puts into the source buffers and what the element makes of it: a recorder that is there
// before the page, and a judge of what it wrote down.
import assert from 'node:assert/strict';

const FRAME_SECONDS = 1 / 24;
// Half a frame: as closely as variants meet at a cut (decision 6).
const JOIN_SECONDS = FRAME_SECONDS / 2;
const SAMPLE_MS = 50;

/** Runs in the page before its scripts. It copies what is appended and changes nothing. */
function recorder(sampleMs) {
  const record = (window.record = { appends: [], removes: [], frames: [], samples: [], sound: [] });
  const buffers = [];

  const boxesOf = (bytes, from, to) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const list = [];
    for (let at = from; at + 8 <= to;) {
      const size = view.getUint32(at) || to - at;
      list.push({ type: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), at: at + 8, end: Math.min(to, at + size), view });
      at += size;
    }
    return list;
  };
  const inside = (bytes, parent, ...path) => path.reduce(
    (box, type) => boxesOf(bytes, box.at, box.end).find((each) => each.type === type), parent);

  /** Decoding and presentation times of a moof, in its ticks; ISO 14496-12 8.8.7, 8.8.8, 8.8.12. */
  function timesOf(bytes, moof) {
    const traf = inside(bytes, moof, 'traf');
    const { view } = traf;
    const tfdt = inside(bytes, traf, 'tfdt');
    const tfhd = inside(bytes, traf, 'tfhd');
    const tfhdFlags = view.getUint32(tfhd.at) & 0xffffff;
    const begin = view.getUint8(tfdt.at) === 1 ? Number(view.getBigUint64(tfdt.at + 4)) : view.getUint32(tfdt.at + 4);
    const skip = (tfhdFlags & 1 ? 8 : 0) + (tfhdFlags & 2 ? 4 : 0);
    const usual = tfhdFlags & 8 ? view.getUint32(tfhd.at + 8 + skip) : 0;
    let dts = begin, first = Infinity, last = -Infinity;
    for (const trun of boxesOf(bytes, traf.at, traf.end).filter(({ type }) => type === 'trun')) {
      const flags = view.getUint32(trun.at) & 0xffffff;
      let at = trun.at + 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
      for (let left = view.getUint32(trun.at + 4); left > 0; left--) {
        let lasts = usual, offset = 0;
        if (flags & 0x100) { lasts = view.getUint32(at); at += 4; }
        if (flags & 0x200) at += 4;
        if (flags & 0x400) at += 4;
        if (flags & 0x800) { offset = view.getInt32(at); at += 4; }
        first = Math.min(first, dts + offset);
        last = Math.max(last, dts + offset + lasts);
        dts += lasts;
      }
    }
    return { begin, end: dts, first, last };
  }

  function note(buffer, bytes) {
    const ends = boxesOf(bytes, 0, bytes.length).filter(({ type }) => type === 'mdat').map(({ end }) => end);
    for (const box of boxesOf(bytes, 0, bytes.length)) {
      if (box.type === 'moov') {
        const mdhd = inside(bytes, box, 'trak', 'mdia', 'mdhd');
        buffer.timescale = box.view.getUint32(mdhd.at + (box.view.getUint8(mdhd.at) === 1 ? 20 : 12));
        const text = bytes.subarray(box.at, box.end).join();
        if (!buffer.inits.includes(text)) buffer.inits.push(text);
        buffer.init = buffer.inits.indexOf(text);
        if (buffer.kind === 'audio') record.sound.push({ init: bytes.slice() });
      }
      if (box.type !== 'moof') continue;
      const offset = buffer.it.timestampOffset;
      const { begin, end, first, last } = timesOf(bytes, box);
      const seconds = (ticks) => ticks / buffer.timescale + offset;
      record.appends.push({
        kind: buffer.kind, init: buffer.init, timescale: buffer.timescale, offset, media: first / buffer.timescale,
        begin: seconds(begin), end: seconds(end), first: seconds(first), last: seconds(last), order: record.appends.length + record.removes.length,
      });
      // A moof and its mdat may come with others; each is kept once.
      if (buffer.kind === 'audio') record.sound.push({ begin: seconds(begin), bytes: bytes.slice(box.at - 8, ends.shift()) });
    }
  }

  const ranges = (list) => Array.from({ length: list.length }, (_, i) => [list.start(i), list.end(i)]);

  const add = MediaSource.prototype.addSourceBuffer;
  MediaSource.prototype.addSourceBuffer = function (mime) {
    const it = add.call(this, mime);
    const buffer = { it, kind: mime.split('/')[0], init: -1, inits: [], timescale: 1 };
    buffers.push(buffer);
    const { appendBuffer, remove } = it;
    it.appendBuffer = (data) => {
      const from = record.appends.length;
      note(buffer, new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength));
      const mine = record.appends.slice(from);
      const done = () => {
        if (it.updating) return; // that was the end of the one before
        it.removeEventListener('updateend', done);
        for (const each of mine) each.after = ranges(it.buffered);
      };
      it.addEventListener('updateend', done);
      return appendBuffer.call(it, data);
    };
    it.remove = (from, to) => {
      record.removes.push({ kind: buffer.kind, from, to, order: record.appends.length + record.removes.length });
      return remove.call(it, from, to);
    };
    return it;
  };

  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  function watch(video) {
    const next = (now, { mediaTime, presentedFrames }) => {
      pen.drawImage(video, 0, 0, 1, 1);
      record.frames.push({ at: now, mediaTime, presentedFrames, time: video.currentTime, bright: pen.getImageData(0, 0, 1, 1).data[1] });
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    setInterval(() => {
      if (video.readyState === 0) return;
      record.samples.push({
        time: video.currentTime, seeking: video.seeking, buffered: ranges(video.buffered),
        each: buffers.map(({ kind, it }) => ({ kind, buffered: ranges(it.buffered) })),
      });
    }, sampleMs);
  }
  new MutationObserver((_, self) => {
    const video = document.querySelector('video');
    if (!video) return;
    self.disconnect();
    watch(video);
  }).observe(document, { childList: true, subtree: true });
}

export const startRecorder = (page) => page.addInitScript(recorder, SAMPLE_MS);

/** All that was written down, without the bytes of the sound. */
export const recordOf = (page) => page.evaluate(() => {
  const { appends, removes, frames, samples } = window.record;
  return { appends, removes, frames, samples };
});

/** The recorder forgets what has been seen; what lies in the buffers it still knows. */
export const forgetFrames = (page) => page.evaluate(() => {
  window.record.frames.length = 0;
  window.record.samples.length = 0;
});

const inKind = (list, kind) => list.filter((each) => each.kind === kind);
const show = (range) => range.map((seconds) => seconds.toFixed(3)).join('–');

/**
 * Each append is whole in the buffer, and every piece of a rendition has its own place in the order of
 * decoding: what comes again comes to the same place, and renditions meet at a cut.
 */
export function judgeAppends({ appends, removes }) {
  for (const kind of ['video', 'audio']) {
    const places = [];
    for (const append of inKind(appends, kind)) {
      const { init, begin, end, first, last, after, order } = append;
      const before = places.at(-1);
      if (before && before.init !== init) {
        assert.ok(places.some((other) => [other.begin, other.end].some((edge) => Math.abs(edge - begin) < JOIN_SECONDS)),
          `${kind} of another rendition is put at ${begin.toFixed(3)}, where no piece of the one before has an edge`);
      }
      for (const other of places) {
        const both = Math.min(end, other.end) - Math.max(begin, other.begin);
        const again = Math.abs(begin - other.begin) < JOIN_SECONDS && Math.abs(end - other.end) < JOIN_SECONDS;
        assert.ok(init !== other.init || again || both < JOIN_SECONDS,
          `${kind} at ${show([begin, end])} is put over ${show([other.begin, other.end])}`);
      }
      places.push(append);
      // What comes after an append may already have been removed again by its end.
      const isRemoved = inKind(removes, kind).some((remove) => remove.order > order && remove.from < last && remove.to > first);
      if (!after || isRemoved) continue;
      assert.ok(after.some(([from, to]) => from < first + JOIN_SECONDS && to > last - JOIN_SECONDS),
        `${kind} at ${show([first, last])} was dropped: ${after.map(show).join(', ')}`);
    }
  }
}

/** One range, without a gap, in each buffer and in the element, whenever it was looked at. */
export function judgeBuffered({ samples }) {
  assert.ok(samples.length > 0, 'nothing was looked at');
  for (const { time, seeking, buffered, each } of samples) {
    if (seeking) continue;
    assert.ok(buffered.length <= 1, `at ${time.toFixed(3)} the element has ${buffered.map(show).join(', ')}`);
    for (const { kind, buffered: own } of each) assert.ok(own.length <= 1, `at ${time.toFixed(3)} ${kind} has ${own.map(show).join(', ')}`);
  }
}

/** One clock: the same shift for everything that was appended, whatever the rendition. Answers it. */
export function judgeClock({ appends }) {
  const [{ offset }] = appends;
  for (const each of appends) {
    assert.ok(Math.abs(each.offset - offset) < 0.0005, `${each.kind} at ${each.first.toFixed(3)}: initPTS ${-each.offset}, before ${-offset}`);
  }
  return -offset;
}

/** Neither clock nor picture goes back, and the picture never stands. */
export function judgeFrames({ frames, samples }, mostMs) {
  assert.ok(frames.length > 10, `${frames.length} frames were shown`);
  for (let i = 1; i < frames.length; i++) {
    const [before, now] = [frames[i - 1], frames[i]];
    assert.ok(now.mediaTime > before.mediaTime, `the picture went from ${before.mediaTime} to ${now.mediaTime}`);
    assert.ok(now.at - before.at < mostMs, `the picture stood for ${Math.round(now.at - before.at)} ms at ${before.mediaTime}`);
  }
  for (let i = 1; i < samples.length; i++) {
    assert.ok(samples[i].time >= samples[i - 1].time, `the clock went from ${samples[i - 1].time} to ${samples[i].time}`);
  }
}

/** Where the picture turns bright, as the browser stamps the frame. */
export const flashesIn = ({ frames }) => frames.filter(({ bright }) => bright > 150).map(({ mediaTime }) => mediaTime);

/**
 * Where the sound sets in, on the clock of the element: what was appended, decoded by this browser.
 * Later appends stand for earlier ones at the same place.
 */
export const beepsIn = (page) => page.evaluate(async () => {
  const LOUD = 0.3, QUIET_SECONDS = 0.3;
  const found = [];
  let init, run = [];
  const decode = async () => {
    if (run.length === 0) return;
    const parts = [init, ...run.map(({ bytes }) => bytes)];
    const data = await new Blob(parts).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(data);
    const samples = sound.getChannelData(0);
    let last = -Infinity;
    for (let i = 0; i < samples.length; i++) {
      if (Math.abs(samples[i]) < LOUD) continue;
      if ((i - last) / sound.sampleRate > QUIET_SECONDS) found.push(run[0].begin + i / sound.sampleRate);
      last = i;
    }
    run = [];
  };
  for (const each of window.record.sound) {
    if (each.init) {
      await decode();
      init = each.init;
    } else if (run.length > 0 && each.begin < run.at(-1).begin) {
      await decode();
      run.push(each);
    } else {
      run.push(each);
    }
  }
  await decode();
  return found;
});
