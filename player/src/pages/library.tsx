// SPDX-License-Identifier: GPL-3.0-or-later
// The list of films. What is typed into the search box stands in the address (?q=). Titles that
// cannot be read stand in a list of their own, with the reason.
import { useEffect, useLayoutEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import type { Title } from '../api';
import { at } from '../base';
import { t } from '../i18n';
import { BegunRow } from '../parts/begun-row';
import { Frame, usePageTitle } from '../parts/frame';
import { Icon } from '../parts/icon';
import { TitleCard } from '../parts/title-card';
import { wordsOf } from '../parts/words';
import { watchLibrary } from '../refresh';
import { libraryProblem, listShown, loadLibrary, titles } from '../store';
import { warmPlayer } from '../warm';
import { ScanState } from './scan-state';

export const isUnreadable = (title: Title): boolean => title.state === 'unreadable';

/** Every word must occur; letters with and without accents are the same. */
export function matches(title: Title, query: string): boolean {
  const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLocaleLowerCase();
  const text = plain(`${title.title} ${title.year ?? ''}`);
  return plain(query).split(/\s+/).every((word) => text.includes(word));
}

function Search({ query }: { query: string }) {
  const { route } = useLocation();
  return (
    <label class="search">
      <span class="unseen">{t('library.search')}</span>
      <Icon name="search" />
      <input
        type="search" value={query} placeholder={t('library.searchShort')} autocomplete="off"
        onInput={(event) => {
          const value = event.currentTarget.value;
          route(at(value === '' ? '/' : `/?q=${encodeURIComponent(value)}`), true);
        }}
      />
    </label>
  );
}

function Skeletons() {
  return (
    <ul class="grid" aria-busy="true" aria-label={t('library.loading')}>
      {Array.from({ length: 12 }, (_, i) => <li key={i}><div class="poster skeleton" /></li>)}
    </ul>
  );
}

function Unreadable({ list }: { list: Title[] }) {
  if (list.length === 0) return null;
  return (
    <section class="unreadable" aria-labelledby="unreadable">
      <h2 id="unreadable">{t('library.unreadable', { count: list.length })}</h2>
      <ul>
        {list.map((title) => (
          <li key={title.id}>
            <Icon name="warning" />
            <div><strong>{title.files[0]?.name ?? title.title}</strong><p>{title.reason ?? t('library.noReason')}</p></div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Films({ query }: { query: string }) {
  const all = titles.value;
  const problem = libraryProblem.value;
  const retry = () => void loadLibrary(new AbortController().signal);
  if (problem && all === undefined) {
    return (
      <section class="empty" role="alert">
        <h2>{t('library.failed')}</h2>
        <p>{wordsOf(problem)}</p>
        <button type="button" class="primary" onClick={retry}>{t('retry')}</button>
      </section>
    );
  }
  if (all === undefined) return <Skeletons />;
  if (all.length === 0) return <section class="empty"><h2>{t('library.empty')}</h2><p>{t('library.emptyText')}</p></section>;
  const found = query === '' ? all : all.filter((title) => matches(title, query));
  const playable = found.filter((title) => !isUnreadable(title));
  return (
    <>
      {problem && <p class="banner" role="alert">{t('library.stale')} {wordsOf(problem)}</p>}
      {found.length === 0 && <section class="empty"><h2>{t('library.noMatch', { query })}</h2></section>}
      <ul class="grid">{playable.map((title) => <TitleCard key={title.id} title={title} />)}</ul>
      <Unreadable list={found.filter(isUnreadable)} />
    </>
  );
}

let scrollPlace = 0;

/** Coming back from a film, the list stands where it was left. */
function useScrollPlace(): void {
  useLayoutEffect(() => {
    window.scrollTo(0, scrollPlace);
    const note = () => { scrollPlace = window.scrollY; };
    window.addEventListener('scroll', note, { passive: true });
    return () => window.removeEventListener('scroll', note);
  }, []);
}

export function Library() {
  usePageTitle(undefined);
  const { query } = useLocation();
  const q = query['q'] ?? '';
  useScrollPlace();
  useEffect(() => {
    const leaving = new AbortController();
    listShown('/');
    warmPlayer(leaving.signal);
    watchLibrary(leaving.signal);
    return () => leaving.abort();
  }, []);
  const count = titles.value?.filter((title) => !isUnreadable(title)).length;
  return (
    <Frame tools={<Search query={q} />}>
      <div class="heading">
        <h1>{t('library.title')}{count !== undefined && count > 0 && <span class="count">{count}</span>}</h1>
        <ScanState />
      </div>
      {q === '' && <BegunRow />}
      <Films query={q} />
    </Frame>
  );
}
