// SPDX-License-Identifier: GPL-3.0-or-later
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { LocationProvider } from 'preact-iso';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fakeServer, house, refusal, type Asked } from '../account/testing';
import type { Shape } from '../api';
import { Live } from '../parts/live';
import { People } from './people';

const user = (username: string, more: Partial<Shape<'User'>> = {}): Shape<'User'> =>
  ({ id: `u-${username}`, username, role: 'member', disabled: false, has_password: true, created: '2026-03-01T10:00:00Z', ...more });

let users: Shape<'User'>[];
let invites: Shape<'Invite'>[];
let asked: Asked[];
let change: () => unknown;

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function showModal() { this.open = true; };
  house({ id: 'u-anna' });
  users = [user('anna', { role: 'admin' }), user('ben', { role: 'child', age_limit: 12, unrated: false })];
  invites = [];
  change = () => users[1];
  asked = fakeServer({
    'GET /users': () => ({ items: users, next: null }),
    'GET /invites': () => ({ items: invites, next: null }),
    'PATCH /users/u-ben': () => change(),
    'DELETE /users/u-ben': () => { users = users.slice(0, 1); return undefined; },
    'POST /users/u-ben/reset': () => ({ code: 'r'.repeat(43), expires: '2026-12-01T00:00:00Z' }),
    'POST /invites': () => {
      const invite = { id: 'i1', role: 'child' as const, age_limit: 6, by: 'anna', created: '2026-11-30T00:00:00Z', expires: '2026-12-07T00:00:00Z' };
      invites = [invite];
      return { ...invite, code: 'c'.repeat(43) };
    },
    'DELETE /invites/i1': () => { invites = []; return undefined; },
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = () => render(<LocationProvider><People /><Live /></LocationProvider>);
const ben = async () => within(await screen.findByRole('listitem', { name: 'ben' }));

describe('the people of a house', () => {
  test('are shown with what they may', async () => {
    open();
    expect((await ben()).getByText(/^Child · films up to 12 years · since/)).toBeTruthy();
    expect(screen.getByRole('listitem', { name: /anna/ }).textContent).toContain('Administrator');
  });

  test('what is of children is said of children alone', async () => {
    open();
    const row = await ben();
    fireEvent.change(row.getByLabelText('Films up to'), { target: { value: '16' } });
    fireEvent.change(row.getByLabelText('Films at once'), { target: { value: '2' } });
    fireEvent.click(row.getByLabelText(/no age is known/));
    fireEvent.click(row.getByRole('button', { name: 'Save' }));
    await screen.findByText('ben is changed');
    fireEvent.change(row.getByLabelText('Role'), { target: { value: 'member' } });
    expect(row.queryByLabelText('Films up to')).toBeNull();
    fireEvent.click(row.getByRole('button', { name: 'Save' }));
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    expect(asked.map(({ body }) => body)).toEqual([{ role: 'child', age_limit: 16, unrated: true, streams: 2 }, { role: 'member', streams: 2 }]);
  });

  test('what the server refuses is said in its words', async () => {
    change = () => refusal(409, 'nobody would be left who can administer');
    open();
    const row = await ben();
    fireEvent.click(row.getByRole('button', { name: 'Disable' }));
    expect(await row.findByText('nobody would be left who can administer')).toBeTruthy();
  });

  test('a link for a password stands behind the #, where no log sees it', async () => {
    open();
    const row = await ben();
    fireEvent.click(row.getByRole('button', { name: 'Make a link for a new password' }));
    const link = await row.findByLabelText<HTMLInputElement>('Link for a new password');
    expect(new URL(link.value).pathname + new URL(link.value).hash).toBe(`/reset#${'r'.repeat(43)}`);
  });

  test('somebody is removed when that was said twice', async () => {
    open();
    fireEvent.click((await ben()).getByRole('button', { name: 'Remove' }));
    const dialog = within(screen.getByRole('dialog', { hidden: true }));
    expect(asked).toEqual([]);
    fireEvent.click(dialog.getByText('Remove'));
    await screen.findByText('ben is removed');
    await vi.waitFor(() => expect(screen.queryByRole('listitem', { name: 'ben' })).toBeNull());
  });
});

describe('invitations', () => {
  test('are made with what the newcomer may, and taken back', async () => {
    open();
    const form = within(await screen.findByRole('region', { name: 'Invite somebody' }));
    fireEvent.change(form.getByLabelText('Role'), { target: { value: 'child' } });
    fireEvent.change(form.getByLabelText('Films up to'), { target: { value: '6' } });
    fireEvent.click(form.getByRole('button', { name: 'Make the link' }));
    const link = await form.findByLabelText<HTMLInputElement>('Invitation');
    expect(link.value.endsWith(`/invite#${'c'.repeat(43)}`)).toBe(true);
    expect(asked[0]?.body).toEqual({ role: 'child', age_limit: 6, unrated: false, streams: 0 });
    fireEvent.click(await form.findByRole('button', { name: 'Take back' }));
    await vi.waitFor(() => expect(form.queryByRole('button', { name: 'Take back' })).toBeNull());
  });
});

test('the page is not there for who is no administrator', async () => {
  house({ role: 'member' });
  open();
  expect(await screen.findByText('Nothing here')).toBeTruthy();
});
