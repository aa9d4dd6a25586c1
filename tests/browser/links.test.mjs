// SPDX-License-Identifier: GPL-3.0-or-later
// A video of another server, on a phone and at a desk: its address is refused in words or played at
// once, and kept below the downloads until it is removed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { axe, isFake, launch, openPage, startServer, tempFolder, unexpected, untilMoving, wake } from './harness.mjs';

const SIZES = { 'on a phone': { width: 375, height: 812, hasTouch: true }, 'on a narrow one': { width: 320, height: 640 }, 'at a desk': { width: 1280, height: 800 } };
const WHAT = 'Magnet link or web address';
const FILM = 'Playtime (1967).mp4';

/** A server of one film, with ranges; anything else is a page. */
async function startOrigin(film) {
  const server = createServer((request, response) => {
    if (/gone/.test(request.url)) return response.writeHead(404).end();
    if (!/\.mp4/.test(request.url)) return response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>no film</p>');
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const [begin, end] = [Number(from ?? 0), Math.min(film.length, to ? Number(to) + 1 : film.length)];
    response.writeHead(from === undefined ? 200 : 206, {
      'Content-Type': 'video/mp4', 'Accept-Ranges': 'bytes', 'Content-Length': end - begin,
      ...(from === undefined ? {} : { 'Content-Range': `bytes ${begin}-${end - 1}/${film.length}` }),
    });
    return response.end(request.method === 'HEAD' ? undefined : film.subarray(begin, end));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

for (const [where, size] of Object.entries(SIZES)) {
  describe(`links ${where}`, { concurrency: false }, () => {
    let library, server, origin, browser, session, page;
    const asked = [];

    before(async () => {
      library = await tempFolder();
      origin = await startOrigin(await readFile(await makeFilm(library, FILM, 12)));
      server = await startServer({
        library, settings: { 'torrent.listen': '127.0.0.1:0', 'torrent.dht': 'false', 'fetch.allow': new URL(origin.url).host },
      });
      browser = await launch();
      session = await openPage(browser, size);
      ({ page } = session);
      page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      origin?.close();
      await rm(library, { recursive: true, force: true });
    });

    const api = (method, path, body) => fetch(`${server.url}/api/v1${path}`, {
      method, ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const list = async () => (await (await api('GET', '/links')).json()).items;
    const region = () => page.getByRole('region', { name: 'Recent links' });
    const row = (name) => region().getByRole('listitem', { name, exact: true });
    const field = () => page.getByLabel(WHAT);
    const look = async () => {
      assert.deepEqual(await axe(page), []);
      for (const dir of ['rtl', 'ltr']) {
        await page.evaluate((to) => { document.dir = to; }, dir);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `it is wider than the window, ${dir}`);
      }
    };
    const ask = async (words) => {
      await field().fill(words);
      await page.keyboard.press('Enter');
    };

    test('are not spoken of before there is one', async () => {
      await page.goto(`${server.url}/downloads`);
      await page.getByRole('heading', { name: 'No downloads yet' }).waitFor();
      assert.equal(await region().count(), 0);
      await look();
    });

    test('to what is no video, or is not there, are refused in the server’s words, next to the field', async () => {
      for (const path of ['/page', '/gone.mp4']) {
        const refusal = await api('POST', '/links', { url: origin.url + path });
        assert.ok([422, 502].includes(refusal.status), `${path}: ${refusal.status}`);
        const { detail, field: name } = await refusal.json();
        assert.equal(name, 'url');
        await ask(origin.url + path);
        await page.locator('.error').getByText(detail, { exact: true }).waitFor();
        assert.equal(await field().getAttribute('aria-invalid'), 'true');
        assert.equal(await page.locator(`[id="${await field().getAttribute('aria-describedby')}"]`).textContent(), detail);
        assert.equal(await field().inputValue(), origin.url + path);
        await look();
      }
      assert.deepEqual(await list(), []);
    });

    test('to a video lead straight to the player, by the keyboard alone, and back to the list', async () => {
      await field().fill(`${origin.url}/${encodeURIComponent(FILM)}`);
      await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
      await page.keyboard.press('Enter');
      await untilMoving(page);
      const [link] = await list();
      assert.ok(page.url().endsWith(`/watch/${link.file}`), page.url());
      await wake(page);
      await page.getByRole('link', { name: 'Back to the downloads' }).click();
      await row(link.name).waitFor();
      assert.match(page.url(), /\/downloads$/);
      assert.ok((await row(link.name).textContent()).includes(new URL(origin.url).host));
      assert.equal(await field().inputValue(), '');
      await look();
    });

    test('stand there once, what was opened last first', async () => {
      await ask(`${origin.url}/a-very-long-name-${'that-goes-on-and-'.repeat(8)}on.mp4`);
      await untilMoving(page);
      await page.goBack();
      await ask(`${origin.url}/${encodeURIComponent(FILM)}`);
      await untilMoving(page);
      await page.goBack();
      await region().waitFor();
      const names = (await list()).map(({ name }) => name);
      assert.equal(names.length, 2);
      assert.match(names[1], /^a-very-long/);
      await page.waitForFunction((wanted) => [...document.querySelectorAll('.links h3')].map((it) => it.textContent).join() === wanted, names.join());
      await look();
    });

    test('are played again from the list', async () => {
      const { name } = (await list()).at(-1);
      await row(name).getByRole('link', { name: /^Play/ }).focus();
      await page.keyboard.press('Enter');
      await untilMoving(page);
      await page.goBack();
      await row(name).waitFor();
    });

    test('are removed by the keyboard alone, and then not spoken of', async () => {
      for (const { name } of await list()) {
        await row(name).getByRole('button', { name: /^Remove/ }).focus();
        await page.keyboard.press('Enter');
        await row(name).waitFor({ state: 'detached' });
        assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      }
      assert.deepEqual(await list(), []);
      assert.equal(await region().count(), 0);
      await look();
    });

    test('and nothing was complained of', () => assert.deepEqual(unexpected(session.errors), []));

    test('and no title was asked for, as they are in no library', { skip: isFake && 'its links lead to a film of the library' }, () =>
      assert.deepEqual(asked.filter((path) => path.startsWith('/api/v1/titles/')), []));
  });
}
