// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fakeServer, house, refusal, type Asked } from '../account/testing';
import { me, phase, status } from '../store';
import { Invited, NewPassword } from './by-code';
import { Login } from './login';
import { Verify } from './verify';

let asked: Asked[];
let take: () => unknown;

beforeEach(() => {
  house({}, [{ name: 'home', title: 'the house' }]);
  const now = status.value;
  me.value = undefined;
  phase.value = 'signed-out';
  take = () => ({ id: 'u2', username: 'ben', role: 'child' });
  asked = fakeServer({
    'POST /register': () => take(), 'POST /reset': () => take(),
    'GET /status': () => now, 'GET /me': () => ({ id: 'u2', username: 'ben', role: 'child' }),
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const type = (label: string, value: string) => fireEvent.input(screen.getByLabelText(label), { target: { value } });

describe('an invitation', () => {
  test('makes an account and leads to the films', async () => {
    history.replaceState(null, '', '/invite#a-code');
    render(<LocationProvider><Invited /></LocationProvider>);
    type('User name', ' ben ');
    type('Password', 'a long sentence');
    fireEvent.click(screen.getByRole('button', { name: 'Create the account' }));
    await vi.waitFor(() => expect(location.pathname + location.hash).toBe('/'));
    expect(asked).toEqual([{ method: 'POST', path: '/register', body: { code: 'a-code', username: 'ben', password: 'a long sentence' } }]);
    expect(phase.value).toBe('ready');
    expect(me.value?.username).toBe('ben');
  });

  test('that was used says so; a name that is taken, at its field', async () => {
    history.replaceState(null, '', '/invite#a-code');
    take = () => refusal(409, 'this name is taken', 'username');
    render(<LocationProvider><Invited /></LocationProvider>);
    type('User name', 'ben');
    type('Password', 'a long sentence');
    fireEvent.click(screen.getByRole('button', { name: 'Create the account' }));
    await vi.waitFor(() => expect(screen.getByLabelText('User name').getAttribute('aria-invalid')).toBe('true'));
    take = () => refusal(422, 'this invitation is no longer good', 'code');
    fireEvent.click(screen.getByRole('button', { name: 'Create the account' }));
    expect((await screen.findByRole('alert')).textContent).toBe('this invitation is no longer good');
    expect(location.pathname).toBe('/invite');
  });

  test('that was cut short on its way says what to do', () => {
    history.replaceState(null, '', '/invite');
    render(<LocationProvider><Invited /></LocationProvider>);
    expect(screen.getByRole('alert').textContent).toMatch(/^This link is not whole/);
    expect(screen.queryByLabelText('User name')).toBeNull();
  });
});

describe('where letters are sent', () => {
  beforeEach(() => {
    if (status.value) status.value = { ...status.value, registration: 'open', features: { mail: true } };
  });

  test('an account begins with one', async () => {
    history.replaceState(null, '', '/invite');
    take = () => ({ email: 'ben@example.com' });
    render(<LocationProvider><Invited /></LocationProvider>);
    type('User name', 'ben');
    type('Password', 'a long sentence');
    type('E-mail address', ' ben@example.com ');
    fireEvent.click(screen.getByRole('button', { name: 'Create the account' }));
    expect((await screen.findByRole('status')).textContent).toMatch(/ben@example.com/);
    expect(asked).toEqual([{ method: 'POST', path: '/register', body: { username: 'ben', password: 'a long sentence', email: 'ben@example.com' } }]);
    expect(phase.value).toBe('signed-out');
  });

  test('an invitation asks for no address', () => {
    history.replaceState(null, '', '/invite#a-code');
    render(<LocationProvider><Invited /></LocationProvider>);
    expect(screen.queryByLabelText('E-mail address')).toBeNull();
  });

  test('the link of a letter asks once more, then is done', async () => {
    history.replaceState(null, '', '/verify#a-code');
    const now = status.value;
    phase.value = 'ready';
    asked = fakeServer({ 'POST /verify': () => undefined, 'GET /status': () => now, 'GET /me': () => ({ id: 'u1', username: 'anna', role: 'member' }) });
    render(<LocationProvider><Verify /></LocationProvider>);
    expect(asked).toEqual([]);
    fireEvent.click(screen.getByRole('button', { name: 'Confirm' }));
    expect((await screen.findByRole('status')).textContent).toMatch(/is confirmed/);
    expect(asked).toEqual([{ method: 'POST', path: '/verify', body: { code: 'a-code' } }]);
  });

  test('who is not signed in does that first', () => {
    history.replaceState(null, '', '/verify#a-code');
    render(<LocationProvider><Verify /></LocationProvider>);
    expect(screen.queryByRole('button', { name: 'Confirm' })).toBeNull();
    expect(screen.getByRole('button', { name: 'Sign in' })).toBeTruthy();
  });

  test('an account is made by the password that was chosen for it', async () => {
    history.replaceState(null, '', '/verify#a-code.new');
    const now = status.value;
    asked = fakeServer({
      'POST /verify': () => ({ id: 'u2', username: 'ben', role: 'member' }), 'GET /status': () => now,
      'GET /me': () => ({ id: 'u2', username: 'ben', role: 'member' }),
    });
    render(<LocationProvider><Verify /></LocationProvider>);
    type('Password', 'a long sentence');
    fireEvent.click(screen.getByRole('button', { name: 'Create the account' }));
    await vi.waitFor(() => expect(location.pathname).toBe('/'));
    expect(asked).toEqual([{ method: 'POST', path: '/verify', body: { code: 'a-code', password: 'a long sentence' } }]);
  });

  test('one that is too late says so', async () => {
    history.replaceState(null, '', '/verify#a-code');
    phase.value = 'ready';
    fakeServer({ 'POST /verify': () => refusal(404, 'that code is not valid any more') });
    render(<LocationProvider><Verify /></LocationProvider>);
    fireEvent.click(screen.getByRole('button', { name: 'Confirm' }));
    expect((await screen.findByRole('alert')).textContent).toMatch(/not valid any more/);
  });
});

test('a new password by a link', async () => {
  history.replaceState(null, '', '/reset#another-code');
  render(<LocationProvider><NewPassword /></LocationProvider>);
  type('New password', 'a long sentence');
  fireEvent.click(screen.getByRole('button', { name: 'Set the password' }));
  await vi.waitFor(() => expect(location.pathname).toBe('/'));
  expect(asked).toEqual([{ method: 'POST', path: '/reset', body: { code: 'another-code', password: 'a long sentence' } }]);
});

test('the sign-in page offers the others, and says when one of them refused', () => {
  history.replaceState(null, '', '/login?refused=denied');
  render(<LocationProvider><Login /></LocationProvider>);
  expect(screen.getByRole('alert').textContent).toMatch(/broken off/);
  expect(screen.getByRole('link', { name: 'Sign in with the house' }).getAttribute('href')).toBe('/auth/home/start');
});
