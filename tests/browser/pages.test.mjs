// SPDX-License-Identifier: GPL-3.0-or-later
// The pages around the player: each free of accessibility faults, at the size of a desk, of a phone and
// 320 px wide, in dark and light, in English and German; and errors in words.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { startProxy } from '../fakes/fault-proxy.mjs';
import { makeFilm, makeGarbage } from './films.mjs';
import { axe, filesOf, isFake, launch, openPage, startServer, tempFolder, unexpected, untilMoving, wake } from './harness.mjs';

const SIZES = { desk: { width: 1280, height: 720 }, phone: { width: 390, height: 844, hasTouch: true }, narrow: { width: 320, height: 640 } };

/** Nothing may stand out at the side (WCAG 1.4.10). */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** Controls that a finger must hit: at least 24 px, by WCAG 2.5.8; the player's own aim at 40. */
const tooSmall = (page, least) => page.evaluate((pixels) => [...document.querySelectorAll('button, a.control, a.button, a.cover')]
  .map((it) => [it, it.getBoundingClientRect()])
  .filter(([it, box]) => box.width > 0 && getComputedStyle(it).visibility !== 'hidden' && (box.width < pixels || box.height < pixels))
  .map(([it, box]) => `${it.getAttribute('aria-label') ?? it.textContent} ${box.width}x${box.height}`), least);

describe('the pages', () => {
  let library, server, browser, film;

  before(async () => {
    library = await tempFolder();
    await makeFilm(library, 'Playtime (1967).mkv', 12);
    await makeFilm(library, 'A Matter of Life and Death and a Very Long Name That Goes On and On (1946).mkv', 4);
    await makeGarbage(library, 'holiday.mkv');
    server = await startServer({ library });
    browser = await launch();
    film = (await filesOf(server.url, 3)).find(({ name }) => name.startsWith('Playtime'));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  const pages = {
    library: ['/', (page) => page.locator('.title-card').first().waitFor()],
    downloads: ['/downloads', (page) => page.getByRole('heading', { name: /No downloads yet|Noch keine Downloads/ }).waitFor()],
    yours: ['/yours', (page) => page.getByRole('heading', { name: /What you watched|Gesehen/ }).waitFor()],
    settings: ['/settings', (page) => page.getByRole('heading', { name: /Settings|Einstellungen/ }).waitFor()],
    'not found': ['/nowhere', (page) => page.getByRole('heading', { name: /Nothing here|Hier ist nichts/ }).waitFor()],
    player: ['/watch/', async (page) => {
      await untilMoving(page);
      await page.keyboard.press('k');
      await wake(page);
    }],
  };

  async function look(path, ready, options) {
    const { page, errors, close } = await openPage(browser, options);
    await page.goto(`${server.url}${path === '/watch/' ? path + film.id : path}`);
    await ready(page);
    assert.deepEqual(await axe(page), []);
    assert.ok((await overflow(page)) <= 0, 'it is wider than the window');
    assert.deepEqual(await tooSmall(page, 24), []);
    assert.deepEqual(errors, []);
    await close();
  }

  for (const [name, [path, ready]] of Object.entries(pages)) {
    for (const [size, options] of Object.entries(SIZES)) {
      test(`${name}, ${size}`, () => look(path, ready, options));
    }
    test(`${name}, in German, reduced motion`, () => look(path, ready, { ...SIZES.phone, locale: 'de-DE', reducedMotion: 'reduce' }));
  }

  test('the list in light colours', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(`${server.url}/settings`);
    await page.getByLabel('Light').check();
    assert.deepEqual(await axe(page), []);
    await page.getByRole('link', { name: /to the films/ }).click();
    await page.locator('.title-card').first().waitFor();
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
    assert.deepEqual(await axe(page), []);
    await page.reload();
    await page.locator('.title-card').first().waitFor();
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
    await close();
  });

  test('what cannot be read stands in the list with its reason', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(server.url);
    const row = page.locator('.unreadable li', { hasText: 'holiday' });
    await row.waitFor();
    assert.ok((await row.textContent()).replace('holiday.mkv', '').trim().length > 10, 'no reason is given');
    await close();
  });

  test('search finds as one types, and stands in the address', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(server.url);
    await page.locator('.title-card').first().waitFor();
    await page.getByRole('searchbox').fill('playt');
    await page.waitForFunction(() => document.querySelectorAll('.title-card').length === 1);
    assert.match(page.url(), /\?q=playt/);
    await page.reload();
    await page.locator('.title-card').first().waitFor();
    assert.equal(await page.locator('.title-card').count(), 1);
    await page.getByRole('searchbox').fill('zzz');
    await page.getByText('Nothing matches “zzz”').waitFor();
    await close();
  });

  test('single letters can be switched off', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(`${server.url}/settings`);
    await page.getByLabel('Single letters control the player').uncheck();
    await page.goto(`${server.url}/watch/${film.id}?t=0`);
    await untilMoving(page);
    await page.keyboard.press('k');
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => document.querySelector('video').paused), false);
    await page.keyboard.press('Space');
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => document.querySelector('video').paused), true);
    await close();
  });

  test('right to left, nothing stands out', async () => {
    const { page, close } = await openPage(browser, SIZES.phone);
    await page.goto(server.url);
    await page.locator('.title-card').first().waitFor();
    await page.evaluate(() => { document.dir = 'rtl'; });
    assert.ok((await overflow(page)) <= 0);
    await close();
  });

  test('a finger on the side of the picture jumps ten seconds', async () => {
    const { page, close } = await openPage(browser, { ...SIZES.phone, isMobile: true });
    await page.goto(`${server.url}/watch/${film.id}?t=0`);
    await untilMoving(page);
    const before = await page.evaluate(() => document.querySelector('video').currentTime);
    await page.touchscreen.tap(360, 200);
    await page.touchscreen.tap(360, 200);
    await page.waitForFunction((from) => document.querySelector('video').currentTime > from + 9, before);
    await close();
  });

  describe('when the server', () => {
    const broken = async (rules, run) => {
      const proxy = await startProxy(server.url);
      proxy.state.rules.push(...rules);
      const { page, errors, close } = await openPage(browser);
      await run(page, proxy);
      assert.deepEqual(unexpected(errors), []);
      await close();
      await proxy.close();
    };

    test('does not answer at all, the page says so and tries again', () =>
      broken([{ match: /^\/api/, fault: 'reset' }], async (page, proxy) => {
        await page.goto(proxy.url);
        await page.getByRole('heading', { name: 'The server does not answer' }).waitFor();
        assert.deepEqual(await axe(page), []);
        proxy.state.rules.length = 0;
        await page.getByRole('button', { name: 'Try again' }).click();
        await page.locator('.title-card').first().waitFor();
      }));

    test('fails at the list, its words are shown', () =>
      broken([{ match: /\/api\/v1\/library\?/, fault: 'status', status: 500 }], async (page, proxy) => {
        await page.goto(proxy.url);
        await page.getByText('The encoder failed: test.').waitFor();
        assert.deepEqual(await axe(page), []);
        proxy.state.rules.length = 0;
        await page.getByRole('button', { name: 'Try again' }).click();
        await page.locator('.title-card').first().waitFor();
      }));

    test('cannot start a film, the panel has no faults either', () =>
      broken([{ match: /\/api\/v1\/playback$/, fault: 'status', status: 500 }], async (page, proxy) => {
        await page.goto(`${proxy.url}/watch/${film.id}?t=0`);
        await page.getByRole('alertdialog').getByText('The encoder failed: test.').waitFor();
        assert.deepEqual(await axe(page), []);
      }));
  });

  describe('a film that', () => {
    const REASON = 'the film is opened for the first time';

    /** What POST /playback and the questions after it are answered: the first of `states`, and the following
     * one whenever the returned function is called. */
    async function answering(page, states) {
      let at = 0;
      await page.route(/\/api\/v1\/playback(\/[^/]+)?$/, async (route) => {
        if (!/GET|POST/.test(route.request().method())) return route.continue();
        const response = await route.fetch();
        return route.fulfill({ response, json: { ...(await response.json()), ...states[at] } });
      });
      return () => { at += 1; };
    }
    const waiting = { waiting: { for: 'plan', reason: REASON } };

    test('is being planned says that it waits, and then plays', async () => {
      const { page, errors, close } = await openPage(browser);
      const masters = [];
      page.on('request', (request) => { if (/master\.m3u8/.test(request.url())) masters.push(request.url()); });
      const goOn = await answering(page, [waiting, { waiting: { ...waiting.waiting, reason: 'it is read through once: 40 %' } }, {}]);
      await page.goto(`${server.url}/watch/${film.id}?t=0`);
      await page.locator('.waiting').getByText(REASON).waitFor({ timeout: 5000 });
      assert.deepEqual(masters, [], 'the playlist is asked for before it can be there');
      assert.deepEqual(await axe(page), []);
      goOn();
      await page.locator('.waiting').getByText('40 %').waitFor({ timeout: 5000 });
      goOn();
      await untilMoving(page);
      assert.equal(await page.locator('.waiting').count(), 0);
      assert.deepEqual(errors, []);
      await close();
    });

    test('turns out to be unplayable while it is waited for says why', async () => {
      const { page, errors, close } = await openPage(browser);
      const goOn = await answering(page, [waiting, { failed: 'the file has no picture and no sound' }]);
      await page.goto(`${server.url}/watch/${film.id}?t=0`);
      await page.locator('.waiting').getByText(REASON).waitFor({ timeout: 5000 });
      goOn();
      const panel = page.getByRole('alertdialog');
      await panel.getByText('the file has no picture and no sound').waitFor({ timeout: 5000 });
      assert.equal(await page.locator('.waiting').count(), 0);
      assert.deepEqual(await axe(page), []);
      assert.deepEqual(errors, []);
      await close();
    });

    test('is refused says why, in the server’s words', { skip: isFake }, async () => {
      const { items } = await (await fetch(`${server.url}/api/v1/library?limit=200`)).json();
      const { files: [garbage], reason } = items.find(({ files }) => files.some(({ name }) => name.startsWith('holiday')));
      const { page, errors, close } = await openPage(browser);
      await page.goto(`${server.url}/watch/${garbage.id}`);
      const panel = page.getByRole('alertdialog');
      await panel.waitFor({ timeout: 5000 });
      const words = (await panel.textContent()).toLowerCase();
      assert.ok(words.includes((garbage.reason ?? reason).toLowerCase()), words);
      assert.deepEqual(await axe(page), []);
      assert.deepEqual(unexpected(errors), []);
      await close();
    });
  });

  test('two tabs wait for held segments, and a third still opens the list', async () => {
    const HELD_MS = 16_000;
    const proxy = await startProxy(server.url);
    proxy.state.rules.push({ match: /(video|audio)-[^/]+\/\d+\.m4s/, fault: 'hold', forMs: HELD_MS });
    const context = await browser.newContext();
    for (let i = 0; i < 2; i++) await (await context.newPage()).goto(`${proxy.url}/watch/${film.id}?t=0`);
    await new Promise((done) => setTimeout(done, 1500));
    const third = await context.newPage();
    const started = Date.now();
    await third.goto(proxy.url);
    await third.locator('.title-card').first().waitFor();
    assert.ok(Date.now() - started < HELD_MS / 2, `took ${Date.now() - started} ms`);
    assert.ok(proxy.state.log.some(({ fault }) => fault === 'hold'), 'nothing was held');
    await context.close();
    await proxy.close();
  });
});

describe('behind a proxy, at a part of its host', { skip: isFake }, () => {
  let library, server, browser;

  before(async () => {
    library = await tempFolder();
    await makeFilm(library, 'Playtime (1967).mkv', 12);
    server = await startServer({ library, settings: { 'http.base_path': '/films' } });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  test('list, film, settings and back; every address is under that part', async () => {
    const { page, errors, close } = await openPage(browser);
    const elsewhere = [];
    page.on('request', (request) => {
      const { protocol, pathname } = new URL(request.url());
      if (protocol === 'http:' && !pathname.startsWith('/films/')) elsewhere.push(pathname);
    });
    const home = `${new URL(server.url).origin}/films/`;
    await page.goto(home);
    await page.getByRole('link', { name: /Playtime/ }).click();
    await untilMoving(page);
    assert.match(page.url(), /\/films\/watch\//);
    await page.reload();
    await untilMoving(page);
    await wake(page);
    await page.getByRole('link', { name: 'Back to the films' }).click();
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('heading', { name: 'Settings' }).waitFor();
    await page.getByRole('link', { name: /to the films/ }).click();
    await page.getByRole('searchbox').fill('zzz');
    await page.getByText('Nothing matches “zzz”').waitFor();
    assert.equal(page.url(), `${home}?q=zzz`);
    assert.deepEqual(elsewhere, []);
    assert.deepEqual(errors, []);
    await close();
  });
});
