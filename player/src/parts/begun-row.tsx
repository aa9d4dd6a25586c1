// SPDX-License-Identifier: GPL-3.0-or-later
// What was begun, in a row above the films; each goes on where it was left.
import type { Begun } from '../api';
import { at } from '../base';
import { spokenTime, t } from '../i18n';
import { begun, hideBegun } from '../store';
import { Icon } from './icon';
import { itemName } from './item-name';
import { announceGone } from './live';
import { Poster } from './poster';
import { Share } from './share';
import { useAction } from './use-action';

function BegunCard({ each }: { each: Begun }) {
  const { item, file, position, duration } = each;
  const name = itemName(item);
  const { busy, problem, run } = useAction();
  const hide = async () => {
    if (!await run(() => hideBegun(item.id))) return;
    announceGone(t('begun.hidden', { name }));
  };
  if (file === null) return null;
  return (
    <li class="title-card">
      <a class="cover" href={at(`/watch/${encodeURIComponent(file)}`)}>
        <span class="unseen">{t('play')} </span><Poster title={item.show?.title ?? item.title} year={item.year ?? undefined} />
        <span class="cover-play"><Icon name="play" /></span>
        {duration !== null && duration > 0 && <Share seconds={position} duration={duration} />}
      </a>
      <div class="name-row">
        <div>
          <h3>{name}</h3>
          {duration !== null && <p class="facts">{t('card.left', { time: spokenTime(Math.max(60, duration - position), true) })}</p>}
        </div>
        <button type="button" class="quiet" aria-disabled={busy} title={t('begun.hide')} onClick={() => void hide()}>
          <Icon name="close" /><span class="unseen">{t('begun.hide')}: {name}</span>
        </button>
      </div>
      {problem && <p class="error" role="alert">{problem}</p>}
    </li>
  );
}

export function BegunRow() {
  const list = begun.value.filter(({ file }) => file !== null);
  if (list.length === 0) return null;
  return (
    <section class="begun" aria-labelledby="begun">
      <h2 id="begun">{t('begun.title')}</h2>
      <ul tabIndex={-1}>{list.map((each) => <BegunCard key={each.item.id} each={each} />)}</ul>
    </section>
  );
}
