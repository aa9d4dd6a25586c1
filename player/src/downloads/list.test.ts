// SPDX-License-Identifier: GPL-3.0-or-later
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { status } from '../store';
import { add, change, forget, listProblem, remove, rows, watchDownloads } from './list';
import { download, FakeStream } from './testing';

const ids = () => rows.value?.map((row) => row.value.id);
const settle = () => vi.advanceTimersByTimeAsync(0);

let leaving: AbortController;
let answer: (method: string, path: string) => Response | Promise<Response>;
const stream = (): FakeStream => {
  if (!FakeStream.now) throw new Error('no stream was opened');
  return FakeStream.now;
};
const page = (...items: unknown[]) => Response.json({ items, next: null });

beforeEach(() => {
  vi.useFakeTimers();
  status.value = { version: '1', setup_required: false, auth: 'none', sign_in: [], providers: [], registration: 'closed', features: {}, sandbox: [] };
  leaving = new AbortController();
  answer = () => page();
  FakeStream.now = undefined;
  FakeStream.opened = 0;
  vi.stubGlobal('EventSource', FakeStream);
  vi.stubGlobal('fetch', vi.fn((path: string, { method }: RequestInit) => Promise.resolve(answer(method ?? '', path))));
  forget();
});
afterEach(() => {
  leaving.abort();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('the list', () => {
  test('is what the server answers, the newest first, and then what it tells', async () => {
    answer = () => page(download('a'), download('bb'));
    watchDownloads(leaving.signal);
    await settle();
    expect(ids()).toEqual(['bb', 'a']);
    stream().is(download('a', { progress: 0.5 }));
    stream().is(download('bb'));
    stream().is(download('ccc'));
    stream().say('live');
    expect(ids()).toEqual(['ccc', 'bb', 'a']);
    expect(rows.value?.[2]?.value.progress).toBe(0.5);
    stream().gone('bb');
    expect(ids()).toEqual(['ccc', 'a']);
  });

  test('news of one draw the list no new', async () => {
    answer = () => page(download('a'));
    watchDownloads(leaving.signal);
    await settle();
    const before = rows.value;
    stream().is(download('a', { progress: 0.9 }));
    expect(rows.value).toBe(before);
  });

  test('an answer that is older than the news changes nothing', async () => {
    const late: ((response: Response) => void)[] = [];
    answer = () => new Promise<Response>((done) => late.push(done));
    watchDownloads(leaving.signal);
    await settle();
    stream().is(download('a'));
    stream().say('live');
    late[0]?.(page(download('a', { progress: 0 }), download('bb')));
    await settle();
    expect(ids()).toEqual(['a']);
    expect(rows.value?.[0]?.value.progress).toBe(0.43);
  });

  test('what is not among the states before `live` has gone, also after a reset', async () => {
    answer = () => page(download('a'), download('bb'));
    watchDownloads(leaving.signal);
    await settle();
    stream().is(download('bb'));
    stream().say('live');
    expect(ids()).toEqual(['bb']);
    stream().say('reset');
    stream().is(download('ccc'));
    stream().say('live');
    expect(ids()).toEqual(['ccc']);
  });

  test('says what is wrong while nothing is heard, and opens the stream anew when it was refused', async () => {
    answer = () => page(download('a'));
    watchDownloads(leaving.signal);
    await settle();
    answer = () => Promise.reject(new TypeError('Failed to fetch'));
    stream().fail(true);
    await settle();
    expect(listProblem.value?.status).toBe(0);
    expect(ids()).toEqual(['a']);
    answer = () => page(download('a'));
    await vi.advanceTimersByTimeAsync(3000);
    expect(FakeStream.opened).toBe(2);
    stream().dispatchEvent(new Event('open'));
    await settle();
    expect(listProblem.value).toBeUndefined();
  });

  test('asks again and again where there are no news', async () => {
    status.value = { version: '1', setup_required: false, auth: 'none', sign_in: [], providers: [], registration: 'closed', features: { events: false }, sandbox: [] };
    watchDownloads(leaving.signal);
    await settle();
    expect(ids()).toEqual([]);
    answer = () => page(download('a'));
    await vi.advanceTimersByTimeAsync(2000);
    expect(ids()).toEqual(['a']);
    expect(FakeStream.opened).toBe(0);
  });

  test('ends with the page: no stream, no timer', async () => {
    watchDownloads(leaving.signal);
    await settle();
    const { now } = FakeStream;
    now?.fail(true);
    leaving.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(now?.readyState).toBe(FakeStream.CLOSED);
    expect(FakeStream.opened).toBe(1);
  });
});

describe('what is asked for', () => {
  test('a magnet that is here already is said to be', async () => {
    answer = (method) => (method === 'POST' ? Response.json(download('a')) : page());
    expect((await add({ magnet: 'magnet:' })).wasHere).toBe(false);
    expect((await add({ magnet: 'magnet:' })).wasHere).toBe(true);
    expect(ids()).toEqual(['a']);
  });

  test('a change shows when the server has answered', async () => {
    answer = (method) => (method === 'PATCH' ? Response.json(download('a', { state: 'paused' })) : page(download('a')));
    watchDownloads(leaving.signal);
    await settle();
    await change('a', { state: 'paused' });
    expect(rows.value?.[0]?.value.state).toBe('paused');
  });

  test('what was removed stays away, whatever late news say; who was first does not matter', async () => {
    answer = (method) => (method === 'DELETE' ? new Response(null, { status: 404 }) : page(download('zz')));
    watchDownloads(leaving.signal);
    await settle();
    await remove('zz');
    stream().is(download('zz'));
    expect(ids()).toEqual([]);
  });
});
