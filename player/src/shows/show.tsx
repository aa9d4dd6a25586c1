// SPDX-License-Identifier: GPL-3.0-or-later
// The page /show/:id: the seasons of a show, their episodes, and the one to go on with.
import { useEffect, useRef, useState } from 'preact/hooks';
import { useRoute } from 'preact-iso';
import { call, getTitle, isSignedOut, listen, Problem, type News, type Shape, type Title } from '../api';
import { at } from '../base';
import { shortDuration, t } from '../i18n';
import { Frame, usePageTitle } from '../parts/frame';
import { Icon } from '../parts/icon';
import { episodeMark } from '../parts/item-name';
import { LaterButton } from '../parts/later-button';
import { announce } from '../parts/live';
import { Poster } from '../parts/poster';
import { Share } from '../parts/share';
import { useAction } from '../parts/use-action';
import { wordsOf } from '../parts/words';
import { hasEvents, whileVisible } from '../refresh';
import { listShown, loadLater, sessionEnded } from '../store';
import { warmPlayer } from '../warm';
import { fileToPlay, nextOf } from './next';
import '../styles/shows.css';

interface All { show: Title; episodes: Title[]; next: Title | null }

async function load(id: string, signal: AbortSignal): Promise<All> {
  const path = `/titles/${encodeURIComponent(id)}/episodes`;
  const [show, episodes, next] = await Promise.all([
    getTitle(id, signal), call<Shape<'Episodes'>>('GET', path, { signal }), nextOf(id, signal),
  ]);
  return { show, episodes: episodes.items, next };
}

/** Its own title, or which one it is. */
const nameOf = (episode: Title): string => episode.title || t('episode.nth', { number: String(episode.episode ?? 1) });

function Watched({ path, on, name, onChanged }: { path: string; on: boolean; name: string; onChanged: () => void }) {
  const { busy, problem, run } = useAction();
  const press = async () => {
    if (!await run(() => call(on ? 'DELETE' : 'PUT', path))) return;
    announce(t(on ? 'episode.unmarked' : 'episode.marked', { name }));
    onChanged();
  };
  return (
    <>
      <button type="button" class="quiet" aria-pressed={on} aria-disabled={busy} title={t('episode.watched')} onClick={() => void press()}>
        <Icon name="check" /><span class="unseen">{t('episode.watched')}: {name}</span>
      </button>
      {problem && <p class="error" role="alert">{problem}</p>}
    </>
  );
}

function Episode({ episode, onChanged }: { episode: Title; onChanged: () => void }) {
  const file = fileToPlay(episode);
  const name = nameOf(episode);
  const { progress, reason } = episode;
  const duration = episode.files[0]?.duration;
  const shown = <><span class="number" aria-hidden="true">{episode.episode}</span><span>{name}</span></>;
  return (
    <li class={episode.watched === true ? 'episode seen' : 'episode'}>
      <div>
        {file === undefined ? <p class="name">{shown}</p> : (
          <a class="name" href={at(`/watch/${encodeURIComponent(file)}`)}>
            <span class="unseen">{t('play')} {episodeMark(episode)}: </span>{shown}
          </a>
        )}
        {progress && progress.duration !== null && <Share seconds={progress.position} duration={progress.duration} />}
        {file === undefined && <p class="facts">{reason ?? t('state.waiting')}</p>}
      </div>
      {duration !== undefined && duration !== null && <span class="facts">{shortDuration(duration)}</span>}
      <Watched path={`/watched/${encodeURIComponent(episode.id)}`} on={episode.watched === true} name={name} onChanged={onChanged} />
    </li>
  );
}

function Season({ number, all, onChanged }: { number: number; all: All; onChanged: () => void }) {
  const name = number === 0 ? t('show.specials') : t('show.season', { number: String(number) });
  const episodes = all.episodes.filter(({ season }) => season === number);
  const seen = episodes.every(({ watched }) => watched === true);
  return (
    <section aria-labelledby={`season-${number}`}>
      <div class="season-head">
        <h2 id={`season-${number}`}>{name}</h2>
        <Watched path={`/watched/${encodeURIComponent(all.show.id)}?season=${number}`} on={seen} name={name} onChanged={onChanged} />
      </div>
      <ol class="episodes panel">{episodes.map((each) => <Episode key={each.id} episode={each} onChanged={onChanged} />)}</ol>
    </section>
  );
}

function GoOn({ next }: { next: Title }) {
  const file = fileToPlay(next);
  if (file === undefined) return null;
  return (
    <a class="button primary" href={at(`/watch/${encodeURIComponent(file)}`)}>
      <Icon name="play" />{t(next.progress ? 'show.goOn' : 'show.playNext', { mark: episodeMark(next) })}
    </a>
  );
}

const SETTLE_MS = 400; // news come in bursts

function useAll(id: string): { all: All | undefined; problem: unknown; reload: () => void } {
  const [all, setAll] = useState<All>();
  const [problem, setProblem] = useState<unknown>();
  const ends = useRef(new AbortController());
  const reload = () => {
    const { signal } = ends.current;
    load(id, signal).then((next) => {
      if (signal.aborted) return;
      setAll(next);
      setProblem(undefined);
    }, (error: unknown) => {
      if (signal.aborted) return;
      if (isSignedOut(error)) sessionEnded();
      setProblem(error);
    });
  };
  useEffect(() => {
    ends.current = new AbortController();
    const { signal } = ends.current;
    let timer = 0;
    listShown('/');
    warmPlayer(signal);
    setAll(undefined);
    reload();
    void loadLater(signal);
    const heard = (news: News) => {
      if (news.type !== 'title' && news.type !== 'title-gone') return;
      clearTimeout(timer);
      timer = window.setTimeout(reload, SETTLE_MS);
    };
    window.addEventListener('focus', reload, { signal });
    if (hasEvents()) whileVisible(() => listen(['library'], { heard }), signal);
    return () => {
      clearTimeout(timer);
      ends.current.abort();
    };
  }, [id]);
  return { all, problem, reload };
}

export function Show() {
  const id = useRoute().params['id'] ?? '';
  const { all, problem, reload } = useAll(id);
  usePageTitle(all?.show.title);
  const isGone = problem instanceof Problem && problem.status === 404;
  const words = problem !== undefined && <p class="banner" role="alert">{isGone ? t('show.gone') : wordsOf(problem)}</p>;
  if (!all || isGone) return <Frame>{words || <div class="column" aria-busy="true" />}</Frame>;
  const { show, next } = all;
  return (
    <Frame>
      <div class="show">
        {words}
        <div class="show-head">
          <div class="cover"><Poster title={show.title} year={show.year ?? undefined} /></div>
          <div>
            <h1>{show.title}</h1>
            {show.year !== null && <p class="facts">{show.year}</p>}
            <p class="do">{next && <GoOn next={next} />}<LaterButton item={{ ...show, here: true }} /></p>
          </div>
        </div>
        {[...show.seasons ?? []].sort((a, b) => Number(a.season === 0) - Number(b.season === 0) || a.season - b.season)
          .map(({ season }) => <Season key={season} number={season} all={all} onChanged={reload} />)}
      </div>
    </Frame>
  );
}
