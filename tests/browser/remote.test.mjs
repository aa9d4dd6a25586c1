// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes that others wrote never run as ours: pages, scripts, drawings and styles of another server,
// under wicked types, through /stream, and films of the library that hold a page, or are one, through
// /raw. Each is opened in Chromium in every way that could run it, from the page itself and from one of
// the same origin that forbids nothing. What runs sets a flag and calls home; nothing may. That it would
// is shown with the same bytes and their true types at their own origin.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { filesOf, isFake, isFull, launch, startServer, tempFolder } from './harness.mjs';

const TYPES = ['text/html', 'text/javascript', 'application/javascript', 'image/svg+xml', 'text/css', 'application/xhtml+xml', 'text/xml',
  'video/mp4; charset=utf-8', 'video/mp4', 'video/mp4, text/html', 'video/svg+xml', undefined];
const SETTLE_MS = 300;

/** What each kind is called, its true type, and its bytes, which call `home`. */
const kindsOf = (home) => {
  const run = (kind) => `globalThis.ran = '${kind}'; fetch('${home}?${kind}', { mode: 'no-cors' });`;
  const html = (kind) => `<!doctype html><html xmlns="http://www.w3.org/1999/xhtml"><body onload="${run(kind).replaceAll('"', "'")}"><script>${run(kind)}</script></body></html>`;
  return {
    html: ['page.html', 'text/html', html('html')],
    xhtml: ['page.xhtml', 'application/xhtml+xml', html('xhtml').replace('<!doctype html>', '<?xml version="1.0"?>')],
    js: ['code.js', 'text/javascript', run('js')],
    mjs: ['code.mjs', 'text/javascript', `export default 1; ${run('mjs')}`],
    svg: ['drawing.svg', 'image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg"><script>${run('svg')}</script></svg>`],
    css: ['style.css', 'text/css', `body { --ran: css; background: url(${home}?css) }`],
    film: ['film.mp4', 'text/html', html('film')], // a film by its name alone
  };
};

/** The ways in which a page can be made to run something; in the page. Each ends when it has. */
function tryAll({ way, urls }) {
  const element = (name, names) => (url) => new Promise((done) => {
    const it = Object.assign(document.createElement(name), names(url));
    it.onload = it.onerror = () => done(it);
    setTimeout(() => done(it), 1000); // what becomes a download ends without a word
    document.body.append(it);
  });
  const worker = (type) => (url) => new Promise((done) => {
    const it = new Worker(url, { type });
    it.onerror = it.onmessage = done;
    setTimeout(done, 1000);
  });
  const ways = {
    script: element('script', (src) => ({ src })),
    'module script': element('script', (src) => ({ src, type: 'module' })),
    stylesheet: element('link', (href) => ({ rel: 'stylesheet', href })),
    iframe: element('iframe', (src) => ({ src })),
    object: element('object', (data) => ({ data })),
    embed: element('embed', (src) => ({ src })),
    image: element('img', (src) => ({ src })),
    'import()': (url) => import(url).catch(() => undefined),
    worker: worker('classic'),
    'module worker': worker('module'),
    'service worker': (url) => navigator.serviceWorker.register(url).catch(() => undefined),
  };
  return Promise.all(urls.map(async (url) => {
    try { await ways[way](url); } catch { /* refused at once */ }
  }));
}
/** For each way, the kinds that run by it where they are what they say. */
const RUNS = {
  script: ['js'], 'module script': ['js', 'mjs'], stylesheet: ['css'], iframe: ['html', 'xhtml', 'svg'], object: ['html', 'xhtml', 'svg'],
  embed: ['html', 'xhtml', 'svg'], image: [], 'import()': ['js', 'mjs'], worker: ['js'], 'module worker': ['js', 'mjs'], 'service worker': ['js'],
};

/** The origin: /kind/N/name is that kind with the N-th type; /true/kind is what it says. `calls` are those home. */
async function startOrigin() {
  const calls = [], asked = new Set();
  let kinds = {};
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url, 'http://origin');
    if (pathname === '/home') calls.push(search.slice(1));
    const [, kind, number] = pathname.split('/');
    const [, type, body] = kinds[kind === 'true' ? number : kind] ?? ['', 'text/html', '<!doctype html><title>blank</title>'];
    const said = kinds[kind] ? TYPES[number] : type;
    if (kinds[kind]) asked.add(pathname);
    response.writeHead(200, { ...(said === undefined ? {} : { 'Content-Type': said }), 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  kinds = kindsOf(`${url}/home`);
  return { url, kinds, calls, asked, close: () => { server.closeAllConnections(); server.close(); } };
}

describe('bytes of others', { skip: isFake && 'the fake server fetches nothing', concurrency: false }, () => {
  let library, server, origin, browser, streams, raws;

  before(async () => {
    library = await tempFolder();
    origin = await startOrigin();
    const bodies = Object.entries(origin.kinds).map(([kind, [, , body]]) => [kind, body]);
    for (const [kind, body] of bodies) await put(`${kind} as film.mkv`, body);
    // A real film, with a page in what players pass over.
    const film = await readFile(await makeFilm(library, 'film.mp4', 2));
    const box = Buffer.from(`0000free${origin.kinds.html[2]}`);
    box.writeUInt32BE(box.length);
    origin.kinds.both = ['film.html', 'text/html', Buffer.concat([film, box])];
    await put('film with a page.mp4', origin.kinds.both[2]);
    server = await startServer({ library, settings: { 'torrent.enabled': 'false', 'fetch.allow': new URL(origin.url).host } });
    browser = await launch();
    streams = Object.entries(origin.kinds).flatMap(([kind, [name]]) =>
      TYPES.map((_, i) => `${server.url}/stream?url=${encodeURIComponent(`${origin.url}/${kind}/${i}/${name}`)}`));
    const files = await filesOf(server.url, bodies.length + 2);
    raws = files.map(({ id }) => `${server.url}/api/v1/files/${id}/raw`);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    origin?.close();
    await rm(library, { recursive: true, force: true });
  });

  async function put(name, body) {
    const path = join(library, name);
    await writeFile(path, body);
    const then = Date.now() / 1000 - 3600; // what has just changed is left alone for a while
    await utimes(path, then, then);
  }

  /** A page at this address; at /blank the server's origin has one that forbids nothing. */
  async function visit(address) {
    const context = await browser.newContext({ acceptDownloads: false });
    const page = await context.newPage();
    await page.route(`${server.url}/blank`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>blank</title>' }));
    await page.goto(address);
    origin.calls.length = 0;
    return { context, page };
  }

  /** Whatever was to call home has had the time. */
  async function settle(page) {
    await page.waitForTimeout(SETTLE_MS);
    await fetch(`${origin.url}/home?end`);
    return origin.calls.filter((call) => call !== 'end');
  }

  const traces = (page) => page.evaluate(async () => ({
    ran: globalThis.ran, style: getComputedStyle(document.body).getPropertyValue('--ran'),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
    frames: [...document.querySelectorAll('iframe, object, embed')].filter((it) => {
      try { return it.contentWindow?.ran !== undefined; } catch { return false; }
    }).length,
  }));
  const NOTHING = { ran: undefined, style: '', workers: 0, frames: 0 };

  test('all of these run at their own origin, so that it would be seen', async () => {
    const { context, page } = await visit(`${origin.url}/blank`);
    for (const [way, expected] of Object.entries(RUNS)) {
      origin.calls.length = 0;
      // A module that ran once does not run again, unless it has another address.
      await page.evaluate(tryAll, { way, urls: Object.keys(origin.kinds).map((kind) => `${origin.url}/true/${kind}?${way}`) });
      for (const kind of expected) await assertCalled(kind, way);
    }
    const { ran, style, workers, frames } = await traces(page);
    assert.ok(ran !== undefined && style.trim() === 'css' && workers > 0 && frames > 0, JSON.stringify({ ran, style, workers, frames }));
    await page.goto(`${origin.url}/true/both`);
    assert.equal(await page.evaluate(() => globalThis.ran), 'html', 'a film with a page in it');
    await context.close();
  });

  async function assertCalled(kind, way) {
    for (let tries = 0; tries < 100 && !origin.calls.includes(kind); tries++) await new Promise((done) => setTimeout(done, 50));
    assert.ok(origin.calls.includes(kind), `${kind} as ${way} does not run even where it is allowed to`);
  }

  /** A busy machine takes its time. */
  async function allAsked() {
    for (let tries = 0; tries < 200 && origin.asked.size < streams.length; tries++) await new Promise((done) => setTimeout(done, 50));
  }

  // What the page forbids, the other would let through: the plain form asks there alone.
  for (const [host, path] of Object.entries({ ...(isFull && { 'the page': '/settings' }), 'a page that forbids nothing': '/blank' })) {
    for (const way of Object.keys(RUNS)) {
      test(`nothing runs as ${way}, from ${host}`, async () => {
        const { context, page } = await visit(server.url + path);
        origin.asked.clear();
        await page.evaluate(tryAll, { way, urls: [...streams, ...raws] });
        if (path === '/blank') await allAsked();
        assert.deepEqual(await settle(page), [], 'something called home');
        assert.deepEqual(await traces(page), NOTHING);
        if (path === '/blank') assert.equal(origin.asked.size, streams.length, 'not all of them were asked for');
        await context.close();
      });
    }
  }

  test('nothing runs when it is opened as a page', async () => {
    const { context, page } = await visit('about:blank');
    for (const url of [...streams, ...raws]) {
      // What is a download is no page: that is as good.
      const response = await page.goto(url).catch((error) => { assert.match(error.message, /Download is starting|ERR_ABORTED/); });
      if (!response) continue;
      assert.match(await page.evaluate(() => document.contentType), /^((video|audio)\/|application\/problem\+json)/, url);
      assert.equal(await page.evaluate(() => globalThis.ran), undefined, url);
    }
    assert.deepEqual(await settle(page), [], 'something called home');
    await context.close();
  });

  test('and the bytes were there, as a type that runs nowhere', async () => {
    const answers = await Promise.all([...streams, ...raws].map((url) => fetch(url)));
    for (const { url, status, headers } of answers) {
      assert.equal(status, 200, url);
      assert.equal(headers.get('X-Content-Type-Options'), 'nosniff', url);
      assert.match(headers.get('Content-Type'), /^(video\/(mp4|x-matroska)|application\/octet-stream)$/, url);
      assert.match(headers.get('Content-Security-Policy'), /sandbox/, url);
    }
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    assert.equal(texts.filter((text) => text.includes(origin.url)).length, streams.length + raws.length - 1); // one is but a film
  });
});
