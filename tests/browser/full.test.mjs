// SPDX-License-Identifier: GPL-3.0-or-later
// A server that has promised all it can convert: who comes then is told why, and begins when there is
// room, without a press.
import assert from 'node:assert/strict';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { filesOf, isFake, launch, openPage, startServer, tempFolder, unexpected, untilMoving } from './harness.mjs';

const FILMS = 12;

describe('a server that is full', { skip: isFake && 'the fake server converts nothing' }, () => {
  let folder; let server; let browser; let files;

  before(async () => {
    folder = await tempFolder();
    const first = await makeFilm(folder, 'Film 0 (2001).mkv', 12, { size: '1280x720', converted: true });
    for (let i = 1; i < FILMS; i += 1) await copyFile(first, join(folder, `Film ${i} (2001).mkv`));
    server = await startServer({ library: folder, settings: { 'media.cores': 1, 'library.settle_s': 0 } });
    browser = await launch();
    files = (await filesOf(server.url, FILMS)).map(({ id }) => id);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const ask = (method, path, body) => fetch(`${server.url}/api/v1${path}`, {
    method, ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });

  test('says why somebody waits, and lets him in when another leaves', async (it) => {
    const watched = [];
    let full = false;
    for (const file of files.slice(1)) {
      const answer = await ask('POST', '/playback', { file });
      if (answer.status === 503) full = true;
      else watched.push((await answer.json()).id);
    }
    if (!full) return it.skip('this machine converts for a dozen at once');
    const { page, errors, close } = await openPage(browser);
    await page.goto(`${server.url}/watch/${files[0]}`);
    const words = page.locator('.waiting p');
    await words.filter({ hasText: /this machine is converting for \d+ others?.*begins as soon as there is room/i }).waitFor();
    await page.waitForTimeout(1000);
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT });
    for (const id of watched) assert.equal((await ask('DELETE', `/playback/${id}`)).status, 204);
    await untilMoving(page, { frames: 2, timeout: 40_000 });
    assert.equal(await page.locator('.failure').count(), 0);
    assert.deepEqual(unexpected(errors), []);
    await close();
    return undefined;
  });
});
