// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { LocationProvider, Route, Router } from 'preact-iso';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeServer, house, refusal, type Asked } from '../account/testing';
import type { Title } from '../api';
import { itemName } from '../parts/item-name';
import { TitleCard } from '../parts/title-card';
import { Live } from '../parts/live';
import { Show } from './show';

const base: Title = {
  id: 's1', kind: 'show', title: 'Dark Matter', year: 2015, poster: null, age: null, added: '2026-11-01T00:00:00Z', genres: [],
  state: 'ready', watched: false, files: [],
};
const episode = (season: number, number: number, title: string, more: Partial<Title> = {}): Title => ({
  ...base, id: `e${season}${number}`, kind: 'episode', title, show: { id: 's1', title: 'Dark Matter' }, season, episode: number,
  files: [{ id: `f${season}${number}`, name: 'x.mkv', duration: 2520, state: 'ready' }], ...more,
});
const show: Title = { ...base, seasons: [{ season: 0, episodes: 1, watched: 0 }, { season: 1, episodes: 2, watched: 1 }] };

let asked: Asked[];
let episodes: Title[];

beforeEach(() => {
  house();
  episodes = [episode(0, 1, 'The Making'), episode(1, 1, 'Pilot', { watched: true }), episode(1, 2, '')];
  asked = fakeServer({
    'GET /titles/s1': () => show, 'GET /titles/s1/episodes': () => ({ items: episodes, next: null }),
    'GET /items/s1/next': () => ({ item: episodes[2] }), 'GET /watchlist': () => ({ items: [], next: null }),
    'PUT /watched/e12': () => { episodes = [...episodes.slice(0, 2), episode(1, 2, '', { watched: true })]; return undefined; },
    'DELETE /watched/e11': () => refusal(404, 'it was not marked as watched'), 'PUT /watched/s1': () => undefined,
  });
  history.replaceState(null, '', '/show/s1');
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = () => render(<LocationProvider><Router><Route path="/show/:id" component={Show} /><Route default component={Show} /></Router><Live /></LocationProvider>);
const season = async (name: string) => within(await screen.findByRole('region', { name }));

test('seasons stand in their order, the specials last, and what comes next is at hand', async () => {
  open();
  expect((await screen.findAllByRole('heading', { level: 2 })).map((each) => each.textContent)).toEqual(['Season 1', 'Specials']);
  expect(screen.getByRole('link', { name: 'Play S1 E2' }).getAttribute('href')).toBe('/watch/f12');
  const first = await season('Season 1');
  expect(first.getAllByRole('link').map((each) => each.getAttribute('href'))).toEqual(['/watch/f11', '/watch/f12']);
  expect(first.getByRole('link', { name: /S1 E2: .*Episode 2/ })).toBeTruthy();
});

test('an episode, or a season, is marked as watched', async () => {
  open();
  const first = await season('Season 1');
  fireEvent.click(first.getByRole('button', { name: 'Watched: Episode 2' }));
  await vi.waitFor(() => expect(first.getByRole('button', { name: 'Watched: Episode 2' }).getAttribute('aria-pressed')).toBe('true'));
  expect(first.getByRole('button', { name: 'Watched: Season 1' }).getAttribute('aria-pressed')).toBe('true');
  const extras = await season('Specials');
  fireEvent.click(extras.getByRole('button', { name: 'Watched: Specials' }));
  await vi.waitFor(() => expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['PUT /watched/e12', 'PUT /watched/s1?season=0']));
});

test('what could not be marked says why', async () => {
  open();
  const first = await season('Season 1');
  fireEvent.click(first.getByRole('button', { name: 'Watched: Pilot' }));
  expect((await first.findByRole('alert')).textContent).toBe('it was not marked as watched');
});

test('a show that is gone says so', async () => {
  fakeServer({});
  open();
  expect((await screen.findByRole('alert')).textContent).toMatch(/no such show/);
});

test('in the list a show is one card, which leads to it', () => {
  render(<LocationProvider><ul><TitleCard title={show} /></ul></LocationProvider>);
  expect(screen.getByRole('link').getAttribute('href')).toBe('/show/s1');
  expect(screen.getByText('3 episodes')).toBeTruthy();
  expect(screen.getByText('1 to watch')).toBeTruthy();
});

test('an episode is called by its show', () => {
  expect(itemName(episode(1, 2, ''))).toBe('Dark Matter · S1 E2');
  expect(itemName(episode(1, 2, 'The One', { last_episode: 3 }))).toBe('Dark Matter · S1 E2–3 · The One');
  expect(itemName(show)).toBe('Dark Matter');
});
