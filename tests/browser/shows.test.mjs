// SPDX-License-Identifier: GPL-3.0-or-later
// A show is one card among the films. Its episodes play one after the other by themselves, unless one says no, and it is
// gone on with where one was.
import assert from 'node:assert/strict';
import { copyFile, mkdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { axe, isFake, launch, openPage, seek, startServer, tempFolder, unexpected, untilMoving, wake } from './harness.mjs';

const SIZES = { 'on a phone': { width: 390, height: 844, hasTouch: true }, 'at a desk': { width: 1280, height: 720 } };
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const [where, size] of Object.entries(SIZES)) {
  describe(`a show ${where}`, { skip: isFake && 'the fake server has none', concurrency: false }, () => {
    let library, server, browser, session, page;

    before(async () => {
      library = await tempFolder();
      const season = join(library, 'Night Train (2011)', 'Season 1');
      await mkdir(season, { recursive: true });
      const first = await makeFilm(season, 'Night Train - S01E01 - Departure.mp4', 20);
      const long = new Date(Date.now() - 3_600_000);
      await makeFilm(season, 'Night Train - S01E02 - Arrival.mp4', 25);
      await makeFilm(season, 'Night Train - S01E03.mp4', 30);
      await copyFile(first, join(library, 'Playtime (1967).mp4'));
      await utimes(join(library, 'Playtime (1967).mp4'), long, long);
      server = await startServer({ library });
      browser = await launch();
      session = await openPage(browser, size);
      ({ page } = session);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      await rm(library, { recursive: true, force: true });
    });

    const look = async () => {
      assert.deepEqual(await axe(page), []);
      assert.ok(await overflow(page) <= 0);
    };

    test('is one card in the list, and a page of its episodes', async () => {
      await page.goto(server.url);
      await page.getByRole('heading', { name: 'Night Train', exact: true }).waitFor();
      await page.getByText('3 episodes').waitFor();
      assert.equal(await page.locator('.title-card').count(), 2);
      await look();
      await page.getByRole('link', { name: /Night Train/ }).click();
      await page.getByRole('heading', { level: 1, name: 'Night Train' }).waitFor();
      assert.match(page.url(), /\/show\//);
      const names = await page.getByRole('region', { name: 'Season 1' }).getByRole('link').allTextContents();
      assert.deepEqual(names.map((name) => name.replace(/\s+/g, ' ').trim()), ['Play S1 E1: 1Departure', 'Play S1 E2: 2Arrival', 'Play S1 E3: 3Episode 3']);
      await look();
    });

    test('goes on with the next episode by itself', async () => {
      await page.getByRole('link', { name: 'Play S1 E1' }).first().click();
      await untilMoving(page);
      await page.getByRole('heading', { name: 'Night Train · S1 E1 · Departure' }).waitFor();
      await seek(page, 18.5);
      await page.getByText(/Next: S1 E2 · Arrival, in \d s/).waitFor({ timeout: 20_000 });
      await look();
      await page.getByRole('heading', { name: 'Night Train · S1 E2 · Arrival' }).waitFor({ timeout: 20_000 });
      await untilMoving(page, { to: 15 });
    });

    test('but not when one says no', async () => {
      await seek(page, 23.5);
      await page.getByText(/Next: S1 E3, in \d s/).waitFor({ timeout: 20_000 });
      await page.getByRole('button', { name: 'Stay here' }).click();
      await page.waitForTimeout(9000);
      await page.getByRole('heading', { name: 'Night Train · S1 E2 · Arrival' }).waitFor();
      assert.equal(await page.locator('.next-up').count(), 0);
    });

    test('is gone on with where one is', async () => {
      await wake(page);
      await page.getByRole('link', { name: 'Back to the films' }).first().click();
      await page.goto(server.url);
      await page.getByRole('link', { name: /Night Train/ }).click();
      await page.getByRole('link', { name: 'Play S1 E3', exact: true }).waitFor();
      const season = page.getByRole('region', { name: 'Season 1' });
      assert.equal(await season.getByRole('button', { name: 'Watched: Departure' }).getAttribute('aria-pressed'), 'true');
      assert.equal(await season.getByRole('button', { name: 'Watched: Season 1' }).getAttribute('aria-pressed'), 'false');
      await season.getByRole('button', { name: 'Watched: Season 1' }).click();
      await page.waitForFunction(() => [...document.querySelectorAll('.season-head button')].every((it) => it.getAttribute('aria-pressed') === 'true'));
      await page.goto(server.url);
      await page.locator('.title-card').filter({ hasText: 'Night Train' }).getByText('Watched').waitFor();
    });

    test('and nothing was complained of', () => assert.deepEqual(unexpected(session.errors), []));
  });
}
