// SPDX-License-Identifier: GPL-3.0-or-later
// Subtitles in a real browser: chosen in the menu, seen at their time, also after a seek; nothing of
// them when they are off; remembered for the next film.
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { linesOf, makeSubtitledFilm } from './films.mjs';
import { choose, filesOf, isFake, launch, openPage, seek, startServer, tempFolder, untilMoving, wake } from './harness.mjs';

const SECONDS = 60;
const IN_TIME_S = 0.35; // a cue is shown with the next time update, four of which are a second apart at most

/** What stands over the picture now, and where the film is. */
const shown = (page) => page.evaluate(() => {
  const video = document.querySelector('video');
  const cues = [...video.textTracks].filter(({ mode }) => mode === 'showing').flatMap(({ activeCues }) => [...activeCues ?? []]);
  return { time: video.currentTime, words: cues.map(({ text }) => text) };
});

/** The lines are made so that the number in a line is the second it begins at. */
function inTime({ time, words }, language) {
  assert.ok(words.length <= 1, words.join(' | '));
  const [, said, second] = /^(.*) <i>(\d+)<\/i>$/.exec(words[0]) ?? [];
  assert.equal(said, language);
  assert.ok(time >= Number(second) - 0.01 && time <= Number(second) + 0.9 + IN_TIME_S, `"${words[0]}" at ${time}`);
}

/** The same once there is something, which may be gone a moment later; `begins`: how it does. */
const untilShown = async (page, begins = '') => {
  const seen = await page.waitForFunction((prefix) => {
    const video = document.querySelector('video');
    const cues = [...video.textTracks].filter(({ mode }) => mode === 'showing').flatMap(({ activeCues }) => [...activeCues ?? []]);
    const words = cues.map(({ text }) => text);
    return words.some((text) => text.startsWith(prefix)) && { time: video.currentTime, words };
  }, begins, { timeout: 15_000 });
  return seen.jsonValue();
};

describe('subtitles', { skip: isFake && 'the fake server has none' }, () => {
  let library, server, browser, film, other;

  before(async () => {
    library = await tempFolder();
    await makeSubtitledFilm(library, 'The Quiet Room (1971).mkv', SECONDS);
    await makeSubtitledFilm(library, 'The Loud Room (1972).mkv', 30);
    await writeFile(join(library, 'The Quiet Room (1971).fr.srt'), linesOf('Ligne', SECONDS));
    server = await startServer({ library });
    browser = await launch();
    const files = await filesOf(server.url, 2);
    film = files.find(({ name }) => name.startsWith('The Quiet'));
    other = files.find(({ name }) => name.startsWith('The Loud'));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  test('are seen at their time, also after a seek, and not when they are off', async () => {
    const { page, errors, close } = await openPage(browser);
    const asked = [];
    page.on('request', (request) => { if (request.url().includes('.vtt')) asked.push(request.url()); });
    await page.goto(`${server.url}/watch/${film.id}?t=0`);
    await untilMoving(page);
    await page.waitForTimeout(1500);
    assert.deepEqual((await shown(page)).words, []);
    assert.deepEqual(asked, [], 'nobody reads them');

    await choose(page, 'Subtitles', /English/);
    await untilShown(page);
    for (let i = 0; i < 4; i++) {
      const now = await shown(page);
      if (now.words.length > 0) inTime(now, 'English &amp; line');
      await page.waitForTimeout(400);
    }
    await seek(page, 41.3);
    await untilMoving(page, { from: 41.3 });
    const later = await untilShown(page);
    inTime(later, 'English &amp; line');
    assert.ok(later.time > 41);
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT });

    await choose(page, 'Subtitles', /German/);
    inTime(await untilShown(page, 'Deutsche'), 'Deutsche Zeile');
    await wake(page);
    await page.getByRole('button', { name: 'Subtitles', exact: true }).click();
    assert.match(await page.getByRole('menuitemradio', { name: /German/ }).textContent(), /With sounds/);
    await page.keyboard.press('Escape');

    await choose(page, 'Subtitles', /Off/);
    await page.waitForTimeout(1200);
    assert.deepEqual((await shown(page)).words, []);
    assert.deepEqual(errors, []);
    await close();
  });

  test('beside the film are seen as well', async () => {
    const { page, errors, close } = await openPage(browser);
    await page.goto(`${server.url}/watch/${film.id}?t=20`);
    await untilMoving(page, { from: 20 });
    await choose(page, 'Subtitles', /French/);
    inTime(await untilShown(page), 'Ligne');
    await seek(page, 50.2);
    await untilMoving(page, { from: 50.2 });
    const now = await untilShown(page);
    inTime(now, 'Ligne');
    assert.ok(now.time > 50);
    assert.deepEqual(errors, []);
    await close();
  });

  test('are remembered by their language and title', async () => {
    const { page, errors, close } = await openPage(browser);
    await page.goto(`${server.url}/watch/${film.id}?t=0`);
    await untilMoving(page);
    await choose(page, 'Subtitles', /German/);
    await untilShown(page);
    await page.goto(`${server.url}/watch/${other.id}?t=9`);
    await untilMoving(page);
    inTime(await untilShown(page), 'Deutsche Zeile');
    assert.deepEqual(errors, []);
    await close();
  });
});
