// SPDX-License-Identifier: GPL-3.0-or-later
// What renditions promise each other, seen in Chromium through hls.js: sound with holes (case 17), sound
// and picture together (case 18a), changes of quality and language (case 19), hasty seeks (rule 79).
// Each has a second run with answers that were tampered with, which must be found out: in the long form.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { boxes, shiftTime } from '../fakes/boxes.mjs';
import { startProxy } from '../fakes/fault-proxy.mjs';
import { makeFilm, makeSoundFilm, makeSyncFilm, soundFaults } from './films.mjs';
import { choose, filesOf, isFake, isFull, launch, openPage, patience, seek, startServer, tempFolder, untilMoving, videoState } from './harness.mjs';
import { beepsIn, flashesIn, forgetFrames, judgeAppends, judgeBuffered, judgeClock, judgeFrames, recordOf, startRecorder } from './timeline.mjs';

const SEEN_TO_STOP_MS = 500;
const FRAME_SECONDS = 1 / 24;
const SOUND_FILM_SECONDS = 14;
const SYNC_SECONDS = 30;
const LONG_SECONDS = 60;
const TOGETHER_SECONDS = 0.010; // case 18
const OFFSET_SECONDS = 10; // decision 8
const MOST_DELAY_SECONDS = 0.2; // two frames are reordered in these films

describe('what is put together in the browser', { skip: isFake }, () => {
  let library, server, browser, files;
  const film = (name) => files.find((file) => file.name.startsWith(name)).id;

  before(async () => {
    library = await tempFolder();
    await Promise.all([
      ...soundFaults.map((fault) => makeSoundFilm(library, `${fault}.mkv`, SOUND_FILM_SECONDS, fault)),
      makeSyncFilm(library, 'sync-aac.mkv', SYNC_SECONDS, 'aac'),
      makeSyncFilm(library, 'sync-ac3.mkv', SYNC_SECONDS, 'ac3'),
      makeFilm(library, 'levels.mkv', LONG_SECONDS),
      makeFilm(library, 'converted.mkv', LONG_SECONDS, { converted: true }),
    ]);
    server = await startServer({ library });
    browser = await launch();
    files = await filesOf(server.url, soundFaults.length + 4);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  /** Plays with the recorder on; `tamper` are pairs of what to match and what to make of its bytes. */
  async function play(name, at, run, tamper = [], url = server.url) {
    const { page, errors, close } = await openPage(browser);
    try {
      await startRecorder(page);
      for (const [match, change] of tamper) {
        await page.route(match, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: change(Buffer.from(await response.body()), route.request().url()) });
        });
      }
      await page.goto(`${url}/watch/${film(name)}?t=${at}`);
      await untilMoving(page, { from: at, frames: 2 });
      await run(page);
      if (tamper.length === 0) assert.deepEqual(errors, [], 'the console has errors');
    } finally {
      await close();
    }
  }

  const until = (page, seconds) => page.waitForFunction((to) => {
    const video = document.querySelector('video');
    return video.ended || video.currentTime >= to;
  }, seconds, { timeout: 40_000 });

  /** What a tampered run must end with: a complaint of the judges, and not of anything else. */
  const isFoundOut = (promise, words) => assert.rejects(promise, (error) => {
    assert.ok(error instanceof assert.AssertionError, `not a verdict: ${error}`);
    assert.match(error.message, words);
    return true;
  });

  const shifted = (by) => (body) => {
    for (const { type, bytes } of boxes(body)) if (type === 'moof') shiftTime(bytes, by);
    return body;
  };

  // --- case 17 ---

  const STRETCHES = { late: [0, 7], hole: [3, 10.5], shorter: [8, Infinity], longer: [9, Infinity] };

  /** Plays over the place where the sound is missing, and at the end to the end. */
  async function listen(fault, tamper) {
    const [from, to] = STRETCHES[fault];
    await play(`${fault}.mkv`, from, async (page) => {
      const slow = patience();
      await until(page, to);
      const record = await recordOf(page);
      judgeBuffered(record);
      judgeAppends(record);
      judgeClock(record);
      judgeFrames(record, SEEN_TO_STOP_MS * Math.max(slow, patience()));
      const { ended, duration, time } = await videoState(page);
      assert.equal(ended, to === Infinity);
      if (!ended) return;
      assert.ok(Math.abs(time - duration) < FRAME_SECONDS, `it lasts ${duration} and ended at ${time}`);
      const [picture, sound] = ['video', 'audio'].map((kind) => Math.max(...record.appends.filter((each) => each.kind === kind).map(({ last }) => last)));
      assert.ok(Math.abs(picture - sound) < FRAME_SECONDS, `the picture lasts ${picture}, the sound ${sound}`);
      assert.ok(picture > SOUND_FILM_SECONDS, `it lasts ${picture}`);
    }, tamper);
  }

  for (const fault of soundFaults) {
    test(`case_17: sound that is ${fault} does not stop the picture`, () => listen(fault));
  }

  test('case_17 finds a hole in the sound', { skip: !isFull }, () => isFoundOut(listen('hole', [
    // Parts of the segments in which the hole lies are left out.
    [/\/audio-1-[^/]+\/[2-4]\.m4s/, (body) => Buffer.concat(boxes(body).filter(({ type }, i, all) => !(i >= all.length - 2 && /moof|mdat/.test(type))).map(({ bytes }) => bytes))],
  ]), /has|stood|no sound|no moving/));

  // --- case 18(a) ---

  /** Sound minus picture for each flash that has a beep near it. */
  const offsets = (flashes, beeps) => flashes.flatMap((flash) => {
    const near = beeps.map((beep) => beep - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
    return near !== undefined && Math.abs(near) < 0.45 ? [near] : [];
  });

  const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

  function judgeOffsets(record, beeps, where) {
    const found = offsets(flashesIn(record), beeps);
    assert.ok(found.length >= 2, `${where}: ${found.length} flashes with a beep`);
    const off = middle(found);
    assert.ok(Math.abs(off) < TOGETHER_SECONDS, `${where}: the sound is ${(off * 1000).toFixed(1)} ms from the picture`);
    // hls.js puts the first decoding time at 0, so all of the film is later by the delay D (decision 8).
    const delay = OFFSET_SECONDS - judgeClock(record);
    assert.ok(delay >= 0 && delay < MOST_DELAY_SECONDS, `${where}: the film begins at ${delay}`);
    const late = middle(flashesIn(record).map((flash) => flash - delay - Math.round(flash - delay)));
    assert.ok(Math.abs(late) < TOGETHER_SECONDS, `${where}: the picture is ${(late * 1000).toFixed(1)} ms late`);
    return `${where} ${(off * 1000).toFixed(1)} ms`;
  }

  /** At the start, after a change of quality at a cut, and after a seek. */
  async function compare(name, tamper) {
    const said = [];
    await play(name, 0, async (page) => {
      await until(page, 4.5);
      const start = await recordOf(page);
      said.push(judgeOffsets(start, await beepsIn(page), 'copy'));

      await choose(page, 'Quality', /^\d+p/);
      await page.waitForFunction(() => {
        const video = document.querySelector('video');
        const other = window.record.appends.find(({ kind, init }) => kind === 'video' && init > 0);
        return other && video.currentTime > other.first + 0.2;
      }, undefined, { timeout: 20_000 });
      await forgetFrames(page);
      const { time } = await videoState(page);
      await until(page, time + 3.5);
      said.push(judgeOffsets(await recordOf(page), await beepsIn(page), 'transcode'));

      await forgetFrames(page);
      await seek(page, SYNC_SECONDS - 6.5);
      await until(page, SYNC_SECONDS - 2);
      const record = await recordOf(page);
      said.push(judgeOffsets(record, await beepsIn(page), 'transcode after a seek'));
      judgeClock(record);
    }, tamper);
    console.log(`# ${name}: ${said.join(', ')}`);
  }

  for (const name of isFull ? ['sync-aac.mkv', 'sync-ac3.mkv'] : ['sync-ac3.mkv']) {
    test(`case_18a: sound and picture of ${name} are together`, () => compare(name));
  }

  test('case_18a finds sound that is 20 ms late', { skip: !isFull }, () => isFoundOut(
    compare('sync-aac.mkv', [[/\/audio-1-[^/]+\/\d+\.m4s/, shifted(0.020 * 48000)]]), /the sound is 2\d\.\d ms from the picture/));

  test('case_18a finds a transcode that is a frame late', { skip: !isFull }, () => isFoundOut(
    compare('sync-aac.mkv', [[/\/video-\d+p\/\d+\.m4s/, shifted(0.040 * 90000)]]), /transcode: the (sound|picture) is -?\d\d\.\d ms/));

  // --- case 19 ---

  /** To the transcode and back, and to the other language and back, while it plays. */
  async function switchAbout(tamper) {
    const loaded = (page, rendition) => page.waitForRequest(new RegExp(`/${rendition}/\\d+\\.m4s`), { timeout: 30_000 });
    await play('levels.mkv', 0, async (page) => {
      const slow = patience();
      for (const [menu, item, rendition] of [
        ['Quality', /^\d+p/, 'video-\\d+p'], ['Audio', /German/, 'audio-2-[^/]+'],
        ['Quality', /Original/, 'video-copy'], ['Audio', /English/, 'audio-1-[^/]+'],
      ]) {
        const { time } = await videoState(page);
        await Promise.all([loaded(page, rendition), choose(page, menu, item)]);
        await until(page, time + 4.5);
      }
      const record = await recordOf(page);
      const inits = new Set(record.appends.map(({ kind, init }) => `${kind} ${init}`));
      assert.ok(inits.size >= 3, `only ${[...inits].join(', ')} were put in`);
      judgeClock(record);
      judgeBuffered(record);
      judgeAppends(record);
      judgeFrames(record, SEEN_TO_STOP_MS * Math.max(slow, patience()));
      assert.equal(await page.locator('.failure').count(), 0);
    }, tamper);
  }

  test('case_19: changes of quality and language leave one range, one clock, a picture that moves on', () => switchAbout());

  test('case_19 finds a level that lies elsewhere', { skip: !isFull }, () => isFoundOut(
    switchAbout([[/\/video-\d+p\/\d+\.m4s/, shifted(0.3 * 90000)]]), /no piece of the one before has an edge/));

  test('every rendition begins where the film does, on the server’s clock', () => play('levels.mkv', 0, async (page) => {
    const { appends, frames } = await recordOf(page);
    const clock = judgeClock({ appends });
    const [first] = frames;
    for (const kind of ['video', 'audio']) {
      const { media, first: put } = appends.find((each) => each.kind === kind);
      assert.ok(Math.abs(media - OFFSET_SECONDS) < 0.030, `${kind} begins at ${media}`);
      assert.ok(Math.abs(put - (OFFSET_SECONDS - clock)) < 0.030, `${kind} is put at ${put}, with initPTS ${clock}`);
    }
    assert.ok(first.mediaTime < 0.5, `the first picture is that of ${first.mediaTime}`);
  }));

  // hls.js keeps the last piece of what it was given until the next one comes, even over an abort.
  test('a seek into the next segment, when a piece of this one has come, leaves the clock alone', async () => {
    const proxy = await startProxy(server.url);
    try {
      await play('converted.mkv', 0, async (page) => {
        const HALF_LOADED = 30, NEXT = 33.3; // segments 9 and 10
        proxy.state.rules.push({ match: /\/video-[^/]+\/9\.m4s/, fault: 'pace', everyMs: 3000 });
        const first = page.waitForResponse(/\/video-[^/]+\/9\.m4s/);
        await seek(page, HALF_LOADED);
        await first;
        await page.waitForTimeout(500); // for its bytes to be looked at
        await seek(page, NEXT);
        await untilMoving(page, { from: NEXT, to: NEXT + 3 });
        await until(page, NEXT + 4);
        const record = await recordOf(page);
        judgeClock(record);
        judgeAppends(record);
        const { time, buffered } = record.samples.at(-1);
        assert.ok(buffered.some(([from, to]) => from <= NEXT && to >= time), `at ${time} it has ${JSON.stringify(buffered)}`);
      }, [], proxy.url);
    } finally {
      await proxy.close();
    }
  });

  // --- rule 79 ---

  const made = async () => Number(/^matinee_segments_made_total (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())[1]);

  const SEEKS = 20;
  const LAST = 33.3;
  const WITHIN_MS = 2000;

  /** Twenty seeks in five seconds; the last one is where it plays, and soon. */
  async function hurry(tamper) {
    await play('converted.mkv', 0, async (page) => {
      const before = await made();
      for (let i = 0; i < SEEKS; i++) {
        await seek(page, i === SEEKS - 1 ? LAST : (i * 17) % 55);
        if (i < SEEKS - 1) await page.waitForTimeout(250);
      }
      await forgetFrames(page);
      const slow = patience();
      const took = await untilMoving(page, { from: LAST, to: LAST + 10, frames: 3, timeout: 15_000 })
        .catch((error) => assert.fail(error.message));
      assert.ok(took < WITHIN_MS * Math.max(slow, patience()), `it played after ${took} ms`);
      await until(page, LAST + 4);
      const { samples } = await recordOf(page);
      const last = samples.at(-1);
      assert.ok(last.buffered.some(([from, to]) => from <= LAST + 0.1 && to >= last.time),
        `a gap where it plays, at ${last.time}: ${JSON.stringify(last)}`);
      // A segment of picture and one of sound at each place, and what the player reads ahead at the last.
      const ahead = 2 * Math.ceil(30 / 4) + 4;
      const wasted = (await made()) - before;
      console.log(`# ${SEEKS} seeks: picture after ${took} ms, ${wasted} segments made`);
      assert.ok(wasted <= 2 * SEEKS + ahead, `${wasted} segments were made`);
      assert.equal(await page.locator('.failure').count(), 0);
    }, tamper);
  }

  test('rule_79: 20 seeks in 5 s end playing at the last one, and little is made in vain', () => hurry());

  test('rule_79 finds a player that stays elsewhere', { skip: !isFull }, () => isFoundOut(hurry([
    // What belongs to the last place is that of another.
    [/\/video-[^/]+\/(9|10)\.m4s/, shifted(-12 * 90000)],
  ]), /no moving picture|a gap|played after/));
});
