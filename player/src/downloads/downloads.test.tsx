// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Download } from '../api';
import { Live } from '../parts/live';
import { me, status } from '../store';
import { Downloads } from './downloads';
import { forget } from './list';
import { download, file, FakeStream } from './testing';

const WHAT = 'Magnet link or web address';

interface Asked { method: string; path: string; body: unknown; type: string | null }

let asked: Asked[];
let items: Download[];
let answers: Partial<Record<string, () => Response>>;

const refusal = (code: number, detail: string) =>
  new Response(JSON.stringify({ detail, status: code, title: '', type: 'about:blank' }), { status: code, headers: { 'Content-Type': 'application/problem+json' } });

beforeEach(() => {
  status.value = { version: '1', setup_required: false, auth: 'none', sign_in: [], providers: [], registration: 'closed', features: {}, sandbox: [] };
  me.value = undefined;
  asked = [];
  items = [];
  answers = {};
  forget();
  vi.stubGlobal('EventSource', FakeStream);
  vi.stubGlobal('fetch', vi.fn((path: string, { method = '', body, headers }: RequestInit) => {
    if (method !== 'GET') asked.push({ method, path, body: typeof body === 'string' ? JSON.parse(body) : body, type: new Headers(headers).get('Content-Type') });
    const given = method === 'GET' && path.endsWith('/links') ? Response.json({ items: [], next: null }) : answers[method]?.();
    return Promise.resolve(given ?? Response.json({ items, next: null }));
  }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = () => render(<LocationProvider><Downloads /><Live /></LocationProvider>);
const guest = () => {
  status.value = { version: '1', setup_required: false, auth: 'accounts', sign_in: [], providers: [], registration: 'closed', features: {}, sandbox: [] };
  me.value = { id: 'u2', username: 'bo', role: 'member' };
};

describe('a download', () => {
  test('shows how far it is, in words and as a bar, and leads to the player', async () => {
    items = [download('a')];
    open();
    const row = await screen.findByRole('listitem', { name: 'Film a' });
    expect(row.querySelector('.facts')?.textContent).toBe('Downloading43 %602 MB of 1.4 GB2.1 MB/s12 peers6 min left');
    const [bar] = within(row).getAllByRole('progressbar');
    expect(bar?.getAttribute('aria-valuenow')).toBe('43');
    expect(bar?.getAttribute('aria-valuetext')).toContain('43 %');
    expect(within(row).getByRole('link', { name: /Play/ }).getAttribute('href')).toBe('/watch/f-a.mkv');
    expect(row.querySelector('details')?.open).toBe(false);
  });

  test('moves by news, and its end is spoken', async () => {
    items = [download('a')];
    open();
    const row = await screen.findByRole('listitem', { name: 'Film a' });
    FakeStream.now?.is(download('a', { progress: 0.61 }));
    expect(await within(row).findByText('61 %')).toBeTruthy();
    FakeStream.now?.is(download('a', { state: 'complete', progress: 1 }));
    expect(await screen.findByText('Film a is complete')).toBeTruthy();
  });

  test('has a bar without a share before its files are known, and a reason', async () => {
    items = [download('a', { name: '', state: 'metadata', files: [], size: 0, progress: 0, reason: 'no peer has been found' })];
    open();
    const row = await screen.findByRole('listitem', { name: 'a'.repeat(40) });
    expect(within(row).getByRole('progressbar').hasAttribute('aria-valuenow')).toBe(false);
    expect(within(row).getByText('no peer has been found')).toBeTruthy();
    expect(within(row).queryByRole('link')).toBeNull();
  });

  test('pauses when the server has answered, and goes on', async () => {
    items = [download('a')];
    answers['PATCH'] = () => Response.json(download('a', { state: 'paused' }));
    open();
    fireEvent.click(await screen.findByRole('button', { name: 'Pause Film a' }));
    expect(await screen.findByRole('button', { name: 'Go on Film a' })).toBeTruthy();
    expect(asked).toMatchObject([{ method: 'PATCH', path: '/api/v1/downloads/a', body: { state: 'paused' } }]);
    answers['PATCH'] = () => Response.json(download('a'));
    fireEvent.click(screen.getByRole('button', { name: 'Go on Film a' }));
    expect(await screen.findByRole('button', { name: 'Pause Film a' })).toBeTruthy();
  });

  test('is put before others, and stays where it was when the server refuses', async () => {
    items = [download('a')];
    answers['PATCH'] = () => Response.json(download('a', { priority: 'high' }));
    open();
    const order = await screen.findByRole<HTMLSelectElement>('combobox', { name: 'Order of Film a' });
    fireEvent.change(order, { target: { value: 'high' } });
    await vi.waitFor(() => expect(asked).toMatchObject([{ method: 'PATCH', path: '/api/v1/downloads/a', body: { priority: 'high' } }]));
    expect(order.value).toBe('high');
    answers['PATCH'] = () => refusal(500, 'the disk is full');
    fireEvent.change(order, { target: { value: 'low' } });
    expect((await screen.findByRole('alert')).textContent).toBe('the disk is full');
    expect(order.value).toBe('high');
  });

  test('has no order where it is fetched by its address, or is whole', async () => {
    items = [download('a', { hash: '' }), download('b', { state: 'complete', progress: 1 })];
    open();
    await screen.findByRole('listitem', { name: 'Film a' });
    expect(screen.queryByRole('combobox')).toBeNull();
  });

  test('that is whole leaves the library only if one says so', async () => {
    items = [download('a', { state: 'complete', progress: 1 })];
    answers['DELETE'] = () => new Response(null, { status: 204 });
    open();
    fireEvent.click(await screen.findByRole('button', { name: /Remove Film a/ }));
    const dialog = screen.getByRole('dialog', { name: 'Remove this download?' });
    const tick = within(dialog).getByRole<HTMLInputElement>('checkbox', { name: /out of the library/ });
    expect(tick.checked).toBe(false);
    fireEvent.click(tick);
    fireEvent.click(within(dialog).getByRole('button', { name: 'Remove' }));
    await vi.waitFor(() => expect(asked).toMatchObject([{ method: 'DELETE', path: '/api/v1/downloads/a?files=true' }]));
  });

  test('says why it cannot be paused', async () => {
    items = [download('a')];
    answers['PATCH'] = () => refusal(500, 'the disk is full');
    open();
    fireEvent.click(await screen.findByRole('button', { name: 'Pause Film a' }));
    expect((await screen.findByRole('alert')).textContent).toBe('the disk is full');
  });

  test('is removed after a question, and kept if one likes', async () => {
    items = [download('a')];
    answers['DELETE'] = () => new Response(null, { status: 204 });
    open();
    fireEvent.click(await screen.findByRole('button', { name: /Remove Film a/ }));
    fireEvent.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Keep it' }));
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(asked).toEqual([]);
    fireEvent.click(screen.getByRole('button', { name: /Remove Film a/ }));
    fireEvent.click(within(screen.getByRole('dialog', { name: 'Remove this download?' })).getByRole('button', { name: 'Remove' }));
    expect(await screen.findByText('No downloads yet')).toBeTruthy();
    expect(asked).toMatchObject([{ method: 'DELETE', path: '/api/v1/downloads/a' }]);
    await vi.waitFor(() => expect(document.activeElement?.id).toBe('main'));
  });

  test('that failed says why, and cannot be played or paused', async () => {
    items = [download('a', { state: 'failed', reason: 'the disk failed' })];
    open();
    const row = await screen.findByRole('listitem', { name: 'Film a' });
    expect(within(row).getByText('the disk failed')).toBeTruthy();
    expect(within(row).queryByRole('link')).toBeNull();
    expect(within(row).queryByRole('button', { name: /Pause/ })).toBeNull();
  });
});

describe('files', () => {
  const season = () => download('a', { files: [file('Film a/1.mkv'), file('Film a/2.mkv', { wanted: false }), file('Film a/read me.txt')] });

  test('of many, each shows how far it is, what is wanted, and the films a way to the player', async () => {
    items = [season()];
    open();
    await screen.findByText('3 files');
    expect(screen.getAllByRole('checkbox').map((box) => box.matches(':checked'))).toEqual([true, false, true]);
    expect(screen.getAllByRole('link', { name: /^Play/ }).map((link) => link.getAttribute('href')))
      .toEqual(['/watch/f-Film%20a%2F1.mkv', '/watch/f-Film%20a%2F2.mkv']);
    expect(screen.getAllByRole('progressbar')).toHaveLength(4);
  });

  test('are wanted when the server has answered, and as before when it refuses', async () => {
    items = [season()];
    answers['PATCH'] = () => refusal(409, 'which files it has is not known yet');
    open();
    const box = await screen.findByRole<HTMLInputElement>('checkbox', { name: 'Download 2.mkv' });
    fireEvent.click(box);
    expect((await screen.findByRole('alert')).textContent).toBe('which files it has is not known yet');
    expect(box.checked).toBe(false);
    expect(asked).toMatchObject([{ body: { files: [{ file: 'f-Film a/2.mkv', wanted: true }] } }]);
  });

  test('of very many, the first, and more when asked for', async () => {
    items = [download('a', { files: Array.from({ length: 20 }, (_, i) => file(`Film a/${i}.mkv`)) })];
    open();
    fireEvent.click(await screen.findByRole('button', { name: 'Show 12 more files' }));
    expect(screen.getAllByRole('checkbox')).toHaveLength(20);
    expect(screen.queryByRole('button', { name: /more/ })).toBeNull();
  });
});

describe('adding', () => {
  const submit = async (magnet: string) => {
    fireEvent.input(await screen.findByLabelText(WHAT), { target: { value: magnet } });
    fireEvent.click(screen.getByRole('button', { name: 'Download' }));
  };

  test('a magnet, and the field is empty again', async () => {
    answers['POST'] = () => Response.json(download('a'), { status: 201 });
    open();
    await submit(' magnet:?xt=1 ');
    expect(await screen.findByRole('listitem', { name: 'Film a' })).toBeTruthy();
    expect(asked).toMatchObject([{ method: 'POST', path: '/api/v1/downloads', body: { magnet: 'magnet:?xt=1' }, type: 'application/json' }]);
    expect(screen.getByLabelText<HTMLInputElement>(WHAT).value).toBe('');
    expect(screen.getByText('Film a has been added')).toBeTruthy();
    await submit('magnet:?xt=1');
    expect((await screen.findAllByText('“Film a” is in the list already.')).length).toBeGreaterThan(0);
  });

  test('a bad magnet: the server’s words at the field, which keeps what was typed', async () => {
    answers['POST'] = () => refusal(422, 'it is no magnet that can be read');
    open();
    await submit('magnet:?x');
    const field = screen.getByLabelText<HTMLInputElement>(WHAT);
    await vi.waitFor(() => expect(field.getAttribute('aria-invalid')).toBe('true'));
    expect(document.getElementById(field.getAttribute('aria-describedby') ?? '')?.textContent).toBe('it is no magnet that can be read');
    expect(field.value).toBe('magnet:?x');
  });

  test('the address of a .torrent file is as good', async () => {
    answers['POST'] = () => Response.json(download('a'), { status: 201 });
    open();
    await submit('https://x.example/a.torrent?k=1');
    expect(await screen.findByRole('listitem', { name: 'Film a' })).toBeTruthy();
    expect(asked).toMatchObject([{ method: 'POST', path: '/api/v1/downloads', body: { torrent_url: 'https://x.example/a.torrent?k=1' } }]);
  });

  test('anything else is not sent, and the field says what it takes', async () => {
    open();
    await submit('playtime 1967');
    const field = screen.getByLabelText<HTMLInputElement>(WHAT);
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(document.getElementById(field.getAttribute('aria-describedby') ?? '')?.textContent).toMatch(/neither a magnet link nor a web address/);
    expect(asked).toEqual([]);
  });

  test('a file, chosen or dropped, as it is; others are not sent', async () => {
    answers['POST'] = () => Response.json(download('a'), { status: 201 });
    open();
    const torrent = new File(['d8:announce'], 'a.torrent');
    fireEvent.change(await screen.findByLabelText(/Choose a .torrent file/), { target: { files: [torrent, new File(['x'], 'film.mkv')] } });
    expect(await screen.findByRole('listitem', { name: 'Film a' })).toBeTruthy();
    expect((await screen.findByRole('alert')).textContent).toBe('“film.mkv” is not a .torrent file.');
    expect(asked).toMatchObject([{ method: 'POST', body: torrent, type: 'application/x-bittorrent' }]);
  });
});

describe('the page', () => {
  test('says when there is nothing, and what to do', async () => {
    open();
    expect(await screen.findByText('No downloads yet')).toBeTruthy();
    expect(screen.getByText(/Put a magnet link/)).toBeTruthy();
  });

  test('lets those who are no admins look and watch, and no more', async () => {
    guest();
    items = [download('a', { files: [file('1.mkv'), file('2.mkv')] })];
    open();
    await screen.findByText('2 files');
    expect(screen.queryByLabelText(WHAT)).toBeNull();
    expect(screen.queryByRole('button', { name: /Pause|Remove/ })).toBeNull();
    expect(screen.queryByRole('checkbox')).toBeNull();
    expect(screen.getAllByRole('link', { name: /^Play/ })).toHaveLength(2);
  });

  test('shows the server’s words when there is no list, and asks again', async () => {
    answers['GET'] = () => refusal(404, 'downloads are turned off (torrent.enabled)');
    open();
    expect(await screen.findByText('downloads are turned off (torrent.enabled)')).toBeTruthy();
    answers = {};
    items = [download('a')];
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('listitem', { name: 'Film a' })).toBeTruthy();
  });
});
