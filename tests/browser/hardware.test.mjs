// SPDX-License-Identifier: GPL-3.0-or-later
// A device that encodes, and fails in the middle of a film: the page goes on with x264 where it was. The
// device is made up (segments/device.h): what stands in its file is what it does.
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeFilm } from './films.mjs';
import { filesOf, isFake, launch, openPage, seek, startServer, tempFolder, unexpected, untilMoving } from './harness.mjs';

const SECONDS = 120;
const FAR = 90; // further than anything is made ahead

/** Which rendition of the picture each request for a segment was for. */
const renditionOf = (url) => /\/(video-[^/]+)\/\d+\.m4s/.exec(url)?.[1];

describe('a device that encodes', { skip: isFake }, () => {
  let library, devices, device, server, browser, file;

  before(async () => {
    [library, devices] = [await tempFolder(), await tempFolder()];
    device = join(devices, 'device');
    await writeFile(device, '');
    await makeFilm(library, 'Device (2001).mkv', SECONDS, { converted: true });
    server = await startServer({ library, settings: { 'media.hardware': `fake:${device}` } });
    browser = await launch();
    [file] = await filesOf(server.url, 1);
    for (let tries = 0; tries < 100; tries++) {
      const { hardware } = await (await fetch(`${server.url}/api/v1/status`)).json();
      if (/libx264 on/.test(hardware)) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error('the device was not found');
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    for (const folder of [library, devices]) await rm(folder, { recursive: true, force: true });
  });

  test('plays, and when it fails the film goes on with x264', async () => {
    const { page, errors, close } = await openPage(browser);
    const asked = [];
    page.on('request', (request) => asked.push(renditionOf(request.url())));
    try {
      await page.goto(`${server.url}/watch/${file.id}?t=0`);
      await untilMoving(page);
      const before = asked.filter(Boolean);
      assert.ok(before.length > 0 && before.every((name) => name.endsWith('-gpu')), before.join(', '));
      await writeFile(device, 'frame 20');
      await seek(page, FAR);
      await untilMoving(page, { from: FAR, to: FAR + 20, timeout: 30_000 });
      assert.ok(!asked.filter(Boolean).at(-1).endsWith('-gpu'), asked.filter(Boolean).join(', '));
      assert.equal(await page.locator('.failure').count(), 0);
      assert.deepEqual(unexpected(errors), [], 'the console has errors');
    } finally {
      await close();
    }
  });
});
