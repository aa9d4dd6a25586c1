// SPDX-License-Identifier: GPL-3.0-or-later
// Subtitles that are pictures in a real browser: chosen in the menu as any others, seen at their time and
// in their place, whatever shape the window has; by themselves where they are forced.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { makePictureFilms } from './films.mjs';
import { choose, filesOf, isFake, launch, openPage, seek, startServer, tempFolder, unexpected, untilMoving } from './harness.mjs';

const GREEN = [0, 255, 0, 255];
const WHITE = [255, 255, 255, 255];
const BLUE = [0, 0, 255, 255];
const YELLOW = [255, 255, 0, 255];
const RED = [255, 0, 0, 255];
const CLEAR = [0, 0, 0, 0];

/** Pixels of the canvas, by places in the window; undefined without one. */
const pixelsAt = (page, places) => page.evaluate((wanted) => {
  const drawn = document.querySelector('canvas.pictures');
  if (!drawn || drawn.width === 0) return undefined;
  const copy = new OffscreenCanvas(drawn.width, drawn.height);
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(drawn, 0, 0);
  const scale = drawn.width / drawn.clientWidth;
  return wanted.map(([x, y]) => [...context.getImageData(Math.round(x * scale), Math.round(y * scale), 1, 1).data]);
}, places);

const isNear = (pixel, wanted) => pixel.every((value, i) => Math.abs(value - wanted[i]) <= 12);

/** Waits until all these pixels have these colours. */
async function untilSeen(page, wanted) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const seen = await pixelsAt(page, wanted.map(([place]) => place));
    if (seen?.every((pixel, i) => isNear(pixel, wanted[i][1]))) return;
    assert.ok(Date.now() < deadline, `${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
    await page.waitForTimeout(50);
  }
}

// The window of most tests is as large as their plane: places are those of the disc. While the controls
// are there, as long as the film is paused, what would be under them is drawn above.
const CONTROLS = 88;
const LIFTED = 660 - (720 - CONTROLS); // the first picture ends at 660
const FIRST = [402, 602 - LIFTED];     // its frame
const FILLING = [500, 630 - LIFTED];
const SECOND = [130, 70];              // the other one
const ELSEWHERE = [800, 300];

describe('subtitles that are pictures', { skip: isFake && 'the fake server has none' }, () => {
  let library, server, browser, film, forced;

  before(async () => {
    library = await tempFolder();
    await makePictureFilms(library, ['text.mkv', 'forced.mkv']);
    server = await startServer({ library });
    browser = await launch();
    const files = await filesOf(server.url, 2);
    film = files.find(({ name }) => name === 'text.mkv');
    forced = files.find(({ name }) => name === 'forced.mkv');
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  test('are seen at their time and in their place', async () => {
    const { page, errors, close } = await openPage(browser);
    const asked = [];
    page.on('request', (request) => { if (request.url().includes('/pictures-')) asked.push(request.url()); });
    await page.goto(`${server.url}/watch/${film.id}?t=0`);
    await untilMoving(page);
    assert.equal(await pixelsAt(page, [FIRST]), undefined);
    assert.deepEqual(asked, [], 'nobody reads them');

    await choose(page, 'Subtitles', /English/);
    await page.evaluate(() => document.querySelector('video').pause());
    await seek(page, 13); // in the midst of an epoch, whose begin tells of the first picture
    await untilSeen(page, [[FIRST, GREEN], [FILLING, WHITE], [SECOND, BLUE], [ELSEWHERE, CLEAR]]);
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT });
    await seek(page, 11);
    await untilSeen(page, [[FIRST, GREEN], [SECOND, CLEAR]]);
    await seek(page, 18);
    await untilSeen(page, [[FIRST, YELLOW], [SECOND, BLUE]]);
    await seek(page, 20);
    await untilSeen(page, [[FIRST, CLEAR], [FILLING, CLEAR], [SECOND, CLEAR]]);

    await choose(page, 'Subtitles', /German/); // which is text
    await page.waitForFunction(() => !document.querySelector('canvas.pictures'));
    await choose(page, 'Subtitles', /English/);
    await seek(page, 13);
    await untilSeen(page, [[FIRST, GREEN]]);
    await choose(page, 'Subtitles', /Off/);
    await page.waitForFunction(() => !document.querySelector('canvas.pictures'));
    assert.deepEqual(unexpected(errors), []);
    await close();
  });

  test('come and go while the film plays', async () => {
    const { page, errors, close } = await openPage(browser);
    await page.goto(`${server.url}/watch/${film.id}?t=8`);
    await untilMoving(page, { from: 8 });
    await choose(page, 'Subtitles', /English/);
    const times = await page.evaluate(([x, y]) => new Promise((done) => {
      const video = document.querySelector('video');
      const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
      let begun;
      const look = (_, { mediaTime }) => {
        const drawn = document.querySelector('canvas.pictures');
        const scale = drawn ? drawn.width / drawn.clientWidth : 1;
        copy.clearRect(0, 0, 1, 1);
        if (drawn?.width) copy.drawImage(drawn, -Math.round(x * scale), -Math.round(y * scale));
        const isSeen = copy.getImageData(0, 0, 1, 1).data[3] > 0;
        if (isSeen) begun ??= mediaTime;
        if (begun !== undefined && !isSeen) done([begun, mediaTime]);
        else if (mediaTime > 25) done([]);
        else video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
    }), SECOND);
    const within = 0.3; // a machine under load leaves out frames
    assert.ok(times.length === 2 && Math.abs(times[0] - 12) < within && Math.abs(times[1] - 19) < within, `${times}`);
    assert.deepEqual(unexpected(errors), []);
    await close();
  });

  test('lie where the picture is, in windows of other shapes', async () => {
    const { page, errors, close } = await openPage(browser, { width: 900, height: 900 });
    await page.goto(`${server.url}/watch/${film.id}?t=13`);
    await untilMoving(page, { from: 13 });
    await page.evaluate(() => document.querySelector('video').pause());
    await choose(page, 'Subtitles', /English/);
    await seek(page, 13);
    const placed = (width, height) => {
      const scale = Math.min(width / 1280, height / 720);
      const at = ([x, y]) => [(width - 1280 * scale) / 2 + x * scale, (height - 720 * scale) / 2 + y * scale];
      const [x, bottom] = at([500, 660]);
      const filling = [x, Math.min(bottom, height - CONTROLS) - 30 * scale];
      return [[filling, WHITE], [at(SECOND), BLUE], [at(ELSEWHERE), CLEAR]];
    };
    await untilSeen(page, placed(900, 900)); // bars above and below
    await page.setViewportSize({ width: 1200, height: 400 }); // and at the sides
    await untilSeen(page, placed(1200, 400));
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement?.querySelector('canvas.pictures'));
    const { width, height } = await page.evaluate(() => ({ width: innerWidth, height: innerHeight }));
    await untilSeen(page, placed(width, height));
    assert.deepEqual(unexpected(errors), []);
    await close();
  });

  test('are there by themselves where they are forced, and are remembered', async () => {
    const { page, errors, close } = await openPage(browser);
    /** Nobody chose, and yet they are there: the film stands still at that time. */
    const untilThere = async (at) => {
      await page.waitForFunction(() => document.querySelector('canvas.pictures'), undefined, { timeout: 15_000 });
      await untilMoving(page);
      await page.evaluate(() => document.querySelector('video').pause());
      await seek(page, at);
    };
    await page.goto(`${server.url}/watch/${forced.id}?t=15`);
    await untilThere(23);
    await untilSeen(page, [[[22, 32], RED]]);
    await page.evaluate(() => localStorage.clear());
    await page.goto(`${server.url}/watch/${film.id}?t=13`);
    await untilMoving(page, { from: 13 });
    assert.equal(await pixelsAt(page, [FIRST]), undefined, 'these are not forced');
    await choose(page, 'Subtitles', /English/);
    await page.goto(`${server.url}/watch/${film.id}?t=5`);
    await untilThere(13);
    await untilSeen(page, [[FIRST, GREEN]]);
    assert.deepEqual(unexpected(errors), []);
    await close();
  });
});
