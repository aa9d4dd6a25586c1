// SPDX-License-Identifier: GPL-3.0-or-later
// The page /yours: what one has begun, what is kept for later, and what one watched.
import { useEffect } from 'preact/hooks';
import type { ItemSummary } from '../api';
import { at } from '../base';
import { t } from '../i18n';
import { BegunRow } from '../parts/begun-row';
import { Frame, usePageTitle } from '../parts/frame';
import { Icon } from '../parts/icon';
import { itemName } from '../parts/item-name';
import { LaterButton } from '../parts/later-button';
import { announceGone } from '../parts/live';
import { Poster } from '../parts/poster';
import { wordsOf } from '../parts/words';
import { watchLibrary } from '../refresh';
import { later, libraryProblem, listShown, titles } from '../store';
import { warmPlayer } from '../warm';
import { History } from './history';
import '../styles/account.css';

/** The file that plays, where the list of films knows of one. */
function fileOf(item: string): string | undefined {
  const title = titles.value?.find(({ id }) => id === item);
  const ready = title?.files.filter(({ state }) => state === 'ready') ?? [];
  return (ready.find(({ id }) => id === title?.progress?.file) ?? ready[0])?.id; // gone on with, if begun
}

function LaterCard({ item }: { item: ItemSummary }) {
  const file = item.here ? fileOf(item.id) : undefined;
  const href = item.here && item.kind === 'show' ? `/show/${encodeURIComponent(item.id)}` : file && `/watch/${encodeURIComponent(file)}`;
  const name = itemName(item);
  const poster = <Poster title={item.show?.title ?? item.title} year={item.year ?? undefined} />;
  return (
    <li class="title-card">
      {href === undefined
        ? <div class="cover idle">{poster}</div>
        : (
          <a class="cover" href={at(href)}>
            {item.kind !== 'show' && <span class="unseen">{t('play')} </span>}{poster}<span class="cover-play"><Icon name="play" /></span>
          </a>
        )}
      <div class="name-row">
        <div>
          <h3>{name}</h3>
          <p class="facts">{[item.year, item.here ? undefined : t('later.gone')].filter(Boolean).join(' · ')}</p>
        </div>
        <LaterButton item={item} onTaken={() => announceGone(t('removed', { name }))} />
      </div>
    </li>
  );
}

export function Yours() {
  usePageTitle(t('yours.title'));
  useEffect(() => {
    const leaving = new AbortController();
    listShown('/yours');
    warmPlayer(leaving.signal);
    watchLibrary(leaving.signal);
    return () => leaving.abort();
  }, []);
  const list = later.value;
  const problem = libraryProblem.value;
  return (
    <Frame>
      <div class="heading"><h1>{t('yours.title')}</h1></div>
      <BegunRow />
      <section class="later" aria-labelledby="later">
        <h2 id="later">{t('later.title')}</h2>
        {problem && <p class="error" role="alert">{wordsOf(problem)}</p>}
        {list?.length === 0
          ? <p class="hint">{t('later.empty')}</p>
          : <ul class="grid">{list?.map(({ item }) => <LaterCard key={item.id} item={item} />)}</ul>}
      </section>
      <History />
    </Frame>
  );
}
