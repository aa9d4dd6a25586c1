// SPDX-License-Identifier: GPL-3.0-or-later
// What comes after an episode: offered while its names run, and begun some seconds after its end unless that is called
// off, or one has said that nothing is to begin by itself.
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import type { Title } from '../api';
import { at } from '../base';
import { t } from '../i18n';
import { episodeMark } from '../parts/item-name';
import { announce } from '../parts/live';
import { fileToPlay, nextOf } from '../shows/next';
import { likes } from './likes';
import type { Player } from './player';

const OFFER_SECONDS = 35;
const BEGIN_SECONDS = 8;

function useNext(item: string): Title | undefined {
  const [next, setNext] = useState<Title>();
  useEffect(() => {
    const ends = new AbortController();
    nextOf(item, ends.signal).then((found) => setNext(found ?? undefined), () => undefined);
    return () => ends.abort();
  }, [item]);
  return next;
}

/** Seconds that are left of `BEGIN_SECONDS`, while `on`. */
function useCountdown(on: boolean): number {
  const [left, setLeft] = useState(BEGIN_SECONDS);
  useEffect(() => {
    setLeft(BEGIN_SECONDS);
    if (!on) return undefined;
    const timer = setInterval(() => setLeft((before) => before - 1), 1000);
    return () => clearInterval(timer);
  }, [on]);
  return left;
}

export function NextUp({ player, item }: { player: Player; item: string }) {
  const { route } = useLocation();
  const next = useNext(item);
  const [off, setOff] = useState(false);
  const { ended, duration } = player.snapshot.value;
  const nearEnd = duration > 2 * OFFER_SECONDS && player.position() >= duration - OFFER_SECONDS;
  const credits = player.scrub.markers.all.value.some(({ kind, start }) => kind === 'credits' && player.position() >= start);
  const file = next && fileToPlay(next);
  const counts = ended && !off && file !== undefined && likes().autoplay !== false;
  const left = useCountdown(counts);
  const href = file === undefined ? undefined : at(`/watch/${encodeURIComponent(file)}`);
  const name = next ? [episodeMark(next), next.title].filter(Boolean).join(' · ') : '';
  const failed = player.failure.value !== undefined;
  const isOffered = href !== undefined && !off && !failed && (ended || nearEnd || credits);
  useEffect(() => {
    if (isOffered) announce(t('next.offer', { name }));
  }, [isOffered, name]);
  useEffect(() => {
    if (counts && left <= 0 && href !== undefined) route(href, true);
  }, [counts, left, href]);
  if (!isOffered) return null;
  return (
    <div class="next-up">
      <p>{counts ? t('next.begins', { name, seconds: Math.max(0, left) }) : t('next.offer', { name })}</p>
      <div class="choices">
        <button type="button" class="primary" onClick={() => route(href, true)}>{t('next.play')}</button>
        <button type="button" onClick={() => setOff(true)}>{t('next.off')}</button>
      </div>
    </div>
  );
}
