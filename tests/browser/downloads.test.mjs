// SPDX-License-Identifier: GPL-3.0-or-later
// An evening with downloads, on a phone and at a desk: a magnet that is none, one that comes, is paused
// and goes on, a .torrent file, files that are left out, a film that is watched while it comes, and the
// end of them all. The real server finds nobody, since nothing may leave this machine: what needs a
// download that moves is told of the fake one alone.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { axe, isFake, launch, openPage, startServer, tempFolder, unexpected, untilMoving, wake } from './harness.mjs';

const ALONE = { 'torrent.listen': '127.0.0.1:0', 'torrent.dht': 'false' };
const SIZES = { 'on a phone': { width: 375, height: 812, hasTouch: true }, 'at a desk': { width: 1280, height: 800 } };
const WHAT = 'Magnet link or web address';
const STATES = /Asking others what it holds|Checking what is here|Downloading/;

const magnet = (digit, name) => `magnet:?xt=urn:btih:${digit.repeat(40)}&dn=${encodeURIComponent(name)}`;
const text = (words) => `${Buffer.byteLength(words)}:${words}`;
/** The .torrent of one file, of which nobody has a piece. */
const torrentOf = (name) => Buffer.from(
  `d${text('info')}d${text('length')}i1048576e${text('name')}${text(name)}${text('piece length')}i262144e${text('pieces')}${text('p'.repeat(80))}ee`);

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const [where, size] of Object.entries(SIZES)) {
  describe(`downloads ${where}`, { concurrency: false }, () => {
    const film = 'Playtime slow (1967).mkv';
    let library, server, browser, session, page, second;

    before(async () => {
      library = await tempFolder();
      await makeFilm(library, 'Playtime (1967).mkv', 12);
      server = await startServer({ library, settings: ALONE });
      browser = await launch();
      session = await openPage(browser, size);
      second = await openPage(browser, size);
      ({ page } = session);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      await rm(library, { recursive: true, force: true });
    });

    const row = (name, at = page) => at.getByRole('listitem', { name, exact: true });
    const bar = (name) => row(name).getByRole('progressbar').first();
    const state = (name, words) => row(name).locator('.state').getByText(words).waitFor();
    const list = async () => (await (await fetch(`${server.url}/api/v1/downloads`)).json()).items;
    const look = async () => {
      assert.deepEqual(await axe(page), []);
      assert.ok((await overflow(page)) <= 0, 'it is wider than the window');
    };
    const ask = async (words) => {
      await page.getByLabel(WHAT).fill(words);
      await page.keyboard.press('Enter');
    };
    /** The percents that a bar shows, once they are more than `least`. */
    const past = async (name, least) => {
      const shown = await bar(name).elementHandle();
      await page.waitForFunction(([it, low]) => Number(it.getAttribute('aria-valuenow')) > low, [shown, least]);
      return Number(await shown.getAttribute('aria-valuenow'));
    };

    test('begin with an empty list that says what to do', async () => {
      await page.goto(server.url);
      await page.getByRole('link', { name: 'Downloads' }).click();
      await page.getByRole('heading', { name: 'No downloads yet' }).waitFor();
      assert.match(page.url(), /\/downloads$/);
      assert.equal(await page.getByRole('link', { name: 'Downloads' }).getAttribute('aria-current'), 'page');
      await look();
      await second.page.goto(`${server.url}/downloads`);
      await second.page.getByRole('heading', { name: 'No downloads yet' }).waitFor();
    });

    test('a magnet that is none is refused in the server’s words, next to the field', async () => {
      const bad = 'magnet:?dn=film';
      const refusal = await fetch(`${server.url}/api/v1/downloads`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ magnet: bad }),
      });
      assert.equal(refusal.status, 422);
      const { detail } = await refusal.json();
      await ask(bad);
      await page.locator('.error').getByText(detail, { exact: true }).waitFor();
      const field = page.getByLabel(WHAT);
      assert.equal(await field.getAttribute('aria-invalid'), 'true');
      assert.equal(await page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`).textContent(), detail);
      assert.equal(await field.inputValue(), bad);
      await look();
    });

    test('what is neither a magnet nor an address is not sent, and the field says what it takes', async () => {
      await ask('playtime 1967');
      await page.locator('.error').getByText(/neither a magnet link nor a web address/).waitFor();
      assert.deepEqual(await list(), []);
      await look();
    });

    test('a magnet is in the list at once, in every window', async () => {
      await ask(magnet('a', film));
      await row(film).waitFor();
      await state(film, STATES);
      assert.equal(await page.getByLabel(WHAT).inputValue(), '');
      assert.equal(await page.locator('.error').count(), 0);
      await row(film, second.page).waitFor();
      await look();
    });

    test('and is not added twice', async () => {
      await ask(magnet('a', film));
      await page.locator('.hint').getByText(`“${film}” is in the list already.`).waitFor();
      assert.equal((await list()).length, 1);
    });

    test('it comes by itself, with rate, peers and time left', { skip: !isFake }, async () => {
      await past(film, await past(film, 0));
      await state(film, 'Downloading');
      const facts = await row(film).locator('.facts').first().textContent();
      assert.match(facts, /\d+ %.* of 1\.4 GB.*\d MB\/s.*12 peers.*min left/);
      await look();
    });

    test('it is paused, and goes on', async () => {
      await row(film).getByRole('button', { name: /^Pause/ }).click();
      await state(film, 'Paused');
      assert.equal((await list())[0].state, 'paused');
      const before = await bar(film).getAttribute('aria-valuenow');
      await page.waitForTimeout(1200);
      assert.equal(await bar(film).getAttribute('aria-valuenow'), before);
      await look();
      await row(film).getByRole('button', { name: /^Go on/ }).click();
      await state(film, STATES);
      assert.notEqual((await list())[0].state, 'paused');
    });

    test('it can be watched while it comes, and one comes back to the list', { skip: !isFake }, async () => {
      await row(film).getByRole('link', { name: /^Play/ }).click();
      await untilMoving(page);
      assert.match(page.url(), /\/watch\//);
      await wake(page);
      await page.getByRole('link', { name: 'Back to the downloads' }).click();
      await row(film).waitFor();
      assert.match(page.url(), /\/downloads$/);
    });

    test('when it cannot be played after all, one is led back to the list as well', { skip: !isFake }, async () => {
      await page.route(/\/api\/v1\/playback$/, (route) => route.fulfill({ status: 500, json: { detail: 'the disk failed' } }));
      await row(film).getByRole('link', { name: /^Play/ }).click();
      const panel = page.getByRole('alertdialog');
      await panel.getByText('the disk failed').waitFor();
      await panel.getByRole('link', { name: 'Back to the downloads' }).click();
      await row(film).waitFor();
      assert.match(page.url(), /\/downloads$/);
      await page.unroute(/\/api\/v1\/playback$/);
    });

    test('the address of a .torrent file is as good as a magnet', { skip: !isFake }, async () => {
      await ask('https://films.example/Late%20Spring%20slow%20(1949).mkv.torrent');
      await row('Late Spring slow (1949).mkv').waitFor();
      await state('Late Spring slow (1949).mkv', 'Downloading');
      await ask('https://films.example/gone.torrent');
      await page.locator('.error').getByText('the server that has it answers with 404').waitFor();
      await look();
    });

    test('a .torrent file is as good as a magnet, and what is none is not sent', async () => {
      const name = 'Ikiru (1952).mkv';
      await page.getByLabel(/Choose a \.torrent file/).setInputFiles([
        { name: 'ikiru.torrent', mimeType: 'application/x-bittorrent', buffer: torrentOf(name) },
        { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no torrent') },
      ]);
      await row(name).waitFor();
      await page.getByRole('alert').getByText('“notes.txt” is not a .torrent file.').waitFor();
      await row(name).getByRole('link', { name: /^Play/ }).waitFor();
      await row(name).getByText('1 file').click();
      const box = row(name).getByRole('checkbox', { name: `Download ${name}` });
      await box.uncheck();
      await row(name).getByText('left out', { exact: false }).waitFor();
      assert.equal((await list()).find((each) => each.name === name).files[0].wanted, false);
      await box.check();
      await look();
    });

    test('of many files some are left out', { skip: !isFake }, async () => {
      const name = 'A Series slow season 1';
      await ask(magnet('b', name));
      await row(name).getByText('10 files').waitFor();
      await row(name).getByRole('button', { name: 'Show 2 more files' }).click();
      const box = row(name).getByRole('checkbox', { name: 'Download Episode 3.mkv' });
      await box.uncheck();
      await row(name).getByText(/left out/).waitFor();
      assert.equal(await row(name).getByRole('link', { name: /^Play/ }).count(), 9);
      assert.equal((await list()).find((each) => each.name === name).files[2].wanted, false);
      await look();
    });

    test('what nobody has says so, and what fails says why', { skip: !isFake }, async () => {
      await ask(magnet('c', 'alone 2019'));
      await row('alone 2019').getByText('no peer has been found').waitFor();
      await ask(magnet('d', 'broken 1927'));
      await row('broken 1927').getByText('the disk failed: Input/output error').waitFor();
      await state('broken 1927', 'Failed');
      await look();
    });

    test('it is kept when one thinks again, and removed by the keyboard alone', async () => {
      const opener = row(film).getByRole('button', { name: /^Remove/ });
      await opener.focus();
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Remove this download?' });
      await dialog.getByText(film, { exact: false }).waitFor();
      await look();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.ok(await opener.evaluate((it) => it === document.activeElement), 'the focus has not come back');
      assert.ok((await list()).some(({ name }) => name === film));
      await page.keyboard.press('Enter');
      await dialog.waitFor();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await row(film).waitFor({ state: 'detached' });
      await row(film, second.page).waitFor({ state: 'detached' });
      assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      assert.equal((await list()).some(({ name }) => name === film), false);
    });

    test('and when all are gone the list is empty again', async () => {
      for (const { name } of await list()) {
        await row(name).getByRole('button', { name: /^Remove/ }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
        await row(name).waitFor({ state: 'detached' });
      }
      await page.getByRole('heading', { name: 'No downloads yet' }).waitFor();
      assert.deepEqual(await list(), []);
    });

    test('and nothing was complained of', () => assert.deepEqual(unexpected([...session.errors, ...second.errors]), []));
  });
}
