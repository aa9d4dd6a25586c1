// SPDX-License-Identifier: GPL-3.0-or-later
// One film in the grid: poster, title, year and length, its state when it is not simply ready, and how
// far one got. A title with several files plays the first that can be played and lists the others.
import type { Title, TitleFile } from '../api';
import { at } from '../base';
import { shortDuration, t, type Key } from '../i18n';
import { Icon } from './icon';
import { LaterButton } from './later-button';
import { Poster } from './poster';
import { Share } from './share';

const WORDS: Partial<Record<Title['state'], Key>> = { waiting: 'state.waiting', offline: 'state.offline' };

const canPlay = (file: TitleFile): boolean => file.state === 'ready';

/** Where the server says that one was. */
function Progress({ title }: { title: Title }) {
  const { progress } = title;
  return progress && progress.duration ? <Share seconds={progress.position} duration={progress.duration} /> : null;
}

function Facts({ title, file }: { title: Title; file: TitleFile | undefined }) {
  const parts: string[] = [];
  if (title.year) parts.push(String(title.year));
  if (file?.duration) parts.push(shortDuration(file.duration));
  return <p class="facts">{parts.join(' · ')}</p>;
}

function ShowCard({ title, seasons }: { title: Title; seasons: NonNullable<Title['seasons']> }) {
  const count = seasons.reduce((sum, { episodes }) => sum + episodes, 0);
  const main = seasons.filter(({ season }) => season > 0);
  const left = main.reduce((sum, { episodes, watched }) => sum + episodes - watched, 0);
  const isBegun = main.some(({ watched }) => watched > 0);
  const state = WORDS[title.state];
  return (
    <li class="title-card">
      <a class="cover" href={at(`/show/${encodeURIComponent(title.id)}`)}>
        <Poster title={title.title} year={title.year ?? undefined} /><span class="cover-play"><Icon name="play" /></span>
      </a>
      <div class="name-row">
        <div>
          <h2>{title.title}</h2>
          <p class="facts">{[main.length > 1 ? t('show.seasons', { count: main.length }) : undefined, t('show.episodes', { count })].filter(Boolean).join(' · ')}</p>
        </div>
        <LaterButton item={{ ...title, here: true }} />
      </div>
      {state && <p class="chip">{t(state)}</p>}
      {title.watched === true ? <p class="chip">{t('card.watched')}</p> : isBegun && <p class="chip">{t('show.left', { count: left })}</p>}
    </li>
  );
}

export function TitleCard({ title }: { title: Title }) {
  if (title.seasons) return <ShowCard title={title} seasons={title.seasons} />;
  const { files } = title;
  const left = files.find(({ id, state: each }) => id === title.progress?.file && each === 'ready'); // gone on with, if begun
  const file = left ?? files.find(canPlay) ?? files[0];
  const state = WORDS[title.state];
  const poster = <Poster title={title.title} year={title.year ?? undefined} />;
  const others = files.filter((each) => each !== file && canPlay(each));
  return (
    <li class="title-card">
      {file && canPlay(file)
        ? (
          <a class="cover" href={at(`/watch/${encodeURIComponent(file.id)}`)}>
            <span class="unseen">{t('play')} </span>{poster}<span class="cover-play"><Icon name="play" /></span><Progress title={title} />
          </a>
        )
        : <div class="cover idle">{poster}</div>}
      <div class="name-row">
        <div><h2>{title.title}</h2><Facts title={title} file={file} /></div>
        <LaterButton item={{ ...title, here: true }} />
      </div>
      {state && <p class="chip">{t(state)}</p>}
      {title.watched === true && !title.progress && <p class="chip">{t('card.watched')}</p>}
      {others.length > 0 && (
        <details>
          <summary>{t('card.versions', { count: others.length })}</summary>
          <ul>{others.map((each) => <li key={each.id}><a href={at(`/watch/${encodeURIComponent(each.id)}`)}>{each.name}</a></li>)}</ul>
        </details>
      )}
    </li>
  );
}
