// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Library, matches } from './library';
import { begun, later, loadScan, status, titles } from '../store';
import type { Title } from '../api';

const film = (title: string, more: Partial<Title> = {}): Title => ({
  id: `t-${title}`, kind: 'film', title, year: 1967, poster: null, age: null, added: '2026-01-01T00:00:00Z', genres: [], state: 'ready', watched: false,
  files: [{ id: `f-${title}`, name: `${title}.mkv`, duration: 5040, state: 'ready' }], ...more,
});

const answers: Partial<Record<string, unknown>> = {};
let sent: string[];
beforeEach(() => {
  status.value = { version: '1', setup_required: false, auth: 'none', sign_in: [], providers: [], registration: 'closed', features: { events: false }, sandbox: [] };
  titles.value = undefined;
  sent = [];
  begun.value = [];
  later.value = undefined;
  delete answers['/api/v1/continue'];
  answers['/api/v1/continue/t-Playtime'] = {};
  delete answers['/api/v1/library'];
  answers['/api/v1/library/scan'] = { running: false, done: 0, total: 0, started: null, finished: null, folders: [] };
  vi.stubGlobal('fetch', vi.fn((url: string, { method = 'GET' }: RequestInit = {}) => {
    if (method !== 'GET') sent.push(`${method} ${url}`);
    const body = answers[url.split('?')[0] ?? ''];
    return Promise.resolve(body === undefined ? new Response(null, { status: 500 }) : Response.json(body));
  }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = () => render(<LocationProvider><Library /></LocationProvider>);

describe('the list', () => {
  test('shows films with year and length, and what cannot be read with the reason', async () => {
    answers['/api/v1/library'] = {
      items: [film('Playtime'), film('holiday', { state: 'unreadable', reason: 'This is not a video file.', files: [{ id: 'f', name: 'holiday.mkv', duration: null, state: 'unreadable' }] })],
      next: null,
    };
    open();
    expect((await screen.findByRole('link', { name: /Playtime/ })).getAttribute('href')).toBe('/watch/f-Playtime');
    expect(screen.getByText('1967 · 1 h 24 min')).toBeTruthy();
    expect(screen.getByText('This is not a video file.')).toBeTruthy();
    expect(screen.queryByRole('link', { name: /holiday/ })).toBeNull();
  });

  test('shows how far one got, and goes on with the version that was begun', async () => {
    const files = ['short', 'long'].map((name) => ({ id: `f-${name}`, name: `${name}.mkv`, duration: 5040, state: 'ready' as const }));
    answers['/api/v1/library'] = {
      items: [
        film('Playtime', { files, progress: { position: 1440, duration: 5040, file: 'f-long', at: '2026-11-01T00:00:00Z' } }),
        film('Trafic', { watched: true }),
      ],
      next: null,
    };
    answers['/api/v1/continue'] = {
      items: [{ item: { id: 't-Playtime', kind: 'film', title: 'Playtime', year: 1967, poster: null, here: true }, file: 'f-long', position: 1440, duration: 5040, at: '2026-11-01T00:00:00Z' }],
      next: null,
    };
    open();
    const row = within(await screen.findByRole('region', { name: 'Go on watching' }));
    expect(row.getByRole('link').getAttribute('href')).toBe('/watch/f-long');
    expect(row.getAllByText('1 hour left').length).toBeGreaterThan(0);
    const covers = await screen.findAllByRole('link', { name: /Playtime/ });
    expect(covers.map((each) => each.getAttribute('href'))).toEqual(['/watch/f-long', '/watch/f-long']);
    expect(screen.getByText('Watched')).toBeTruthy();
    fireEvent.click(row.getByRole('button', { name: 'Take off this list: Playtime' }));
    await vi.waitFor(() => expect(screen.queryByRole('region', { name: 'Go on watching' })).toBeNull());
  });

  test('a film is kept for later, and no longer', async () => {
    answers['/api/v1/library'] = { items: [film('Playtime')], next: null };
    open();
    const button = await screen.findByRole('button', { name: 'Watch later: Playtime' });
    expect(button.getAttribute('aria-pressed')).toBe('false');
    answers['/api/v1/watchlist/t-Playtime'] = {};
    fireEvent.click(button);
    await vi.waitFor(() => expect(button.getAttribute('aria-pressed')).toBe('true'));
    fireEvent.click(button);
    await vi.waitFor(() => expect(button.getAttribute('aria-pressed')).toBe('false'));
    expect(sent).toEqual(['PUT /api/v1/watchlist/t-Playtime', 'DELETE /api/v1/watchlist/t-Playtime']);
  });

  test('says when there is nothing yet', async () => {
    answers['/api/v1/library'] = { items: [], next: null };
    open();
    expect(await screen.findByText('No films yet')).toBeTruthy();
  });

  test('says which file is being read through, when nothing else is left to look at', async () => {
    answers['/api/v1/library'] = { items: [film('Playtime')], next: null };
    answers['/api/v1/library/scan'] = {
      running: true, done: 4, total: 5, started: null, finished: null, folders: [], reading: { file: 'f-Playtime', progress: 0.427 },
    };
    open();
    await loadScan(new AbortController().signal);
    expect(await screen.findByText('Reading a film that has no index: 42 %')).toBeTruthy();
  });

  test('says what went wrong and tries again', async () => {
    open();
    expect(await screen.findByText(/The server failed \(status 500\)/)).toBeTruthy();
    answers['/api/v1/library'] = { items: [film('Playtime')], next: null };
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('link', { name: /Playtime/ })).toBeTruthy();
  });

  test('a film that is being looked at cannot be pressed', async () => {
    answers['/api/v1/library'] = { items: [film('Ikiru', { state: 'waiting', files: [{ id: 'f', name: 'Ikiru.mkv', duration: null, state: 'waiting' }] })], next: null };
    open();
    expect(await screen.findByText('Being looked at')).toBeTruthy();
    expect(screen.queryByRole('link', { name: /Ikiru/ })).toBeNull();
  });
});

test('search knows every word and no accents', () => {
  expect(matches(film('Les Parapluies de Cherbourg'), 'cherb para')).toBe(true);
  expect(matches(film('Amélie'), 'amelie 1967')).toBe(true);
  expect(matches(film('Amélie'), 'amelie 1968')).toBe(false);
});
