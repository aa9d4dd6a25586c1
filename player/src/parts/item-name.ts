// SPDX-License-Identifier: GPL-3.0-or-later
// How an item is called: a film by its title, an episode by its show, its place there and its own title.
import type { Shape } from '../api';
import { t } from '../i18n';

export type Named = Pick<Shape<'ItemSummary'>, 'title' | 'show' | 'season' | 'episode'> & { last_episode?: number | undefined };

/** "S1 E2", "S1 E2–3" */
export function episodeMark({ season = 1, episode = 1, last_episode: last = episode }: Named): string {
  return t('episode.mark', { season: String(season), episode: last > episode ? `${episode}–${last}` : String(episode) });
}

export function itemName(item: Named): string {
  if (!item.show) return item.title;
  return [item.show.title, episodeMark(item), item.title].filter(Boolean).join(' · ');
}
