// SPDX-License-Identifier: GPL-3.0-or-later
// A phone in the house, and a desk with a keyboard only: the server is reached by its name over plain
// HTTP, the first account is made with the code, one signs out and in, a film plays, the session ends and
// the film goes on after signing in.
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { axe, launch, openPage, seek, startServer, tempFolder, unexpected, untilMoving } from './harness.mjs';

const NAME = 'films.lan';
const PASSWORD = 'a long sentence is best';
const MANY_TABS = 30;

/** One way to use the page: by pointing at things. */
const byHand = (page) => ({
  fill: (place, label, text) => place.getByLabel(label, { exact: true }).fill(text),
  press: (locator) => locator.click(),
});

/** The other: Tab, letters, Enter. */
function byKeys(page) {
  const reach = async (locator) => {
    await locator.waitFor();
    for (let i = 0; i < MANY_TABS; i++) {
      if (await locator.evaluate((it) => it === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab does not lead to ${locator}`);
  };
  return {
    async fill(place, label, text) {
      await reach(place.getByLabel(label, { exact: true }));
      await page.keyboard.press('Control+a');
      await page.keyboard.type(text);
    },
    async press(locator) {
      await reach(locator);
      await page.keyboard.press('Enter');
    },
  };
}

const WAYS = {
  'on a phone': { size: { width: 390, height: 844, hasTouch: true }, way: byHand },
  'at a desk, by the keyboard alone': { size: { width: 1280, height: 720 }, way: byKeys },
};

for (const [where, { size, way }] of Object.entries(WAYS)) {
  describe(`a household ${where}`, { concurrency: false }, () => {
    let library, server, browser, session, page, home, fill, press;

    before(async () => {
      library = await tempFolder();
      await makeFilm(library, 'Ikiru (1952).mkv', 180);
      server = await startServer({ library, auth: 'accounts', settings: { 'http.hosts': NAME } });
      browser = await launch([`--host-resolver-rules=MAP ${NAME} 127.0.0.1`]);
      home = server.url.replace('127.0.0.1', NAME);
      session = await openPage(browser, size);
      ({ page } = session);
      ({ fill, press } = way(page));
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      await rm(library, { recursive: true, force: true });
    });

    test('makes the first account with the code', async () => {
      await page.goto(home);
      await page.getByRole('heading', { name: 'Welcome to matinee' }).waitFor();
      assert.equal(await page.evaluate(() => window.isSecureContext), false);
      assert.deepEqual(await axe(page), []);
      await fill(page, 'Setup code', 'WRONG123');
      await fill(page, 'User name', 'ada');
      await fill(page, 'Password', PASSWORD);
      await press(page.getByRole('button', { name: 'Create the account' }));
      await page.locator('.error, .banner').first().waitFor();
      assert.deepEqual(await axe(page), []);
      await fill(page, 'Setup code', (await readFile(join(server.data, 'setup-code'), 'utf8')).trim());
      await press(page.getByRole('button', { name: 'Create the account' }));
      await page.locator('.title-card').first().waitFor();
      assert.deepEqual(await axe(page), []);
    });

    test('signs out and in again; a wrong password is said in words', async () => {
      if (size.width < 640) await press(page.getByRole('link', { name: 'Settings' })); // a phone's header has no room for it
      await press(page.getByRole('button', { name: 'Sign out', exact: true }).filter({ visible: true }).first());
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      assert.deepEqual(await axe(page), []);
      await fill(page, 'User name', 'ada');
      await fill(page, 'Password', 'wrong');
      await press(page.getByRole('button', { name: 'Sign in' }));
      await page.getByText('User name and password do not match').first().waitFor();
      assert.deepEqual(await axe(page), []);
      await fill(page, 'Password', PASSWORD);
      await page.keyboard.press('Enter');
      // One is where one was before.
      if (size.width < 640) await press(page.getByRole('link', { name: 'Films', exact: true }));
      await page.locator('.title-card').first().waitFor();
    });

    test('plays a film over plain HTTP', async () => {
      await press(page.getByRole('link', { name: /Ikiru/ }));
      await untilMoving(page);
    });

    test('signs in over the film when the session has ended, and the film goes on', async () => {
      await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }));
      await seek(page, 160); // further than any player buffers ahead
      const dialog = page.getByRole('dialog', { name: 'You have been signed out' });
      await dialog.waitFor();
      assert.deepEqual(await axe(page), []);
      await fill(dialog, 'User name', 'ada');
      await fill(dialog, 'Password', PASSWORD);
      await page.keyboard.press('Enter');
      await untilMoving(page, { from: 160 });
      assert.equal(await page.locator('dialog').count(), 0);
    });

    test('and nothing was complained of', () => assert.deepEqual(unexpected(session.errors), []));
  });
}
