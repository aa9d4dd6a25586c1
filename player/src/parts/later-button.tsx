// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps a film for later, or no longer.
import type { ItemSummary } from '../api';
import { t } from '../i18n';
import { later, setLater } from '../store';
import { Icon } from './icon';
import { itemName } from './item-name';
import { useAction } from './use-action';

export function LaterButton({ item, onTaken }: { item: ItemSummary; onTaken?: () => void }) {
  const { id, kind, title, year, poster, here } = item;
  const { busy, problem, run } = useAction();
  const kept = later.value?.some((each) => each.item.id === id) ?? false;
  const press = async () => {
    if (await run(() => setLater({ id, kind, title, year, poster, here }, !kept)) && kept) onTaken?.();
  };
  return (
    <>
      <button type="button" class="quiet" aria-pressed={kept} aria-disabled={busy} title={t('later.put')} onClick={() => void press()}>
        <Icon name={kept ? 'bookmarked' : 'bookmark'} /><span class="unseen">{t('later.put')}: {itemName(item)}</span>
      </button>
      {problem && <p class="error" role="alert">{problem}</p>}
    </>
  );
}
