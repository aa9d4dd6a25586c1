// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps a film for later, or no longer.
import type { ItemSummary } from '../api';
import { t } from '../i18n';
import { later, setLater } from '../store';
import { Icon } from './icon';
import { announce } from './live';
import { wordsOf } from './words';

export function LaterButton({ item: { id, kind, title, year, poster, here } }: { item: ItemSummary }) {
  const kept = later.value.some((each) => each.item.id === id);
  const press = () => {
    // What went wrong is said to all, as there is no room for words.
    setLater({ id, kind, title, year, poster, here }, !kept).catch((error: unknown) => announce(wordsOf(error)));
  };
  return (
    <button type="button" class="quiet" aria-pressed={kept} title={t('later.put')} onClick={press}>
      <Icon name={kept ? 'bookmarked' : 'bookmark'} /><span class="unseen">{t('later.put')}: {title}</span>
    </button>
  );
}
