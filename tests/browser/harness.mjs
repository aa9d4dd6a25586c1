// SPDX-License-Identifier: GPL-3.0-or-later
// What the browser tests share: a server of their own, a browser, and questions to the player.
// MATINEE_BIN is the server to test; without it the fake one is. MATINEE_BUILD is the build folder
// (for playwright-core, axe-core and the built page). FULL=1 takes real waits instead of short ones.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const build = resolve(process.env.MATINEE_BUILD ?? fileURLToPath(new URL('../../build', import.meta.url)));
const require = createRequire(join(build, 'player-src', 'package.json'));
const { chromium } = require('playwright-core');
const AXE = require.resolve('axe-core/axe.min.js');
const FAKE = fileURLToPath(new URL('../fakes/hls-server.mjs', import.meta.url));

export const isFull = process.env.FULL === '1';
export const isFake = !process.env.MATINEE_BIN;
export const playerFolder = join(build, 'player');

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];

const SPIN_US = 60_000;
const MOST_PATIENCE = 6;

/**
 * Limits of time are for a machine to itself. A busy one is given more, in proportion: this is how much
 * longer than its own computing time a short piece of work takes now; never under 1.
 */
export function patience() {
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  const used = () => { const { user, system } = process.cpuUsage(cpu); return user + system; };
  while (used() < SPIN_US);
  const passed = Number(process.hrtime.bigint() - wall) / 1000;
  return Math.min(MOST_PATIENCE, Math.max(1, passed / used()));
}

export const tempFolder = () => mkdtemp(join(tmpdir(), 'matinee-browser-'));

/** What a server inherits: nothing that is meant for the tests. */
const environment = () => isFake
  ? { ...process.env, MATINEE_PLAYER: playerFolder }
  : Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MATINEE_')));

/** Starts a server and waits for its start line. `stop()` ends it and removes its data. */
export async function startServer({ library, auth = 'none', settings = {} }) {
  const data = await tempFolder();
  const command = isFake ? [process.execPath, FAKE] : [process.env.MATINEE_BIN];
  const args = [...command.slice(1), 'serve', '--data', data, '--library', library, '--listen', '127.0.0.1:0', '--auth', auth];
  if (!isFake) args.push(...Object.entries({ 'http.page': playerFolder, 'media.cores': 1000, ...settings }).flatMap(([name, value]) => ['--set', `${name}=${value}`]));
  const child = spawn(command[0], args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('exit', done));
  const url = await new Promise((done, fail) => {
    ended.then(() => fail(new Error('the server ended before it listened')));
    createInterface(child.stdout).on('line', (line) => {
      const found = /listening on (http:\S+)/.exec(line);
      if (found) done(found[1].replace(/\/$/, ''));
    });
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  return { url, data, stop };
}

/** The files of the library, once all have been looked at. */
export async function filesOf(url, count) {
  for (let tries = 0; tries < 300; tries++) {
    const page = await (await fetch(`${url}/api/v1/library?limit=200`)).json();
    const files = page.items.flatMap(({ files: list }) => list);
    if (files.length >= count && files.every(({ state }) => state !== 'waiting')) return files;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error('the library was not looked at in a minute');
}

export const launch = (extra = []) => chromium.launch({ executablePath: '/usr/bin/chromium', args: [...FLAGS, ...extra] });

/** A page in a context of its own; what it writes to the console as an error is collected. */
export async function openPage(browser, { width = 1280, height = 720, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  return { page, errors, close: () => context.close() };
}

/** Refusals that a test ordered are errors in the console, whatever the page does about them. */
export const unexpected = (errors) => errors.filter((text) => !/Failed to load resource|net::ERR_/.test(text));

export const videoState = (page) => page.evaluate(() => {
  const video = document.querySelector('video');
  return { time: video.currentTime, paused: video.paused, ended: video.ended, duration: video.duration, readyState: video.readyState, height: video.videoHeight };
});

/** Waits until the picture moves: `frames` new frames have been shown. Answers how long that took. */
export async function untilMoving(page, { frames = 5, from = 0, to = Infinity, timeout = 15_000 } = {}) {
  const started = Date.now();
  await page.waitForFunction(() => document.querySelector('video') !== null, undefined, { timeout });
  await page.evaluate(({ frames: wanted, from: low, to: high, timeout: limit }) => new Promise((done, fail) => {
    const video = document.querySelector('video');
    let seen = 0;
    const timer = setTimeout(() => {
      const panel = document.querySelector('.failure')?.textContent ?? '';
      fail(new Error(`no moving picture in ${limit} ms: at ${video.currentTime}, readyState ${video.readyState}, paused ${video.paused} ${panel}`));
    }, limit);
    const next = (_, { mediaTime }) => {
      const inside = video.currentTime >= low - 0.5 && video.currentTime <= high && !Number.isNaN(mediaTime);
      seen += inside && !video.seeking ? 1 : 0;
      if (seen < wanted) return video.requestVideoFrameCallback(next);
      clearTimeout(timer);
      return done();
    };
    video.requestVideoFrameCallback(next);
  }), { frames, from, to: Number.isFinite(to) ? to : 1e9, timeout });
  return Date.now() - started;
}

/** Notes the longest time between two shown frames while `act` runs and for `afterMs` more. */
export async function longestGap(page, act, afterMs) {
  await page.evaluate(() => {
    const video = document.querySelector('video');
    const gap = (window.frameGap = { longest: 0, last: performance.now(), on: true });
    const next = (now) => {
      if (!gap.on) return;
      gap.longest = Math.max(gap.longest, now - gap.last);
      gap.last = now;
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  });
  await act();
  await page.waitForTimeout(afterMs);
  return page.evaluate(() => {
    const gap = window.frameGap;
    gap.on = false;
    return Math.max(gap.longest, performance.now() - gap.last);
  });
}

export const seek = (page, seconds) => page.evaluate((to) => { document.querySelector('video').currentTime = to; }, seconds);

/** Shows the controls, as a hand on the mouse would. */
export async function wake(page) {
  await page.mouse.move(300, 200);
  await page.mouse.move(310, 210);
}

/** Opens a menu of the player and chooses the item whose words match. */
export async function choose(page, menu, item) {
  await wake(page);
  await page.getByRole('button', { name: menu, exact: true }).click();
  await page.getByRole('menuitemradio', { name: item }).first().click();
}

export async function axe(page) {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join(' | ')}`);
}
