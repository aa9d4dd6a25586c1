// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Live } from '../parts/live';
import { savedTrack, saveTrack } from '../prefs';
import { me, status } from '../store';
import { Account } from './account';
import { fakeServer, house, refusal, type Asked } from './testing';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

let asked: Asked[];
let sessions: unknown[];
let keys: unknown[];
let identities: unknown[];
let setPassword: () => unknown;
let unlink: () => unknown;

beforeEach(() => {
  house({ role: 'member' }, [{ name: 'home', title: 'the house' }]);
  const session = (id: string, more: object) => ({ id, agent: FIREFOX, address: '192.0.2.7', created: '2026-11-01T00:00:00Z', seen: '2026-11-29T12:00:00Z', current: false, program: false, ...more });
  sessions = [session('s1', { current: true }), session('s2', { agent: '' }), session('s3', { program: true })];
  keys = [];
  identities = [];
  setPassword = () => undefined;
  unlink = () => undefined;
  asked = fakeServer({
    'GET /me/sessions': () => ({ items: sessions, next: null }),
    'DELETE /me/sessions/s2': () => { sessions = sessions.filter((_, index) => index !== 1); return undefined; },
    'GET /me/keys': () => ({ items: keys, next: null }),
    'POST /me/keys': () => {
      const key = { id: 'k1', name: 'the hallway', scopes: ['read'], created: '2026-11-30T00:00:00Z', seen: null };
      keys = [key];
      return { ...key, key: `mk_${'k'.repeat(43)}` };
    },
    'GET /auth/identities': () => ({ items: identities, next: null }),
    'DELETE /auth/identities/d1': () => unlink(),
    'PUT /me/password': () => setPassword(),
    'PUT /me/email': (body) => ({ email: member(body, 'email') }),
    'DELETE /me/email': () => undefined,
    'PATCH /me': (body) => ({ ...me.value, preferences: { ...me.value?.preferences, ...objectOf(member(body, 'preferences')) } }),
    'GET /me/passkeys': () => ({ items: [], next: null }),
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const objectOf = (value: unknown): object => (typeof value === 'object' && value !== null ? value : {});
const member = (body: unknown, name: string): unknown => Reflect.get(objectOf(body), name);
const open = () => render(<LocationProvider><Account /><Live /></LocationProvider>);
const region = async (name: string) => within(await screen.findByRole('region', { name }));
const type = (label: string, value: string) => fireEvent.input(screen.getByLabelText(label), { target: { value } });

describe('the password', () => {
  test('is changed, and the fields are empty then', async () => {
    open();
    type('Present password', 'what it was');
    type('New password', 'what it shall be');
    fireEvent.click(screen.getByRole('button', { name: 'Change the password' }));
    expect((await screen.findAllByText(/You are signed out everywhere else/)).length).toBeGreaterThan(0);
    expect(asked).toEqual([{ method: 'PUT', path: '/me/password', body: { current: 'what it was', password: 'what it shall be' } }]);
    expect(screen.getByLabelText<HTMLInputElement>('New password').value).toBe('');
  });

  test('that is wrong is said at its field, and nothing that was typed is lost', async () => {
    setPassword = () => refusal(422, 'this is not the password', 'current');
    open();
    type('Present password', 'not it');
    type('New password', 'what it shall be');
    fireEvent.click(screen.getByRole('button', { name: 'Change the password' }));
    const field = screen.getByLabelText<HTMLInputElement>('Present password');
    await vi.waitFor(() => expect(field.getAttribute('aria-invalid')).toBe('true'));
    expect(document.getElementById(field.getAttribute('aria-describedby') ?? '')?.textContent).toBe('this is not the password');
    expect(screen.getByLabelText<HTMLInputElement>('New password').value).toBe('what it shall be');
  });
});

test('who has no password yet sets the first one without another', async () => {
  house({ role: 'member', has_password: false });
  open();
  expect(screen.queryByLabelText('Present password')).toBeNull();
  type('New password', 'what it shall be');
  fireEvent.click(screen.getByRole('button', { name: 'Set a password' }));
  await vi.waitFor(() => expect(asked).toEqual([{ method: 'PUT', path: '/me/password', body: { password: 'what it shall be' } }]));
  expect(await screen.findByLabelText('Present password')).toBeTruthy();
});

test('how films begin is said for all devices, and goes before what this browser remembers', async () => {
  me.value = { id: 'u1', username: 'anna', role: 'admin', preferences: { audio_language: 'de' } };
  saveTrack('subtitle', 'off');
  open();
  const panel = await region('How films begin');
  expect(panel.getByLabelText<HTMLSelectElement>('Spoken language').value).toBe('de');
  fireEvent.change(panel.getByLabelText('Subtitles'), { target: { value: 'on' } });
  const read = await panel.findByLabelText<HTMLSelectElement>('Subtitles in');
  expect(read.value).toBe('en');
  expect(savedTrack('subtitle')).toBeUndefined();
  fireEvent.change(panel.getByLabelText('Largest picture'), { target: { value: '720' } });
  await vi.waitFor(() => expect(asked).toEqual([
    { method: 'PATCH', path: '/me', body: { preferences: { subtitles: 'on', subtitle_language: 'en' } } },
    { method: 'PATCH', path: '/me', body: { preferences: { max_height: 720 } } },
  ]));
});

test('an address is asked for where letters are sent, and removed', async () => {
  open();
  expect(screen.queryByRole('region', { name: 'E-mail address' })).toBeNull();
  cleanup();
  if (status.value) status.value = { ...status.value, features: { mail: true } };
  me.value = { id: 'u1', username: 'anna', role: 'admin', email: 'old@example.com' };
  open();
  const panel = await region('E-mail address');
  expect(panel.getByText('old@example.com')).toBeTruthy();
  fireEvent.input(panel.getByLabelText('E-mail address'), { target: { value: 'new@example.com' } });
  fireEvent.input(panel.getByLabelText('Your password'), { target: { value: 'a long sentence' } });
  fireEvent.click(panel.getByText('Send a letter'));
  expect((await panel.findAllByText(/went to new@example.com/)).length).toBe(1);
  fireEvent.click(panel.getByRole('button', { name: 'Remove the address' }));
  await vi.waitFor(() => expect(panel.queryByText('old@example.com')).toBeNull());
  expect(asked).toEqual([
    { method: 'PUT', path: '/me/email', body: { email: 'new@example.com', current: 'a long sentence' } },
    { method: 'DELETE', path: '/me/email', body: undefined },
  ]);
});

test('sessions have a name; another is ended, this one is not', async () => {
  open();
  const list = await region('Where you are signed in');
  expect((await list.findAllByRole('heading', { level: 3 })).map((each) => each.textContent)).toEqual(['Firefox · Linux', 'A device that does not say what it is', 'A program']);
  expect(list.getAllByRole('button')).toHaveLength(2);
  fireEvent.click(list.getByRole('button', { name: /A device/ }));
  await vi.waitFor(() => expect(list.queryByText(/A device/)).toBeNull());
  expect(asked).toEqual([{ method: 'DELETE', path: '/me/sessions/s2', body: undefined }]);
});

test('a key is told once, and may what was ticked', async () => {
  open();
  const list = await region('Keys for programs');
  expect(list.queryByLabelText('administer the server')).toBeNull();
  type('What is it for?', ' the hallway ');
  fireEvent.click(list.getByLabelText('play films'));
  fireEvent.click(list.getByRole('button', { name: 'Make the key' }));
  expect((await list.findByLabelText<HTMLInputElement>('The key')).value).toBe(`mk_${'k'.repeat(43)}`);
  expect(asked[0]?.body).toEqual({ name: 'the hallway', scopes: ['read'] });
  expect(await list.findByText(/never used/)).toBeTruthy();
});

describe('other ways to sign in', () => {
  test('lead to the provider, out of the page', async () => {
    open();
    const link = (await region('Other ways to sign in')).getByRole('link', { name: 'Connect the house' });
    expect(link.getAttribute('href')).toBe('/auth/home/start?link=true');
    expect(link.getAttribute('target')).toBe('_self');
  });

  test('the only one is kept, in the server’s words', async () => {
    identities = [{ id: 'd1', provider: 'home', name: 'anna@house.example', created: '2026-11-01T00:00:00Z' }];
    unlink = () => refusal(409, 'it is the only way to sign in');
    open();
    fireEvent.click(await screen.findByRole('button', { name: 'Disconnect the house' }));
    expect(await screen.findByText('it is the only way to sign in')).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'Connect the house' })).toBeNull();
  });
});
