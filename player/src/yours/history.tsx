// SPDX-License-Identifier: GPL-3.0-or-later
// What one watched, the latest first, page by page; an entry can be taken out.
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { at } from '../base';
import { clock, day, t } from '../i18n';
import { Entry } from '../parts/entry';
import { Icon } from '../parts/icon';
import { itemName } from '../parts/item-name';
import { useAction } from '../parts/use-action';

type Sitting = Shape<'Sitting'>;

const load = (cursor: string | undefined, signal: AbortSignal) =>
  call<Shape<'History'>>('GET', `/history?limit=20${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, { signal });

function Row({ sitting, onRemoved }: { sitting: Sitting; onRemoved: () => void }) {
  const { id, item, file, completed, position } = sitting;
  const when = day(sitting.at);
  const name = itemName(item);
  return (
    <Entry
      name={item.here && file !== null ? <a href={at(`/watch/${encodeURIComponent(file)}`)}>{name}</a> : name}
      facts={completed ? t('history.whole', { day: when }) : t('history.part', { day: when, time: clock(position) })}
      path={`/history/${encodeURIComponent(id)}`}
      button={<><Icon name="remove" /><span class="unseen">{t('history.remove')}: {name}, {when}</span></>}
      gone={t('removed', { name })} onEnded={onRemoved}
    />
  );
}

export function History() {
  const [items, setItems] = useState<Sitting[]>();
  const [next, setNext] = useState<string | null>(null);
  const { problem, run } = useAction();
  const ends = useRef(new AbortController());
  const more = (cursor: string | undefined) => run(async () => {
    const page = await load(cursor, ends.current.signal);
    setItems((before) => [...(cursor === undefined ? [] : before ?? []), ...page.items]);
    setNext(page.next);
  });
  useEffect(() => {
    ends.current = new AbortController();
    void more(undefined);
    return () => ends.current.abort();
  }, []);
  return (
    <section class="history" aria-labelledby="history">
      <h2 id="history">{t('history.title')}</h2>
      {problem && !ends.current.signal.aborted && <p class="error" role="alert">{problem}</p>}
      {items?.length === 0 && next === null && <p class="hint">{t('history.empty')}</p>}
      {items !== undefined && items.length > 0 && (
        <ul class="rows panel">
          {items.map((each) => <Row key={each.id} sitting={each} onRemoved={() => setItems((all) => all?.filter(({ id }) => id !== each.id))} />)}
        </ul>
      )}
      {next !== null && <button type="button" onClick={() => void more(next)}>{t('history.more')}</button>}
    </section>
  );
}
