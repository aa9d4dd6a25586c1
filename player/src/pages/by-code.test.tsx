// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fakeServer, house, refusal, type Asked } from '../account/testing';
import { me, phase, status } from '../store';
import { Invited, NewPassword } from './by-code';
import { Login } from './login';

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

test('a new password by a link', async () => {
  history.replaceState(null, '', '/reset#another-code');
  render(<LocationProvider><NewPassword /></LocationProvider>);
  type('New password', 'a long sentence');
  fireEvent.click(screen.getByRole('button', { name: 'Set the password' }));
  await vi.waitFor(() => expect(location.pathname).toBe('/'));
  expect(asked).toEqual([{ method: 'POST', path: '/reset', body: { code: 'another-code', password: 'a long sentence' } }]);
});

test('the sign-in page offers the others, and says when one of them refused', () => {
  history.replaceState(null, '', '/login?refused=true');
  render(<LocationProvider><Login /></LocationProvider>);
  expect(screen.getByRole('alert').textContent).toMatch(/refused/);
  expect(screen.getByRole('link', { name: 'Sign in with the house' }).getAttribute('href')).toBe('/auth/home/start');
});
