// SPDX-License-Identifier: GPL-3.0-or-later
// What is being downloaded: one signal for the list, and one for each download, so that its news draw
// that row alone. Changed only by the server's answers and news.
// Life: watchDownloads() -> asked for once, then kept by news (or asked for again and again where there
// are none) -> ends by the AbortSignal; what was known stays, for coming back.
import { signal, type ReadonlySignal, type Signal } from '@preact/signals';
import * as api from '../api';
import { t } from '../i18n';
import { announce } from '../parts/live';
import { hasEvents, whileVisible } from '../refresh';
import { me, sessionEnded } from '../store';

const POLL_MS = 2000;
const REOPEN_MS = 3000;

type Row = ReadonlySignal<api.Download>;

/** The newest first; undefined before the server has answered. */
export const rows = signal<Row[] | undefined>(undefined);
/** Why what is shown may be out of date. */
export const listProblem = signal<api.Problem | undefined>(undefined);

const known = new Map<string, Signal<api.Download>>();
const removed = new Set<string>(); // by this page: late news of them are not heard
let newsCount = 0;
let owner: string | undefined;

/** What a person calls it; a magnet may come without a name. */
export const nameOf = ({ name, hash }: api.Download): string => (name === '' ? hash : name);

const newestFirst = (a: Row, b: Row) =>
  a.peek().added === b.peek().added ? (a.peek().id < b.peek().id ? 1 : -1) : a.peek().added < b.peek().added ? 1 : -1;

const publish = () => { rows.value = [...known.values()].sort(newestFirst); };

function tellTurn(before: api.Download, after: api.Download): void {
  if (before.state === after.state) return;
  if (after.state === 'complete') announce(t('downloads.isComplete', { name: nameOf(after) }));
  if (after.state === 'failed') announce(t('downloads.hasFailed', { name: nameOf(after) }));
}

function put(download: api.Download): void {
  const row = known.get(download.id);
  if (removed.has(download.id)) return;
  if (row) {
    tellTurn(row.peek(), download);
    row.value = download;
  } else {
    known.set(download.id, signal(download));
    publish();
  }
}

function drop(id: string): void {
  if (known.delete(id)) publish();
}

function keepOnly(ids: Set<string>): void {
  for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
  publish();
}

/** Does what only someone signed in may do. */
export async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (api.isSignedOut(error)) sessionEnded();
    throw error;
  }
}

/** What was told in the meantime is newer than the answer. */
async function load(ends: AbortSignal): Promise<void> {
  const before = newsCount;
  try {
    const { items } = await asked(api.getDownloads(ends));
    listProblem.value = undefined;
    if (before !== newsCount) return;
    items.forEach(put);
    keepOnly(new Set(items.map(({ id }) => id)));
  } catch (error) {
    if (ends.aborted) return;
    if (!(error instanceof api.Problem)) throw error;
    listProblem.value = error;
  }
}

/** The stream of news; opened anew where it was refused, as by a proxy whose server starts again. */
function hear(ends: AbortSignal): () => void {
  let timer = 0;
  let told: Set<string> | undefined;
  let wasLost = false;
  const reload = () => void load(ends);
  const ear: api.Ear = {
    anew: () => { told = new Set(); },
    live: () => {
      newsCount += 1;
      if (told) keepOnly(told);
      told = undefined;
    },
    heard: (news) => {
      newsCount += 1;
      if (news.type === 'download') {
        told?.add(news.id);
        put(news.download);
      }
      if (news.type === 'download-gone') drop(news.id);
    },
    found: () => {
      if (wasLost) reload();
      wasLost = false;
    },
    lost: (isOver) => {
      wasLost = true;
      reload();
      if (isOver) timer = window.setTimeout(open, REOPEN_MS);
    },
  };
  let close = (): void => undefined;
  const open = () => { close = api.listen(['downloads'], ear); };
  open();
  return () => {
    clearTimeout(timer);
    close();
  };
}

export function watchDownloads(ends: AbortSignal): void {
  const now = me.peek()?.id;
  if (owner !== now) forget();
  owner = now;
  void load(ends);
  if (hasEvents()) whileVisible(() => hear(ends), ends);
  else {
    whileVisible(() => {
      const timer = window.setInterval(() => void load(ends), POLL_MS);
      return () => clearInterval(timer);
    }, ends);
  }
}

export function forget(): void {
  known.clear();
  removed.clear();
  rows.value = undefined;
  listProblem.value = undefined;
}

/** Asks once more, where the list could not be had. */
export const retry = (): Promise<void> => load(new AbortController().signal);

/** Answers with the download, and whether it was here before. */
export async function add(wish: api.DownloadWish): Promise<{ download: api.Download; wasHere: boolean }> {
  const before = new Set(known.keys());
  const download = await asked(api.addDownload(wish));
  newsCount += 1;
  put(download);
  return { download, wasHere: before.has(download.id) };
}

export async function change(id: string, wish: api.DownloadChange): Promise<void> {
  const download = await asked(api.changeDownload(id, wish));
  newsCount += 1;
  put(download);
}

export async function remove(id: string, files = false): Promise<void> {
  await asked(api.removeDownload(id, files)).catch((error: unknown) => {
    // Removed elsewhere: that is what was wanted.
    if (!(error instanceof api.Problem && error.status === 404)) throw error;
  });
  newsCount += 1;
  removed.add(id);
  drop(id);
}
