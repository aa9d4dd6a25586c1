// SPDX-License-Identifier: GPL-3.0-or-later
// For tests of pages that only call: a server of answers by "METHOD /path", which notes what was asked.
import { vi } from 'vitest';
import { me, status } from '../store';
import type { Me } from '../api';

export interface Asked { method: string; path: string; body: unknown }
type Answers = Record<string, (body: unknown) => unknown>;

/** A Response is given as it is, all else as JSON; nothing is 204. */
export function fakeServer(answers: Answers): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal('fetch', vi.fn((url: string, { method = 'GET', body }: RequestInit = {}) => {
    const path = url.replace('/api/v1', '');
    const sent: unknown = typeof body === 'string' ? JSON.parse(body) : undefined;
    if (method !== 'GET') asked.push({ method, path, body: sent });
    const answer = answers[`${method} ${path.split('?')[0] ?? ''}`];
    if (!answer) return Promise.resolve(refusal(404, 'There is no such thing here.'));
    const given = answer(sent);
    if (given instanceof Response) return Promise.resolve(given);
    return Promise.resolve(given === undefined ? new Response(null, { status: 204 }) : Response.json(given));
  }));
  return asked;
}

export const refusal = (code: number, detail: string, field?: string) => new Response(
  JSON.stringify({ type: 'about:blank', title: '', status: code, detail, field }),
  { status: code, headers: { 'Content-Type': 'application/problem+json' } },
);

/** A house with accounts, in which one is signed in. */
export function house(person: Partial<Me> = {}, providers: { name: string; title: string }[] = []): void {
  status.value = {
    version: '1', setup_required: false, auth: 'accounts', sign_in: ['password'], providers, registration: 'invite', features: { events: false }, sandbox: [],
  };
  me.value = { id: 'u1', username: 'anna', role: 'admin', ...person };
}
