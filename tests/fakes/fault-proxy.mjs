// SPDX-License-Identifier: GPL-3.0-or-later
// Stands between the page and any server, and breaks what it is told to. The browser's Host header is
// passed on, so the server sees one origin.
// Life: startProxy() -> rules are set and taken back while it runs -> close().
//
// A rule is { match, fault, forMs, ... }: `match` is a RegExp on path and query; the clock of `forMs`
// starts with the first request that matches, and after it everything passes.
//   hold       nothing is sent until the time is over (or for `atMostMs` of it, then 503); X-Hold-Ms tells
//   status     `status` (default 503) with a problem document
//   reset      the connection is reset before a byte
//   cut        half of the body, then the connection breaks
//   short      half of the body as if it were all
//   late-body  headers at once, the body when the time is over
//   styp       headers and a styp box at once, the rest when the time is over
//   heartbeat  the same, with a free box every `everyMs`
//   trickle    the body in small pieces over `overMs`; for every request while the rule stands
//   pace       the body by moof+mdat, one every `everyMs`, the first wait told by X-Hold-Ms; for every
//              request while the rule stands
import { createServer, request as ask } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { boxes } from './boxes.mjs';

const STYP = Buffer.from('00000018737479706d736468000000006d7364686d736978', 'hex');
const FREE = Buffer.from('0000000866726565', 'hex');
const LONGEST_MS = 600_000; // timers know no infinity
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

function forward(incoming, target) {
  return new Promise((resolve, reject) => {
    const outgoing = ask({ host: target.hostname, port: target.port, method: incoming.method, path: incoming.url, headers: incoming.headers }, resolve);
    outgoing.on('error', reject);
    incoming.on('aborted', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const kept = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.has(name)));

function refuse(response, status) {
  const words = { 403: 'This film is not for you.', 404: 'There is no such segment.', 410: 'The playback has ended.', 500: 'The encoder failed: test.', 502: 'This part of the file is damaged: test.' };
  const detail = words[status] ?? 'Not yet.';
  response.writeHead(status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', 'Retry-After': '1' });
  response.end(JSON.stringify({ type: 'about:blank', title: detail, status, detail }));
}

const sleepUntil = async (time) => {
  const left = Math.min(time - Date.now(), LONGEST_MS);
  if (left > 0) await wait(left);
};

/** Each fault gets what the server answered (`take` asks it) and when it is over. */
const faults = {
  async hold({ rule, take, response, until, asked }) {
    const end = Math.min(until, asked + (rule.atMostMs ?? Infinity));
    await sleepUntil(end);
    if (end < until) return refuse(response, 503);
    const { status, headers, body } = await take();
    response.writeHead(status, { ...headers, 'Content-Length': body.length, 'X-Hold-Ms': String(Date.now() - asked) }).end(body);
  },
  status: ({ rule, response }) => refuse(response, rule.status ?? 503),
  reset: ({ response }) => response.socket.resetAndDestroy(),
  async cut({ take, response }) {
    const { status, headers, body } = await take();
    response.writeHead(status, headers).write(body.subarray(0, body.length / 2));
    await wait(50);
    response.destroy();
  },
  async short({ take, response }) {
    const { status, headers, body } = await take();
    const half = body.subarray(0, body.length / 2);
    response.writeHead(status, { ...headers, 'Content-Length': half.length }).end(half);
  },
  'late-body': (context) => begin(context, false),
  styp: (context) => begin(context, true),
  heartbeat: (context) => begin(context, true),
  async trickle({ rule, take, response }) {
    const { status, headers, body } = await take();
    response.writeHead(status, headers);
    const pieces = 30;
    for (let i = 0; i < pieces && !response.destroyed; i++) {
      response.write(body.subarray((body.length * i) / pieces, (body.length * (i + 1)) / pieces));
      await wait(rule.overMs / pieces);
    }
    response.end();
  },
  async pace({ rule, take, response, asked }) {
    const { status, headers, body } = await take();
    let held = Buffer.alloc(0);
    for (const { type, bytes } of boxes(body)) {
      held = Buffer.concat([held, bytes]);
      if (type !== 'mdat') continue;
      await wait(rule.everyMs);
      if (!response.headersSent) response.writeHead(status, { ...headers, 'X-Hold-Ms': String(Date.now() - asked) });
      response.write(held);
      held = Buffer.alloc(0);
    }
    response.end(held);
  },
};

async function begin({ rule, take, response, until }, withStyp) {
  const { status, headers, body } = await take();
  response.writeHead(status, headers);
  response.flushHeaders();
  if (withStyp) response.write(STYP);
  while (rule.everyMs && Date.now() + rule.everyMs < until) {
    await wait(rule.everyMs);
    response.write(FREE);
  }
  await sleepUntil(until);
  const [first] = boxes(body);
  response.end(withStyp && first?.type === 'styp' ? body.subarray(first.bytes.length) : body);
}

const ENDLESS = new Set(['trickle', 'pace']);

export async function startProxy(targetUrl) {
  const target = new URL(targetUrl);
  const state = { rules: [], log: [] };

  const handle = async (request, response) => {
    const asked = Date.now();
    const entry = { url: request.url, at: asked, fault: undefined };
    state.log.push(entry);
    const rule = state.rules.find(({ match }) => match.test(request.url));
    if (rule) rule.first ??= asked;
    const until = rule ? rule.first + (rule.forMs ?? Infinity) : 0;
    const active = rule !== undefined && (ENDLESS.has(rule.fault) || asked < until);
    if (!active) {
      const answer = await forward(request, target);
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      response.on('close', () => answer.destroy());
      return;
    }
    entry.fault = rule.fault;
    const take = async () => {
      delete request.headers.range; // what is broken is no longer the part that was asked for
      const answer = await forward(request, target);
      return { status: answer.statusCode, headers: kept(answer.headers), body: await all(answer) };
    };
    await faults[rule.fault]({ rule, take, response, until, asked });
  };

  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  server.unref(); // a test that failed may have left it open
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    state,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
