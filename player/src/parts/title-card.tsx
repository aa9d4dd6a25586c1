// SPDX-License-Identifier: GPL-3.0-or-later
// One film in the grid: poster, title, year and length, its state when it is not simply ready, and how
// far one got. A title with several files plays the first that can be played and lists the others.
import type { Title, TitleFile } from '../api';
import { at } from '../base';
import { shortDuration, spokenTime, t, type Key } from '../i18n';
import { placeOf } from '../prefs';
import { Icon } from './icon';
import { Poster } from './poster';

const WORDS: Partial<Record<Title['state'], Key>> = { waiting: 'state.waiting', offline: 'state.offline' };

const canPlay = (file: TitleFile): boolean => file.state === 'ready';

function Progress({ file }: { file: TitleFile }) {
  const place = placeOf(file.id);
  if (!place) return null;
  const share = Math.round((place.seconds / place.duration) * 100);
  return (
    <span class="watched">
      <span style={{ '--share': `${share}%` }} />
      <span class="unseen">{t('card.left', { time: spokenTime(place.duration - place.seconds, true) })}</span>
    </span>
  );
}

function Facts({ title, file }: { title: Title; file: TitleFile | undefined }) {
  const parts: string[] = [];
  if (title.year) parts.push(String(title.year));
  if (file?.duration) parts.push(shortDuration(file.duration));
  return <p class="facts">{parts.join(' · ')}</p>;
}

export function TitleCard({ title }: { title: Title }) {
  const { files } = title;
  const file = files.find(canPlay) ?? files[0];
  const state = WORDS[title.state];
  const poster = <Poster title={title.title} year={title.year ?? undefined} />;
  const others = files.filter((each) => each !== file && canPlay(each));
  return (
    <li class="title-card">
      {file && canPlay(file)
        ? (
          <a class="cover" href={at(`/watch/${encodeURIComponent(file.id)}`)}>
            <span class="unseen">{t('play')} </span>{poster}<span class="cover-play"><Icon name="play" /></span><Progress file={file} />
          </a>
        )
        : <div class="cover idle">{poster}</div>}
      <h2>{title.title}</h2>
      <Facts title={title} file={file} />
      {state && <p class="chip">{t(state)}</p>}
      {others.length > 0 && (
        <details>
          <summary>{t('card.versions', { count: others.length })}</summary>
          <ul>{others.map((each) => <li key={each.id}><a href={at(`/watch/${encodeURIComponent(each.id)}`)}>{each.name}</a></li>)}</ul>
        </details>
      )}
    </li>
  );
}
