// SPDX-License-Identifier: GPL-3.0-or-later
// What the player does when the server waits, refuses or breaks: each row of the fault table that has a
// right outcome. A proxy between page and server makes the faults, on the segments of one place that is
// then sought; a fault must not change the level, and what can heal must heal without a word of failure.
// The plain size has short waits; FULL=1 has those that were once measured.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { startProxy } from '../fakes/fault-proxy.mjs';
import { makeFilm } from './films.mjs';
import { filesOf, isFull, launch, openPage, patience, seek, startServer, tempFolder, unexpected, untilMoving, videoState } from './harness.mjs';

const SECONDS = 200;
const FAR = 172; // further than any player buffers ahead at the start
const SECOND_MS = 1000;
const SLACK_MS = 4500 * Math.min(2, patience()); // one pause between retries, and time to draw

const full = (seconds, plain) => (isFull ? seconds : plain) * SECOND_MS;

/** Segments that begin within `from` … of the film, in every rendition of both servers (short at the start, then 4 s). */
const segmentsFrom = (from) => new RegExp(`/(video|audio)-[^/]+/(${Array.from({ length: 60 }, (_, i) => i).filter((n) => n >= Math.floor(from / 4) - 2).join('|')})\\.m4s`);
const FAR_SEGMENTS = segmentsFrom(FAR);
const MEDIA_PLAYLISTS = /\/(video|audio)-[^/]+\/index\.m3u8/;

const isVideo = ({ url }) => /\/video-[^/]+\/\d+\.m4s/.test(url);
const levelOf = ({ url }) => /\/(video-[^/]+)\//.exec(url)?.[1];

describe('a server that', () => {
  let library, server, browser, file;

  before(async () => {
    library = await tempFolder();
    await makeFilm(library, 'Faults (2001).mkv', SECONDS);
    server = await startServer({ library });
    browser = await launch();
    [file] = await filesOf(server.url, 1);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  /** Plays from the start through a proxy; `run` gets the page and the proxy. */
  async function through(run, { query = '?t=0', rules = [] } = {}) {
    const proxy = await startProxy(server.url);
    proxy.state.rules.push(...rules);
    const { page, errors, close } = await openPage(browser);
    try {
      await page.goto(`${proxy.url}/watch/${file.id}${query}`);
      await run({ page, proxy, errors });
      assert.deepEqual(unexpected(errors), [], 'the console has errors');
    } finally {
      await close();
      await proxy.close();
    }
  }

  /** Seeks to the faulty place and waits for the picture; the level must be the same before and after. */
  async function heals(rule, { withinMs, minimumMs = 0, maxAsked = Infinity, mayChangeLevel = false, query = '?t=0' }) {
    await through(async ({ page, proxy }) => {
      await untilMoving(page);
      const before = levelOf(proxy.state.log.filter(isVideo).at(-1));
      proxy.state.rules.push({ match: FAR_SEGMENTS, ...rule });
      const asked = proxy.state.log.length;
      const started = Date.now();
      await seek(page, FAR);
      await untilMoving(page, { from: FAR, to: FAR + 25, timeout: withinMs + 5000 });
      const took = Date.now() - started;
      const since = proxy.state.log.slice(asked).filter(({ fault }) => fault !== undefined);
      console.log(`# ${rule.fault}: moving after ${took} ms, ${since.length} faulty answers`);
      assert.ok(took <= withinMs, `took ${took} ms, more than ${withinMs}`);
      assert.ok(took >= minimumMs, `took ${took} ms: the fault was not met`);
      assert.ok(since.length > 0, 'the fault was not met');
      assert.ok(since.length <= maxAsked, `${since.length} requests met the fault`);
      assert.equal(await page.locator('.failure').count(), 0);
      if (!mayChangeLevel) {
        const levels = new Set(proxy.state.log.slice(asked).filter(isVideo).map(levelOf));
        assert.deepEqual([...levels], [before], 'the level changed');
      }
      // It goes on, and not only for a moment.
      await untilMoving(page, { frames: 24, from: FAR, timeout: 15_000 });
    }, { query });
  }

  // Two at a time: they wait more than they work.
  describe('is late', { concurrency: 2 }, () => {
    for (const [real, plain] of isFull ? [[15], [40], [100]] : [[0, 2], [0, 5]]) {
      test(`holds for ${isFull ? real : plain} s`, () => {
        const forMs = full(real, plain);
        return heals({ fault: 'hold', forMs }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200, maxAsked: isFull ? 12 : 6 });
      });
    }

    test('holds, says 503, holds again until it is there', () => {
      const forMs = full(60, 5);
      return heals({ fault: 'hold', forMs, atMostMs: full(20, 2) }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200 });
    });

    for (const [real, plain] of isFull ? [[10], [30], [60]] : [[0, 4]]) {
      test(`says 503 for ${isFull ? real : plain} s`, () => {
        const forMs = full(real, plain);
        return heals({ fault: 'status', status: 503, forMs }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200 });
      });
    }

    test('sends the headers at once and the body later', () => {
      const forMs = full(15, 3);
      return heals({ fault: 'late-body', forMs }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200 });
    });

    test('sends a styp box at once and the rest later', () => {
      const forMs = full(60, 3);
      return heals({ fault: 'styp', forMs }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200 });
    });

    test('sends a styp box and a heartbeat', () => {
      const forMs = full(60, 3);
      return heals({ fault: 'heartbeat', forMs, everyMs: full(3, 0.5) }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200 });
    });

    test('lets the body trickle', () => {
      const overMs = full(15, 3);
      return heals({ fault: 'trickle', overMs, forMs: overMs }, { withinMs: 2 * overMs + SLACK_MS });
    });

    test('holds the media playlists', () => through(async ({ page }) => {
      await untilMoving(page, { timeout: full(40, 15) });
    }, { rules: [{ match: MEDIA_PLAYLISTS, fault: 'hold', forMs: full(12, 3) }] }));
  });

  describe('breaks', { concurrency: 2 }, () => {
    test('cuts bodies', () => {
      const forMs = full(20, 3);
      return heals({ fault: 'cut', forMs }, { withinMs: forMs + SLACK_MS, mayChangeLevel: false });
    });

    test('resets connections', () => {
      const forMs = full(20, 3);
      return heals({ fault: 'reset', forMs }, { withinMs: forMs + SLACK_MS, minimumMs: forMs - 200 });
    });

    test('is gone for a while: the page says so and goes on', () => through(async ({ page, proxy }) => {
      await untilMoving(page);
      proxy.state.rules.push({ match: FAR_SEGMENTS, fault: 'reset', forMs: full(20, 5) });
      await seek(page, FAR);
      await page.locator('.waiting').getByText('The server cannot be reached').waitFor({ timeout: 4000 });
      await untilMoving(page, { from: FAR, timeout: full(30, 12) });
      assert.equal(await page.locator('.waiting').count(), 0);
    }));

    test('makes a transcode just fast enough: the level stays', () => through(async ({ page, proxy }) => {
      await untilMoving(page, { timeout: 20_000 });
      await page.waitForTimeout(full(30, 9));
      const { time } = await videoState(page);
      const levels = new Set(proxy.state.log.filter(isVideo).map(levelOf));
      assert.deepEqual(levels.size, 1, `levels ${[...levels].join(', ')}`);
      assert.ok(time > full(20, 5) / SECOND_MS, `only at ${time}`);
    }, { rules: [{ match: /\/video-[^/]+\/\d+\.m4s/, fault: 'pace', everyMs: SECOND_MS / 1.2 }] }));
  });

  // By itself: here everybody is one person, who is in one place of the film.
  describe('refuses everything', () => {
    test('that cannot open a film has forgotten nothing of where it was left', async () => {
      await through(async ({ page }) => {
        await untilMoving(page, { from: 30 });
        await page.keyboard.press('k');
        await page.waitForTimeout(300);
      }, { query: '?t=30' });
      await through(async ({ page, proxy }) => {
        await page.locator('.failure').waitFor();
        proxy.state.rules.length = 0;
        await page.getByRole('button', { name: 'Try again' }).click();
        await untilMoving(page, { from: 29, to: 50 });
      }, { query: '', rules: [{ match: /\/api\/v1\/playback$/, fault: 'status', status: 500 }] });
    });
  });

  describe('refuses', { concurrency: 2 }, () => {
    const refusal = (status) => ({ match: FAR_SEGMENTS, fault: 'status', status });

    test('410: a new playback at the same place', () => through(async ({ page, proxy }) => {
      await untilMoving(page);
      const ask = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/playback'));
      proxy.state.rules.push({ ...refusal(410), forMs: 1000 });
      await seek(page, FAR);
      assert.equal(Math.round((await ask).postDataJSON().position), FAR);
      await untilMoving(page, { from: FAR, to: FAR + 20, timeout: 25_000 });
      assert.equal(await page.locator('.failure').count(), 0);
    }));

    test('404: the same', () => through(async ({ page, proxy }) => {
      await untilMoving(page);
      proxy.state.rules.push({ ...refusal(404), forMs: 1000 });
      await seek(page, FAR);
      await untilMoving(page, { from: FAR, to: FAR + 20, timeout: 20_000 });
    }));

    for (const [status, words] of [[502, 'This part of the file is damaged: test.'], [500, 'The encoder failed: test.'], [403, 'This film is not for you.']]) {
      test(`${status} for good: its words, what to do, and a way back`, () => through(async ({ page, proxy }) => {
        await untilMoving(page);
        proxy.state.rules.push(refusal(status));
        await seek(page, FAR);
        const panel = page.getByRole('alertdialog');
        await panel.waitFor({ timeout: 15_000 });
        assert.match(await panel.textContent(), new RegExp(words));
        assert.match(await panel.textContent(), /Try again/);
        assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Try again');
        const asked = proxy.state.log.length;
        await page.waitForTimeout(3000);
        assert.equal(proxy.state.log.slice(asked).filter(({ fault }) => fault).length, 0, 'it goes on asking');
        proxy.state.rules.length = 0;
        await page.keyboard.press('Enter');
        await untilMoving(page, { from: FAR, timeout: 15_000 });
        assert.equal(await panel.count(), 0);
      }));
    }

    test('one level only: the film goes on in another', () => through(async ({ page, proxy }) => {
      await untilMoving(page);
      const level = levelOf(proxy.state.log.filter(isVideo).at(-1));
      proxy.state.rules.push({ match: new RegExp(`/${level}/\\d+\\.m4s`), fault: 'status', status: 502 });
      await seek(page, FAR);
      await untilMoving(page, { from: FAR, timeout: 15_000 });
      assert.equal(await page.locator('.failure').count(), 0);
    }));

    test('a film that is not there: in words', () => through(async ({ page }) => {
      const address = page.url().replace(/watch\/.*/, 'watch/nothing');
      await page.goto(address);
      await page.getByRole('alertdialog').getByText('This film is no longer there').waitFor();
    }));
  });

  describe('is late, with the browser’s own HLS', () => {
    test('holds', () => {
      const forMs = full(15, 3);
      return heals({ fault: 'hold', forMs }, { withinMs: forMs + SLACK_MS + 2000, minimumMs: forMs - 200, mayChangeLevel: true, query: '?t=0&engine=native' });
    });

    test('sends a styp box and a heartbeat', () => {
      const forMs = full(60, 3);
      return heals({ fault: 'heartbeat', forMs, everyMs: full(3, 0.5) }, { withinMs: forMs + SLACK_MS + 2000, mayChangeLevel: true, query: '?t=0&engine=native' });
    });
  });
});
