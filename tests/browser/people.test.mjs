// SPDX-License-Identifier: GPL-3.0-or-later
// A house of several: an administrator invites a child by a link, it makes its account and sees films
// alone; what one has begun goes on at another device of hers, and is nobody else's.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { axe, isFake, launch, openPage, startServer, tempFolder, unexpected, untilMoving, wake } from './harness.mjs';

const PASSWORD = 'a long sentence is best';
const PHONE = { width: 390, height: 844, hasTouch: true };
const NARROW = { width: 320, height: 640 };

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe('the people of a house', { skip: isFake && 'the fake server has no accounts but the first', concurrency: false }, () => {
  let library, server, browser, anna;

  before(async () => {
    library = await tempFolder();
    await makeFilm(library, 'Playtime (1967).mkv', 60);
    server = await startServer({ library, auth: 'accounts' });
    browser = await launch();
    anna = await openPage(browser);
    await anna.page.goto(server.url);
    await anna.page.getByLabel('User name').fill('anna');
    await anna.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await anna.page.getByRole('button', { name: 'Create the account' }).click();
    await anna.page.locator('.title-card').first().waitFor();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  const signIn = async (page, name) => {
    await page.goto(server.url);
    await page.getByLabel('User name').fill(name);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.title-card').first().waitFor();
  };

  test('a child is invited by a link, and sees films and no downloads', async () => {
    const { page } = anna;
    await page.getByRole('link', { name: 'People' }).click();
    const form = page.getByRole('region', { name: 'Invite somebody' });
    await form.getByLabel('Role').selectOption('child');
    await form.getByLabel('Films up to').selectOption('12');
    await form.getByLabel('Also films').check();
    await form.getByRole('button', { name: 'Make the link' }).click();
    const link = await form.getByLabel('Invitation').inputValue();

    const { page: own, errors, close } = await openPage(browser, PHONE);
    await own.goto(link);
    await own.getByRole('heading', { name: 'You are invited' }).waitFor();
    assert.deepEqual(await axe(own), []);
    await own.getByLabel('User name').fill('ben');
    await own.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await own.getByRole('button', { name: 'Create the account' }).click();
    await own.locator('.title-card').first().waitFor();
    assert.equal(new URL(own.url()).pathname, '/');
    assert.equal(await own.getByRole('link', { name: 'Downloads' }).count(), 0);
    assert.equal(await own.getByRole('link', { name: 'People' }).count(), 0);
    assert.equal(await own.getByRole('button', { name: 'Look for new files' }).count(), 0);
    assert.deepEqual(unexpected(errors), []);
    await close();

    const again = await openPage(browser, PHONE);
    await again.page.goto(link);
    await again.page.getByLabel('User name').fill('carla');
    await again.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await again.page.getByRole('button', { name: 'Create the account' }).click();
    await again.page.getByRole('alert').waitFor();
    await again.close();
    await page.reload();
    await page.getByRole('listitem', { name: 'ben' }).waitFor();
    assert.equal(await page.getByRole('listitem', { name: 'carla' }).count(), 0);
  });

  test('what is begun goes on at another device, and is nobody else’s in the same browser', async () => {
    const { page } = anna;
    await page.goto(server.url);
    await page.locator('.title-card a.cover').first().click();
    await untilMoving(page);
    await page.evaluate(() => { document.querySelector('video').currentTime = 25; });
    await untilMoving(page, { from: 25 });
    await page.keyboard.press('k');
    await wake(page);
    await page.getByRole('link', { name: 'Back to the films' }).first().click();
    await page.getByRole('region', { name: 'Go on watching' }).waitFor();

    const phone = await openPage(browser, PHONE);
    await signIn(phone.page, 'anna');
    await phone.page.getByRole('region', { name: 'Go on watching' }).getByRole('link').click();
    await untilMoving(phone.page, { from: 24, to: 40 });
    await phone.page.getByText(/Resumed at 0:2/).first().waitFor();
    await phone.close();

    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await signIn(page, 'ben');
    await page.waitForTimeout(500);
    assert.equal(await page.getByRole('region', { name: 'Go on watching' }).count(), 0);
    await page.locator('.title-card a.cover').first().click();
    await untilMoving(page, { to: 15 });
    await page.goto(server.url);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await signIn(page, 'anna');
  });

  test('a film is kept for later, and what was watched can be taken out', async () => {
    const { page } = anna;
    await page.goto(server.url);
    await page.locator('.title-card').last().getByRole('button', { name: 'Watch later: Playtime' }).click();
    await page.getByRole('link', { name: 'Yours' }).click();
    await page.getByRole('region', { name: 'To watch later' }).getByRole('link', { name: /Playtime/ }).waitFor();
    const entries = page.getByRole('region', { name: 'What you watched' }).getByRole('listitem');
    await entries.first().waitFor();
    const before = await entries.count();
    await entries.first().getByRole('button').click();
    await page.waitForFunction((count) => document.querySelectorAll('.history li').length < count, before);
    await page.getByRole('region', { name: 'To watch later' }).getByRole('button').click();
    await page.getByText('Nothing is kept for later.').waitFor();
  });

  for (const [path, ready] of [['/people', 'People'], ['/settings', 'Settings'], ['/yours', 'Yours']]) {
    for (const [size, options] of Object.entries({ desk: {}, phone: PHONE, narrow: NARROW })) {
      test(`${path}, ${size}: free of faults`, async () => {
        const { page, errors, close } = await openPage(browser, options);
        await signIn(page, 'anna');
        await page.goto(server.url + path);
        await page.getByRole('heading', { name: ready, level: 1 }).waitFor();
        await page.waitForFunction(() => document.querySelectorAll('[aria-busy="true"]').length === 0);
        for (const summary of await page.locator('main summary').all()) await summary.click();
        assert.deepEqual(await axe(page), []);
        assert.ok((await overflow(page)) <= 0, 'it is wider than the window');
        assert.deepEqual(unexpected(errors), []);
        await close();
      });
    }
  }
});
