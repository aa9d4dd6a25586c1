// SPDX-License-Identifier: GPL-3.0-or-later
import { afterEach, describe, expect, test, vi } from 'vitest';
import { getStatus, Problem, signIn, startPlayback } from './api';

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(body === undefined ? null : JSON.stringify(body), { status, headers }))));
afterEach(() => vi.unstubAllGlobals());

const problem = (call: Promise<unknown>) => call.then(() => undefined, (error: unknown) => (error instanceof Problem ? error : undefined));

describe('a refusal', () => {
  test('brings the server’s words and field', async () => {
    answer(422, { type: 'about:blank', title: 'Unprocessable', status: 422, detail: 'Too short.', field: 'password' }, { 'Content-Type': 'application/problem+json' });
    expect(await problem(signIn({ username: 'a', password: 'b' }))).toMatchObject({ status: 422, words: 'Too short.', field: 'password' });
  });

  test('says when to come again', async () => {
    answer(429, {}, { 'Content-Type': 'application/problem+json', 'Retry-After': '30' });
    expect(await problem(signIn({ username: 'a', password: 'b' }))).toMatchObject({ status: 429, retryAfterSeconds: 30 });
  });

  test('is status 0 where nothing answers', async () => {
    vi.stubGlobal('fetch', vi.fn(() => Promise.reject(new TypeError('Failed to fetch'))));
    expect(await problem(getStatus())).toMatchObject({ status: 0 });
  });

  test('does not break on HTML', async () => {
    answer(502, '<html>', { 'Content-Type': 'text/html' });
    expect(await problem(getStatus())).toMatchObject({ status: 502, words: '' });
  });
});

test('leaving a page is not a problem', async () => {
  const leaving = new AbortController();
  vi.stubGlobal('fetch', vi.fn((_: string, { signal }: RequestInit) => new Promise((_done, fail) => {
    signal?.addEventListener('abort', () => fail(new DOMException('left', 'AbortError')));
  })));
  const call = startPlayback({ file: 'f' }, leaving.signal);
  leaving.abort();
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
});
