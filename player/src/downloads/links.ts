// SPDX-License-Identifier: GPL-3.0-or-later
// Videos elsewhere that one opened by their address, the latest first: everybody has their own. Changed
// only by the server's answers.
// Life: loadLinks() whenever the page is opened; what was known stays, for coming back.
import { signal } from '@preact/signals';
import * as api from '../api';
import { me } from '../store';
import { asked } from './list';

/** undefined before the server has answered. */
export const links = signal<api.Link[] | undefined>(undefined);
/** Why there is no list. */
export const linksProblem = signal<api.Problem | undefined>(undefined);

let changes = 0;
let owner: string | undefined;

function put(next: api.Link[]): void {
  changes += 1;
  links.value = next;
}

/** What was added or removed in the meantime is newer than the answer. */
export async function loadLinks(ends: AbortSignal): Promise<void> {
  const now = me.peek()?.id;
  if (owner !== now) forgetLinks();
  owner = now;
  const before = changes;
  try {
    const { items } = await asked(api.getLinks(ends));
    linksProblem.value = undefined;
    if (before === changes) put(items);
  } catch (error) {
    if (ends.aborted) return;
    if (!(error instanceof api.Problem)) throw error;
    linksProblem.value = error;
  }
}

export async function addLink(url: string): Promise<api.Link> {
  const link = await asked(api.addLink(url));
  put([link, ...(links.peek() ?? []).filter(({ id }) => id !== link.id)]);
  return link;
}

export async function removeLink(id: string): Promise<void> {
  await asked(api.removeLink(id)).catch((error: unknown) => {
    // Removed elsewhere: that is what was wanted.
    if (!(error instanceof api.Problem && error.status === 404)) throw error;
  });
  put((links.peek() ?? []).filter((link) => link.id !== id));
}

export function forgetLinks(): void {
  links.value = undefined;
  linksProblem.value = undefined;
}
