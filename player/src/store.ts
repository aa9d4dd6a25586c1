// SPDX-License-Identifier: GPL-3.0-or-later
// What the page knows of the server, as signals. Changed only by the server's answers; components
// read it and call the functions below.
// Life: load() -> 'ready' | 'setup' | 'signed-out' | 'unreachable'; signing in or out loads again.
import { computed, signal } from '@preact/signals';
import * as api from './api';

export type Phase = 'loading' | 'ready' | 'setup' | 'signed-out' | 'unreachable';

export const phase = signal<Phase>('loading');
export const status = signal<api.Status | undefined>(undefined);
export const me = signal<api.Me | undefined>(undefined);
export const titles = signal<api.Title[] | undefined>(undefined);
export const libraryProblem = signal<api.Problem | undefined>(undefined);
/** What was begun and can be gone on with, the latest first. */
export const begun = signal<api.Begun[]>([]);
/** What one wants to watch some time, the latest first. */
export const later = signal<api.Later[] | undefined>(undefined);
export const scan = signal<api.Scan | undefined>(undefined);

export const hasAccounts = computed(() => status.value?.auth === 'accounts');
/** What changes the server is for admins; without accounts everyone is one. */
export const isAdmin = computed(() => !hasAccounts.value || me.value?.role === 'admin');

/** A child sees films alone: no downloads, no links. */
export const isChild = computed(() => hasAccounts.value && me.value?.role === 'child');

/** Whose the lists are. */
let shownTo: string | undefined;

export async function load(): Promise<void> {
  try {
    status.value = await api.getStatus();
    if (status.value.setup_required) {
      phase.value = 'setup';
      return;
    }
    const person = status.value.auth === 'none' ? undefined : await api.getMe();
    if (person?.id !== shownTo) forgetPerson();
    shownTo = person?.id;
    me.value = person;
    phase.value = 'ready';
  } catch (error) {
    phase.value = api.isSignedOut(error) ? 'signed-out' : 'unreachable';
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  await api.signIn({ username, password });
  await load();
}

/** By an invitation, or without a code where registration is open. Where a letter went to instead of signing in. */
export async function register(code: string, username: string, password: string, email: string): Promise<string | undefined> {
  const answer = await api.register({ username, password, ...(code && { code }), ...(email && { email }) });
  if (!('id' in answer)) return answer.email;
  await load();
  return undefined;
}

/** By the code of a letter. True: it made an account, which is signed in. */
export async function verify(code: string, password: string): Promise<boolean> {
  const made = await api.verify({ code, ...(password && { password }) });
  await load();
  return made !== undefined;
}

/** By a link that an administrator made. */
export async function resetPassword(code: string, password: string): Promise<void> {
  await api.resetPassword({ code, password });
  await load();
}

export async function setUp(code: string, username: string, password: string): Promise<void> {
  await api.setUp(code === '' ? { username, password } : { code, username, password });
  // Some servers sign the first account in at once; where this one did not, we do.
  await load();
  if (phase.peek() === 'signed-out') await signIn(username, password);
}

/** What was shown to one is nothing for the next. */
function forgetPerson(): void {
  titles.value = undefined;
  begun.value = [];
  later.value = undefined;
  me.value = undefined;
}

export async function signOut(): Promise<void> {
  await api.signOut().catch(() => undefined);
  forgetPerson();
  phase.value = 'signed-out';
}

/** A call came back with 401: the session has ended elsewhere. */
export function sessionEnded(): void {
  if (phase.peek() === 'ready') phase.value = 'signed-out';
}

/** Loads the whole list, page by page; what is shown stays until the new list is complete. */
export async function loadLibrary(signal: AbortSignal): Promise<void> {
  try {
    const all: api.Title[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.getLibrary(cursor, signal);
      all.push(...page.items);
      cursor = page.next ?? undefined;
      if (titles.peek() === undefined) titles.value = [...all];
    } while (cursor !== undefined && !signal.aborted);
    titles.value = all;
    libraryProblem.value = undefined;
  } catch (error) {
    if (signal.aborted) return;
    if (api.isSignedOut(error)) sessionEnded();
    else if (error instanceof api.Problem) libraryProblem.value = error;
    else throw error;
  }
}

export async function loadBegun(signal: AbortSignal): Promise<void> {
  // Without it the list of films stands all the same.
  const answer = await api.getBegun(signal).catch(() => undefined);
  if (!signal.aborted && answer) begun.value = answer.items;
}

export async function loadLater(signal: AbortSignal): Promise<void> {
  const answer = await api.getLater(signal).catch(() => undefined);
  if (!signal.aborted && answer) later.value = answer.items;
}

export async function setLater(item: api.ItemSummary, wanted: boolean): Promise<void> {
  await api.setLater(item.id, wanted).catch((error: unknown) => {
    // It was taken off elsewhere: so much the better.
    if (wanted || !(error instanceof api.Problem) || error.status !== 404) throw error;
  });
  const others = (later.peek() ?? []).filter((each) => each.item.id !== item.id);
  later.value = wanted ? [{ item, added: new Date().toISOString() }, ...others] : others;
}

/** Where one is in this film has changed. What was linked to stands in no list. */
export async function placeChanged(item: string): Promise<void> {
  const never = new AbortController().signal;
  const isListed = titles.peek()?.some((each) => each.id === item) ?? false;
  const [title] = await Promise.all([isListed ? api.getTitle(item, never).catch(() => undefined) : undefined, loadBegun(never)]);
  if (title) titles.value = titles.peek()?.map((each) => (each.id === item ? title : each));
}

export async function hideBegun(item: string): Promise<void> {
  await api.hideBegun(item);
  begun.value = begun.peek().filter((each) => each.item.id !== item);
}

export async function loadScan(signal: AbortSignal): Promise<void> {
  const answer = await api.getScan(signal).catch(() => undefined);
  if (!signal.aborted) scan.value = answer;
}

export function scanIs(next: api.Scan): void {
  scan.value = next;
}

export async function startScan(): Promise<void> {
  scan.value = await api.startScan();
}

/** The title that a file belongs to, if the list has been loaded. */
export function titleOfFile(file: string): api.Title | undefined {
  return titles.value?.find((title) => title.files.some((each) => each.id === file));
}

type List = '/' | '/downloads' | '/yours';
let shownList: List | undefined;
/** The list that was last shown in this tab: going back leads to it. */
export const lastList = (): List | undefined => shownList;
export function listShown(path: List): void {
  shownList = path;
}
