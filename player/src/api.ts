// SPDX-License-Identifier: GPL-3.0-or-later
// Talks to the server: the only file that fetches, and the only one that trusts a shape. What the
// server refuses arrives as a Problem, whose words can be shown as they are.
// Ends: calls take an AbortSignal; listen() returns the function that closes the stream.
import type { components } from './api-types';
import { at } from './base';

type Schemas = components['schemas'];
export type Status = Schemas['Status'];
export type Me = Schemas['Me'];
export type Role = Schemas['Role'];
/** The shapes of the contract, for those who use call(). */
export type Shape<Name extends keyof Schemas> = Schemas[Name];
export type Title = Schemas['Title'];
export type TitleFile = Schemas['TitleFile'];
export type Scan = Schemas['Scan'];
export type FileDetails = Schemas['File'];
export type Playback = Schemas['Playback'];
export type Capabilities = Schemas['Capabilities'];
export type PlaybackWish = Schemas['PlaybackWish'];
export type Download = Schemas['Download'];
export type DownloadFile = Schemas['DownloadFile'];
export type DownloadChange = Schemas['DownloadChange'];
export type DownloadWish = { magnet: string } | { torrent_url: string } | { torrent: Blob };
export type News = Schemas['Event'];
/** A video of another server, which plays as any other file does. */
export type Link = Schemas['Link'];
type Page = Schemas['TitlePage'];
type Report = Schemas['PlaybackReport'];
type Refusal = Partial<Schemas['Problem']>;

const PREFIX = at('/api/v1');

/** A refusal, or no answer at all (status 0). `words` is what the server said to a person. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly words: string,
    readonly field: string | undefined,
    readonly retryAfterSeconds: number | undefined,
  ) {
    super(words);
    this.name = 'Problem';
  }
}

/** The signed-out answer is of use everywhere, so there is one way to ask for it. */
export const isSignedOut = (error: unknown): boolean => error instanceof Problem && error.status === 401;

/** What a Response says went wrong; also for responses that hls.js brings. */
export async function problemOf(response: Response): Promise<Problem> {
  const body = response.headers.get('Content-Type')?.includes('json') === true
    ? ((await response.json().catch(() => ({}))) as Refusal)
    : {};
  const after = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return new Problem(
    response.status,
    body.detail ?? body.title ?? '',
    body.field,
    Number.isFinite(after) ? after : undefined,
  );
}

/** `torrent` goes out as it is, `body` as JSON. */
export interface Call { body?: unknown; torrent?: Blob; signal?: AbortSignal | undefined; keepalive?: boolean }

/** One call; lists of calls that only one page makes stand in its folder. */
export async function call<T>(method: string, path: string, { body, torrent, signal, keepalive = false }: Call = {}): Promise<T> {
  const init: RequestInit = { method, keepalive, headers: { Accept: 'application/json' } };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { Accept: 'application/json', 'Content-Type': 'application/json' };
  }
  if (torrent) {
    init.body = torrent;
    init.headers = { Accept: 'application/json', 'Content-Type': 'application/x-bittorrent' };
  }
  const response = await fetch(PREFIX + path, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Problem(0, '', undefined, undefined);
  });
  if (!response.ok) throw await problemOf(response);
  return (response.status === 204 || response.headers.get('Content-Length') === '0'
    ? undefined
    : await response.json().catch(() => undefined)) as T;
}

export const getStatus = (signal?: AbortSignal) => call<Status>('GET', '/status', { signal });
export const setUp = (body: Schemas['SetupWish']) =>
  call<unknown>('POST', '/setup', { body });
export const signIn = (body: Schemas['Credentials']) =>
  call<unknown>('POST', '/session', { body });
/** By an invitation, or without a code where registration is open; signs in, or says where a letter went. */
export const register = (body: Schemas['RegisterWish']) =>
  call<Me | { email: string }>('POST', '/register', { body });
/** By the code of a letter; an account that it makes is signed in, else there is no answer. */
export const verify = (body: Schemas['VerifyWish']) => call<Me | undefined>('POST', '/verify', { body });
/** By a link of an administrator; signs in. */
export const resetPassword = (body: Schemas['ResetWish']) =>
  call<unknown>('POST', '/reset', { body });
export const signOut = () => call<unknown>('DELETE', '/session');
export const getMe = (signal?: AbortSignal) => call<Me>('GET', '/me', { signal });

export const getLibrary = (cursor: string | undefined, signal?: AbortSignal) =>
  call<Page>('GET', `/library?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, { signal });
export const getScan = (signal?: AbortSignal) => call<Scan>('GET', '/library/scan', { signal });
export const startScan = () => call<Scan>('POST', '/library/scan');
export const getTitle = (id: string, signal?: AbortSignal) =>
  call<Title>('GET', `/titles/${encodeURIComponent(id)}`, { signal });
export const getFile = (id: string, signal?: AbortSignal) =>
  call<FileDetails>('GET', `/files/${encodeURIComponent(id)}`, { signal });

/** What was begun and can be gone on with. */
export type Begun = Schemas['Begun']['items'][number];
export const getBegun = (signal?: AbortSignal) => call<Schemas['Begun']>('GET', '/continue', { signal });
export const hideBegun = (item: string) => call<unknown>('DELETE', `/continue/${encodeURIComponent(item)}`);

export type ItemSummary = Schemas['ItemSummary'];
export type Later = Schemas['Watchlist']['items'][number];
export const getLater = (signal?: AbortSignal) => call<Schemas['Watchlist']>('GET', '/watchlist', { signal });
export const setLater = (item: string, wanted: boolean) =>
  call<unknown>(wanted ? 'PUT' : 'DELETE', `/watchlist/${encodeURIComponent(item)}`);

export const startPlayback = (body: PlaybackWish, signal?: AbortSignal) =>
  call<Playback>('POST', '/playback', { body, signal });
export const getPlayback = (id: string, signal?: AbortSignal) =>
  call<Playback>('GET', `/playback/${encodeURIComponent(id)}`, { signal });
/** `keepalive` lets the last report outlive the page. */
export const reportPlayback = (id: string, body: Report, keepalive: boolean) =>
  call<unknown>('PUT', `/playback/${encodeURIComponent(id)}`, { body, keepalive });
export const endPlayback = (id: string) =>
  call<unknown>('DELETE', `/playback/${encodeURIComponent(id)}`, { keepalive: true });

/** The film in small pictures, as the server has them now; `url` is what they are relative to. */
export interface StoryboardText { text: string; url: string; mayCome: boolean }

/** It stands beside the film's playlist. */
export async function getStoryboard(master: string, signal: AbortSignal): Promise<StoryboardText> {
  const url = new URL('storyboard.vtt', new URL(master, document.baseURI)).href;
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new Problem(0, '', undefined, undefined);
  });
  if (!response.ok) throw await problemOf(response);
  return { text: await response.text(), url, mayCome: response.headers.has('Retry-After') };
}

async function getBeside(address: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(new URL(address, document.baseURI).href, { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new Problem(0, '', undefined, undefined);
  });
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Subtitles that are pictures: what is seen in a part of the film. */
export type PicturePart = Schemas['Pictures'];
/** The playlist of their parts; `url` is what it is relative to. */
export async function getPictureParts(address: string, signal: AbortSignal): Promise<{ text: string; url: string }> {
  const response = await getBeside(address, signal);
  return { text: await response.text(), url: new URL(address, document.baseURI).href };
}
export const getPictures = async (address: string, signal: AbortSignal): Promise<PicturePart> =>
  (await (await getBeside(address, signal)).json()) as PicturePart;

export const getDownloads = (signal?: AbortSignal) => call<Schemas['DownloadPage']>('GET', '/downloads', { signal });
/** The download that it becomes, or that it has been for long. */
export const addDownload = (wish: DownloadWish) =>
  call<Download>('POST', '/downloads', 'torrent' in wish ? wish : { body: wish });
export const changeDownload = (id: string, body: DownloadChange) =>
  call<Download>('PATCH', `/downloads/${encodeURIComponent(id)}`, { body });
/** `files`: with those that the library has. */
export const removeDownload = (id: string, files = false) => call<unknown>('DELETE', `/downloads/${encodeURIComponent(id)}${files ? '?files=true' : ''}`);

export const getLinks = (signal?: AbortSignal) => call<{ items: Link[]; next: string | null }>('GET', '/links', { signal });
/** The link that it becomes, or that it has been for long. */
export const addLink = (url: string) => call<Link>('POST', '/links', { body: { url } });
export const removeLink = (id: string) => call<unknown>('DELETE', `/links/${encodeURIComponent(id)}`);

/**
 * What a stream of news calls. After `anew` come the present states, and then `live`: what was not among
 * them is no more. `lost` says whether the stream is over; if not, the browser reconnects, and `found`.
 */
export interface Ear {
  heard: (news: News) => void;
  anew?: () => void;
  live?: () => void;
  found?: () => void;
  lost?: (isOver: boolean) => void;
}

/** News of these topics until the returned function is called. */
export function listen(topics: string[], ear: Ear): () => void {
  ear.anew?.();
  const source = new EventSource(`${PREFIX}/events?topics=${topics.map(encodeURIComponent).join(',')}`);
  for (const word of new Set(topics.map((topic) => topic.replace(/:.*/, '')))) {
    source.addEventListener(word, (event) => ear.heard(JSON.parse(String(event.data)) as News));
  }
  source.addEventListener('reset', () => ear.anew?.());
  source.addEventListener('live', () => ear.live?.());
  source.addEventListener('open', () => ear.found?.());
  source.addEventListener('error', () => ear.lost?.(source.readyState === EventSource.CLOSED));
  return () => source.close();
}
