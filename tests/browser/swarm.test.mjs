// SPDX-License-Identifier: GPL-3.0-or-later
// A film out of a swarm of three seeds, one of which stalls, watched while it comes: how little must
// have come for its first picture and for that after a seek, that no frame is wrong or missing on the
// way to its end, and what the seek bar shows of it meanwhile. The film is real, the lines are slow.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { makeNumberedFilms } from './films.mjs';
import { isFake, isFull, launch, openPage, patience, startServer, tempFolder, unexpected, videoState } from './harness.mjs';
import { bytesOfPieces, judgeNumbers, layoutOf, noSwarm, spanOf, startFrameReader, startSwarm } from './swarm.mjs';
import { judgeAppends, judgeBuffered, judgeClock, recordOf, startRecorder } from './timeline.mjs';

const SECONDS = 60;
const FILM_BITS = 7e6;
const PIECE = 256 << 10;
const SEEDS = [{ bits_per_s: 5e6, rtt_s: 0.06 }, { bits_per_s: 10e6, rtt_s: 0.08 }, { bits_per_s: 20e6, rtt_s: 0.05 }];
const SWARM_BYTES = 35e6 / 8; // what it delivers in a second
// What may come beside what is needed, in seconds of the swarm, of a machine to itself.
const START_SECONDS = 1;
const SEEK_SECONDS = 2;
// A busy machine makes more come before the browser shows its picture, never less: the best of these counts.
const TRIES = 3;
const STALL_AFTER = 4e6;
// It falls silent about when the film begins, when nothing is in hand yet: that has to be noticed.
const EARLY_SECONDS = 4;
const NOTICED_MS = 1500;
const SEEK_TO = 0.6;
const PATIENCE_MS = 120_000;
const STANDS_MS = 30_000; // to see four seconds of a film that has begun

const settings = { 'torrent.listen': '127.0.0.1:0', 'torrent.dht': 'false', 'torrent.allow_local': 'true', 'torrent.spare_bytes': '0' };
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
const waitWords = ({ time, ahead, lasted = NaN }) => `${Math.round(lasted)} ms at ${time.toFixed(1)} s with ${ahead.toFixed(1)} s in the buffer`;
const mega = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

describe('a film out of a swarm', { skip: (isFake && 'the fake server has no BitTorrent') || noSwarm, concurrency: false }, () => {
  let folder, films, browser;

  before(async () => {
    folder = await tempFolder();
    films = await makeNumberedFilms(folder, 'Numbers (1999)', SECONDS, FILM_BITS);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The magnet of the film is put into the page's field; `run` begins when it can be played. */
  async function story(film, stalling, run) {
    const library = await tempFolder();
    const seeds = SEEDS.map((seed, i) => (i === stalling ? { ...seed, stall_after_bytes: STALL_AFTER } : seed));
    let swarm, server, session;
    try {
      swarm = await startSwarm(film, seeds, PIECE);
      server = await startServer({ library, settings });
      session = await openPage(browser);
      const { page } = session;
      const playlists = new Map();
      const asked = [];
      page.on('request', (request) => asked.push(new URL(request.url()).pathname));
      page.on('response', async (response) => {
        const [, rendition] = /\/((?:video|audio)-[^/]+)\/index\.m3u8/.exec(response.url()) ?? [];
        if (rendition) playlists.set(rendition, await response.text());
      });
      await startRecorder(page);
      await startFrameReader(page);
      await page.goto(`${server.url}/downloads`);
      await page.getByLabel('Magnet link or web address').fill(swarm.magnet);
      await page.keyboard.press('Enter');
      const play = page.getByRole('link', { name: /^Play/ });
      await play.waitFor({ timeout: PATIENCE_MS });
      const file = decodeURIComponent((await play.getAttribute('href')).split('/').at(-1));
      const here = async () => (await (await fetch(`${server.url}/api/v1/files/${file}/availability`)).json());
      const told = await run({ page, play, swarm, playlists, here, layout: await layoutOf(film) });
      assert.equal(await page.locator('.failure').count(), 0);
      assert.deepEqual(asked.filter((path) => path.startsWith('/api/v1/titles/')), [], 'a title is asked for that is not in the library');
      assert.deepEqual(unexpected(session.errors), []);
      return told;
    } finally {
      await session?.close();
      await server?.stop();
      await swarm?.stop();
      await rm(library, { recursive: true, force: true });
    }
  }

  /** Waits until a frame from `from` on has been shown. */
  const shown = (page, from, timeout = PATIENCE_MS) =>
    page.waitForFunction((least) => window.seen.frames.some(({ number }) => number >= least), from, { timeout });

  /** The spans of the segments that hold this second, of the picture and of the sound. */
  function spansAt(layout, playlists, second) {
    assert.ok(playlists.size >= 2, `of ${[...playlists.keys()]}`);
    return [...playlists.values()].map((text) => {
      let begin = 0;
      for (const [, lasts] of text.matchAll(/#EXTINF:([\d.]+)/g)) {
        if (begin + Number(lasts) > second) return spanOf(layout, begin, begin + Number(lasts));
        begin += Number(lasts);
      }
      throw new Error(`no segment holds ${second}`);
    });
  }

  /** `act` leads to a picture, from `from` on; answers the bytes that came until then. */
  async function bytesUntil({ page, swarm }, act, from) {
    const before = sum(await swarm.sent());
    await act();
    await shown(page, from);
    return sum(await swarm.sent()) - before;
  }

  /** Presses play. */
  async function start(context) {
    const { play, playlists, layout } = context;
    const fetched = await bytesUntil(context, () => play.click(), 0);
    assert.deepEqual([...playlists.keys()].filter((name) => name.startsWith('video-')), ['video-copy'], 'another picture was made');
    return { fetched, needed: bytesOfPieces([[0, 1], layout.index, ...spansAt(layout, playlists, 0)], PIECE, layout.size) };
  }

  /** In the middle of it the place is sought of which nothing is there. */
  async function seek(context) {
    const { page, playlists, here, layout } = context;
    await start(context);
    await shown(page, 2 * 24);
    const target = SEEK_TO * layout.duration;
    const { ranges } = await here();
    const fetched = await bytesUntil(context, () => page.keyboard.press('6'), Math.floor(target * 24) - 2);
    return { fetched, needed: bytesOfPieces(spansAt(layout, playlists, target), PIECE, layout.size, ranges) };
  }

  /** Little more has come by the picture than what it needs. */
  async function comesSoon(t, film, stalling, run, seconds) {
    const said = [];
    for (let i = 0; i < TRIES; i++) {
      const slow = patience();
      const { fetched, needed } = await story(film, stalling, run);
      if (needed === 0) {
        said.push('all was there before it was asked for');
        continue;
      }
      const most = needed + seconds * SWARM_BYTES * Math.max(slow, patience());
      said.push(`needs ${mega(needed)}, came ${mega(fetched)}, at most ${mega(most)}`);
      t.diagnostic(said.at(-1));
      if (fetched <= most) return;
    }
    assert.fail(said.join('; '));
  }

  /** What is painted lies where something is there, and most of what is there is painted. */
  async function compareBar(t, { page, here }) {
    const share = ({ ranges, size }) => ranges.map((range) => range.map((byte) => byte / size));
    const length = (ranges) => sum(ranges.map(([from, to]) => to - from));
    const EDGE = 0.002;
    const before = await here();
    assert.equal(before.complete, false, 'it is whole before it is watched');
    const earlier = share(before);
    await page.waitForFunction((least) => {
      const bar = document.querySelector('.layers').getBoundingClientRect();
      return [...document.querySelectorAll('.layers .here')].reduce((total, it) => total + it.getBoundingClientRect().width / bar.width, 0) >= least;
    }, length(earlier) - EDGE, { timeout: PATIENCE_MS });
    const painted = await page.evaluate(() => {
      const bar = document.querySelector('.layers').getBoundingClientRect();
      return [...document.querySelectorAll('.layers .here')].map((it) => it.getBoundingClientRect())
        .map(({ left, right }) => [(left - bar.left) / bar.width, (right - bar.left) / bar.width]);
    });
    const now = await here();
    for (const [from, to] of painted) {
      assert.ok(share(now).some(([low, high]) => low <= from + EDGE && high >= to - EDGE), `painted ${from}–${to}, there is ${JSON.stringify(share(now))}`);
    }
    t.diagnostic(`seek bar: ${painted.length} parts, ${(length(painted) * 100).toFixed(1)} % painted`);
    return length(painted);
  }

  /** From the first frame to the last, while it comes: none out of place, none missing, no wait. */
  async function watch(t, context) {
    const { page, swarm, here, layout } = context;
    const begun = Date.now();
    const sentThen = sum(await swarm.sent());
    await start(context);
    const early = await compareBar(t, context);
    await shown(page, 4 * 24, STANDS_MS).catch(async () => {
      const { ranges } = await here();
      assert.fail(`it stands at ${(await videoState(page)).time.toFixed(1)} s while it comes; of its pieces there are ${ranges.map((range) => range.map((byte) => Math.ceil(byte / PIECE)).join('–'))}`);
    });
    assert.ok((await compareBar(t, context)) > early, 'nothing more is painted after four seconds');
    while (!(await here()).complete) {
      assert.ok(Date.now() - begun < PATIENCE_MS, 'it does not come');
      assert.equal((await videoState(page)).ended, false, 'it is at its end before all has come');
      await page.waitForTimeout(200);
    }
    const rate = ((sum(await swarm.sent()) - sentThen) * 8) / (Date.now() - begun) / 1000;
    t.diagnostic(`it was whole at ${(await videoState(page)).time.toFixed(1)} s of ${SECONDS}, at ${rate.toFixed(1)} Mbit/s`);
    assert.ok(rate > FILM_BITS / 1e6, 'it came more slowly than it plays');
    await page.waitForFunction(() => document.querySelectorAll('.layers .here').length === 0, undefined, { timeout: PATIENCE_MS });
    await page.waitForFunction(() => document.querySelector('video').ended, undefined, { timeout: PATIENCE_MS });
    const { frames, waits, decoded, dropped } = await page.evaluate(() => {
      const { totalVideoFrames, droppedVideoFrames } = document.querySelector('video').getVideoPlaybackQuality();
      return { ...window.seen, decoded: totalVideoFrames, dropped: droppedVideoFrames };
    });
    t.diagnostic(`${layout.frames} frames: ${decoded} decoded, ${dropped} dropped, ${frames.length} looked at; waits: ${waits.map(waitWords).join(', ')}`);
    judgeNumbers(frames, layout.frames);
    assert.ok(decoded >= layout.frames, `${decoded} of ${layout.frames} frames were decoded`);
    const record = await recordOf(page);
    judgeAppends(record);
    judgeBuffered(record);
    judgeClock(record);
    // With a second in the buffer it is the machine that is too slow.
    const stands = waits.filter(({ time, seeking, ahead }) => !seeking && ahead < 1 && time > 0.5 && time < SECONDS - 0.5);
    const atFirst = stands.filter(({ time }) => time < EARLY_SECONDS);
    const later = stands.filter(({ time }) => time >= EARLY_SECONDS);
    assert.ok(sum(atFirst.map(({ lasted = Infinity }) => lasted)) < NOTICED_MS, atFirst.map(waitWords).join(', '));
    assert.deepEqual(later.map(waitWords), [], 'it had to wait');
  }

  for (const format of ['mkv', 'mp4']) {
    test(`${format}: its first picture comes once its bytes are there`, { skip: format === 'mp4' && !isFull }, (t) => comesSoon(t, films[format], undefined, start, START_SECONDS));
    test(`${format}: so does the picture after a seek`, (t) => comesSoon(t, films[format], undefined, seek, SEEK_SECONDS));
    test(`${format}: and while a seed stalls`, { skip: !isFull }, (t) => comesSoon(t, films[format], 1, seek, SEEK_SECONDS));
    test(`${format}: it plays to its end while the fastest seed stalls`, { skip: format === 'mp4' && !isFull }, (t) =>
      story(films[format], 2, (context) => watch(t, context)));
  }
});
