// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Link } from '../api';
import { Live } from '../parts/live';
import { me, status } from '../store';
import { Downloads } from './downloads';
import { forgetLinks } from './links';
import { forget } from './list';
import { FakeStream, link } from './testing';

const WHAT = 'Magnet link or web address';

let asked: Array<{ method: string; path: string; body: unknown }>;
let items: Link[];
let answers: Partial<Record<string, () => Response | Promise<Response>>>;

const refusal = (code: number, detail: string) =>
  new Response(JSON.stringify({ detail, field: 'url', status: code, title: '', type: 'about:blank' }), { status: code, headers: { 'Content-Type': 'application/problem+json' } });

beforeEach(() => {
  status.value = { version: '1', setup_required: false, auth: 'none', sign_in: [], providers: [], registration: 'closed', features: {}, sandbox: [] };
  me.value = undefined;
  asked = [];
  items = [];
  answers = {};
  forget();
  forgetLinks();
  history.replaceState(null, '', '/downloads');
  vi.stubGlobal('EventSource', FakeStream);
  vi.stubGlobal('scrollTo', () => undefined);
  vi.stubGlobal('fetch', vi.fn((path: string, { method = '', body }: RequestInit) => {
    if (!path.includes('/links')) return Promise.resolve(Response.json({ items: [], next: null }));
    if (method !== 'GET') asked.push({ method, path, body: typeof body === 'string' ? JSON.parse(body) : body });
    return Promise.resolve(answers[method]?.() ?? Response.json({ items, next: null }));
  }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = () => render(<LocationProvider><Downloads /><Live /></LocationProvider>);
const submit = async (text: string) => {
  fireEvent.input(await screen.findByLabelText(WHAT), { target: { value: text } });
  fireEvent.click(screen.getByRole('button', { name: 'Play' }));
};

describe('the address of a video', () => {
  test('leads straight to the player, and is in the list afterwards', async () => {
    let isThere: (answer: Response) => void = () => undefined;
    answers['POST'] = () => new Promise((done) => { isThere = done; });
    open();
    await submit(' https://films.example:8443/a.mp4 ');
    expect(screen.getByRole('button', { name: 'Looking at it…' }).getAttribute('aria-disabled')).toBe('true');
    isThere(Response.json(link('a'), { status: 201 }));
    await vi.waitFor(() => expect(location.pathname).toBe('/watch/f-a'));
    expect(asked).toEqual([{ method: 'POST', path: '/api/v1/links', body: { url: 'https://films.example:8443/a.mp4' } }]);
    expect(screen.getByRole('listitem', { name: 'a.mp4' })).toBeTruthy();
  });

  test('that was there is there once, and first', async () => {
    items = [link('b'), link('a')];
    answers['POST'] = () => Response.json(link('a'));
    open();
    await screen.findByRole('listitem', { name: 'a.mp4' });
    await submit('https://films.example:8443/a.mp4');
    await vi.waitFor(() => expect(location.pathname).toBe('/watch/f-a'));
    expect(screen.getAllByRole('listitem').map((row) => row.querySelector('h3')?.textContent)).toEqual(['a.mp4', 'b.mp4']);
  });

  test('that is no video: the server’s words at the field, which keeps what was typed', async () => {
    answers['POST'] = () => refusal(422, 'it is a page (text/html), no video');
    open();
    await submit('https://films.example/page');
    const field = screen.getByLabelText<HTMLInputElement>(WHAT);
    await vi.waitFor(() => expect(field.getAttribute('aria-invalid')).toBe('true'));
    expect(document.getElementById(field.getAttribute('aria-describedby') ?? '')?.textContent).toBe('it is a page (text/html), no video');
    expect(field.value).toBe('https://films.example/page');
    expect(location.pathname).toBe('/downloads');
    expect(screen.getByRole('button', { name: 'Play' }).getAttribute('aria-disabled')).toBe('false');
  });
});

describe('recent links', () => {
  test('are not spoken of where there are none', async () => {
    open();
    await screen.findByText('No downloads yet');
    expect(screen.queryByRole('region', { name: 'Recent links' })).toBeNull();
    cleanup();
    answers['GET'] = () => refusal(404, 'there is no such route');
    open();
    await screen.findByText('No downloads yet');
    expect(screen.queryByRole('region', { name: 'Recent links' })).toBeNull();
  });

  test('say what they are and where, and lead to the player', async () => {
    items = [link('a'), link('b', { name: '' })];
    open();
    const row = await screen.findByRole('listitem', { name: 'a.mp4' });
    expect(row.querySelector('.facts')?.textContent).toBe('films.example:8443');
    expect(within(row).getByRole('link', { name: /Play.* a.mp4/ }).getAttribute('href')).toBe('/watch/f-a');
    expect(screen.getByRole('listitem', { name: 'films.example:8443' })).toBeTruthy();
  });

  test('are removed, and the focus is not lost', async () => {
    items = [link('a'), link('b')];
    answers['DELETE'] = () => new Response(null, { status: 204 });
    open();
    fireEvent.click(await screen.findByRole('button', { name: /Remove.* a.mp4/ }));
    await vi.waitFor(() => expect(screen.queryByRole('listitem', { name: 'a.mp4' })).toBeNull());
    expect(asked).toEqual([{ method: 'DELETE', path: '/api/v1/links/a', body: undefined }]);
    expect(document.activeElement?.id).toBe('main');
    expect(screen.getByText('a.mp4 has been removed')).toBeTruthy();
    answers['DELETE'] = () => refusal(404, 'there is no such link');
    fireEvent.click(screen.getByRole('button', { name: /Remove.* b.mp4/ }));
    await vi.waitFor(() => expect(screen.queryByRole('region', { name: 'Recent links' })).toBeNull());
  });

  test('that cannot be removed say why', async () => {
    items = [link('a')];
    answers['DELETE'] = () => refusal(500, 'the disk is full');
    open();
    fireEvent.click(await screen.findByRole('button', { name: /Remove.* a.mp4/ }));
    expect((await screen.findByRole('alert')).textContent).toBe('the disk is full');
    expect(screen.getByRole('listitem', { name: 'a.mp4' })).toBeTruthy();
  });

  test('that cannot be had say why', async () => {
    answers['GET'] = () => refusal(500, 'the disk is full');
    open();
    expect((await screen.findByRole('alert')).textContent).toBe('the disk is full');
  });

  test('of very many, the first, and more when asked for', async () => {
    items = Array.from({ length: 20 }, (_, i) => link(`n${i}`));
    open();
    fireEvent.click(await screen.findByRole('button', { name: 'Show 12 more links' }));
    expect(screen.getAllByRole('listitem')).toHaveLength(20);
    expect(screen.queryByRole('button', { name: /more/ })).toBeNull();
  });

  test('are everybody’s own: those who are no admins open, watch and remove them', async () => {
    status.value = { version: '1', setup_required: false, auth: 'accounts', sign_in: [], providers: [], registration: 'closed', features: {}, sandbox: [] };
    me.value = { id: 'u2', username: 'bo', role: 'member' };
    items = [link('a')];
    open();
    const row = await screen.findByRole('listitem', { name: 'a.mp4' });
    expect(within(row).getByRole('link', { name: /Play/ })).toBeTruthy();
    expect(within(row).getByRole('button', { name: /Remove/ })).toBeTruthy();
    expect(screen.queryByLabelText(/torrent/)).toBeNull();
    const field = screen.getByLabelText('Web address of a video');
    fireEvent.input(field, { target: { value: 'playtime' } });
    fireEvent.click(screen.getByRole('button', { name: 'Play' }));
    expect((await screen.findAllByText(/This is no web address/)).length).toBeGreaterThan(0);
    answers['POST'] = () => Response.json(link('b'), { status: 201 });
    fireEvent.input(field, { target: { value: 'https://films.example:8443/b.mp4' } });
    fireEvent.click(screen.getByRole('button', { name: 'Play' }));
    await vi.waitFor(() => expect(location.pathname).toBe('/watch/f-b'));
  });

  test('of somebody else are not shown', async () => {
    items = [link('a')];
    open();
    await screen.findByRole('listitem', { name: 'a.mp4' });
    cleanup();
    me.value = { id: 'u3', username: 'cy', role: 'member' };
    answers['GET'] = () => new Promise(() => undefined);
    open();
    await screen.findByText('No downloads yet');
    expect(screen.queryByRole('listitem', { name: 'a.mp4' })).toBeNull();
  });
});
