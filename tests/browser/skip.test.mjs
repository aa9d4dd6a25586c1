// SPDX-License-Identifier: GPL-3.0-or-later
// Somebody does not want to see an intro or credits: by the button, by the key. Against the real server, to
// which chapters say where they are.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { makeChapterFilm } from './films.mjs';
import { axe, filesOf, isFake, launch, openPage, startServer, tempFolder, untilMoving } from './harness.mjs';

const SECONDS = 60;

describe('skipping an intro and credits', { skip: isFake && 'only the real server knows where they are' }, () => {
  let library, server, browser, file;

  before(async () => {
    library = await tempFolder();
    await makeChapterFilm(library, 'Two Songs (1954).mkv', SECONDS, ['Opening', '', 'Credits']);
    server = await startServer({ library });
    browser = await launch();
    [file] = await filesOf(server.url, 1);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  async function story(at, run) {
    const { page, errors, close } = await openPage(browser);
    try {
      await page.goto(`${server.url}/watch/${file.id}?t=${at}`);
      await untilMoving(page);
      await run(page);
      assert.deepEqual(errors, [], 'the console has errors');
    } finally {
      await close();
    }
  }

  const button = (page, name) => page.getByRole('button', { name, exact: true });

  test('the button is there during the intro, takes no focus, and leads behind it', () => story(2, async (page) => {
    await button(page, 'Skip intro').waitFor();
    const { x, y, width, height } = await button(page, 'Skip intro').boundingBox();
    const window = page.viewportSize();
    assert.ok(height < 80 && width < 250, `a button of ${width} by ${height}`);
    assert.ok(x > window.width / 2 && x + width < window.width && y > window.height / 2, `at ${x}, ${y}`);
    assert.equal(await page.evaluate(() => document.activeElement === document.body), true);
    assert.deepEqual(await axe(page), []);
    await button(page, 'Skip intro').click();
    await untilMoving(page, { from: 19.5, to: 30 });
    await button(page, 'Skip intro').waitFor({ state: 'detached' });
    assert.equal(await button(page, 'Skip credits').count(), 0);
  }));

  test('by the key; where there is nothing to skip it does nothing', () => story(3, async (page) => {
    await button(page, 'Skip intro').waitFor();
    await page.keyboard.press('s');
    await untilMoving(page, { from: 19.5, to: 30 });
    await page.keyboard.press('s');
    await untilMoving(page, { from: 19.5, to: 35 });
  }));

  test('the credits end the film', () => story(41, async (page) => {
    await button(page, 'Skip credits').click();
    await page.waitForFunction(() => document.querySelector('video').ended);
  }));
});
