// SPDX-License-Identifier: GPL-3.0-or-later
// Somebody looks for a place in a film: pictures, chapters and times above the seek bar, by the mouse,
// by the keys, with a finger. Against the real server, which makes the pictures.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { makeChapterFilm } from './films.mjs';
import { axe, filesOf, isFake, launch, openPage, startServer, tempFolder, untilMoving, wake } from './harness.mjs';

const SECONDS = 60;

describe('looking for a place in a film', { skip: isFake && 'only the real server makes pictures' }, () => {
  let library, server, browser, file;

  before(async () => {
    library = await tempFolder();
    await makeChapterFilm(library, 'Three Acts (1954).mkv', SECONDS);
    server = await startServer({ library });
    browser = await launch();
    [file] = await filesOf(server.url, 1);
    await untilPictures();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  /** They are made once nobody has asked for anything for some seconds. */
  async function untilPictures() {
    for (let tries = 0; tries < 300; tries++) {
      const text = await (await fetch(`${server.url}/hls/${file.id}/storyboard.vtt`)).text();
      if (text.includes('-->')) return;
      await new Promise((done) => setTimeout(done, 200));
    }
    throw new Error('there were no pictures in a minute');
  }

  async function story(run, options = {}) {
    const { page, errors, close } = await openPage(browser, options);
    try {
      await page.goto(`${server.url}/watch/${file.id}?t=3`);
      await untilMoving(page);
      await wake(page);
      await run(page);
      assert.deepEqual(errors, [], 'the console has errors');
    } finally {
      await close();
    }
  }

  const tip = (page) => page.locator('.tip');

  async function pointAt(page, share) {
    const box = await page.locator('.seek').boundingBox();
    await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
    return box;
  }

  /** The grey of the tip's picture where the film shows its own second: each act has a colour. */
  const colourOf = (page) => page.locator('.still').evaluate(async (still) => {
    const [, url] = /url\("(.*)"\)/.exec(still.style.backgroundImage);
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
    const [x, y] = still.style.backgroundPosition.split(' ').map((part) => -Number.parseInt(part, 10));
    const context = canvas.getContext('2d');
    context.drawImage(image, x + still.offsetWidth / 2, y + still.offsetHeight / 2, 1, 1, 0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  });

  const isRed = ([r, g, b]) => r > 150 && g < 90 && b < 90;
  const isGreen = ([r, g, b]) => g > 90 && r < 90 && b < 90;
  const isBlue = ([r, g, b]) => b > 150 && r < 90 && g < 90;

  test('one points at it: its picture, its chapter, its time', () => story(async (page) => {
    for (const [share, title, is] of [[0.1, 'The first act', isRed], [0.5, 'Chapter 2', isGreen], [0.9, 'The third act', isBlue]]) {
      await pointAt(page, share);
      await tip(page).locator('.still').waitFor();
      const text = await tip(page).textContent();
      assert.ok(text.startsWith(title), text);
      assert.match(text, /0:\d\d$/);
      const colour = await colourOf(page);
      assert.ok(is(colour), `${title}: ${colour}`);
    }
    const fits = await tip(page).evaluate((it) => it.getBoundingClientRect().right <= innerWidth && it.getBoundingClientRect().left >= 0);
    assert.ok(fits, 'the tip stands out of the window');
    await pointAt(page, 0.5);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/desktop.png` });
    assert.deepEqual(await axe(page), []);
  }));

  test('one drags: the picture follows, and the film goes there when let go', () => story(async (page) => {
    const box = await pointAt(page, 0.1);
    await page.mouse.down();
    for (const share of [0.3, 0.5, 0.8]) await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
    await tip(page).getByText('The third act').waitFor();
    assert.ok(isBlue(await colourOf(page)));
    assert.ok(await page.evaluate(() => document.querySelector('video').currentTime) < 30, 'it has not gone yet');
    await page.mouse.up();
    await untilMoving(page, { from: 44, to: 60 });
  }));

  test('by the keys: what is there is shown for a moment, and said', () => story(async (page) => {
    await page.keyboard.press('5');
    await tip(page).getByText('Chapter 2').waitFor();
    await tip(page).locator('.still').waitFor();
    assert.ok(isGreen(await colourOf(page)));
    const range = page.getByRole('slider', { name: /Position/ });
    await page.waitForFunction(() => document.querySelector('.seek input').getAttribute('aria-valuetext').endsWith('Chapter 2'));
    assert.match(await range.getAttribute('aria-valuetext'), /^\d+ seconds of (1 minute|59 seconds), Chapter 2$/);
    await tip(page).waitFor({ state: 'detached' });
  }));

  test('chapters are marks on the bar, and a menu leads to them', () => story(async (page) => {
    assert.equal(await page.locator('.layers .mark').count(), 2);
    await page.getByRole('button', { name: 'Chapters' }).click();
    const items = page.getByRole('menuitemradio');
    assert.deepEqual(await items.allTextContents(), ['The first act0:00', 'Chapter 20:20', 'The third act0:40']);
    assert.equal(await items.first().getAttribute('aria-checked'), 'true');
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/menu.png` });
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await untilMoving(page, { from: 40, to: 60 });
  }));

  test('on a phone, with a finger', () => story(async (page) => {
    await page.locator('.seek').tap({ position: { x: 175, y: 14 } });
    await tip(page).locator('.still').waitFor();
    const inside = await tip(page).evaluate((it) => {
      const { left, right, top } = it.getBoundingClientRect();
      return left >= 0 && right <= innerWidth && top >= 0;
    });
    assert.ok(inside);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/phone.png` });
  }, { width: 390, height: 844, hasTouch: true, isMobile: true }));
});
