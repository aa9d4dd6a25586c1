// SPDX-License-Identifier: GPL-3.0-or-later
// One's passkeys. Where this browser has none, those of others are shown all the same.
import { useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { day, t } from '../i18n';
import { Entry } from '../parts/entry';
import { Field } from '../parts/field';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { useAction, useList } from '../parts/use-action';
import { hasPasskeys, makePasskey } from '../passkey';
import { deviceOf } from './device';

type Passkey = Shape<'Passkey'>;

function PasskeyRow({ held, onEnded }: { held: Passkey; onEnded: () => void }) {
  const used = held.seen ? t('passkeys.seen', { day: day(held.seen) }) : t('passkeys.made', { day: day(held.created) });
  return (
    <Entry
      name={held.name} facts={held.site === location.hostname ? used : `${used} · ${t('passkeys.site', { name: held.site })}`}
      path={`/me/passkeys/${encodeURIComponent(held.id)}`}
      button={<><Icon name="remove" />{t('passkeys.remove')}<span class="unseen"> {held.name}</span></>}
      gone={t('removed', { name: held.name })} onEnded={onEnded}
    />
  );
}

function Make({ onMade }: { onMade: () => void }) {
  const [name, setName] = useState(() => deviceOf(navigator.userAgent));
  const { busy, problem, errorOf, run } = useAction(['name']);
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const made = await makePasskey(name.trim());
      if (!made) return;
      announce(t('passkeys.added', { name: made.name }));
      onMade();
    });
  };
  return (
    <form class="fields" onSubmit={(event) => void submit(event)}>
      {problem && <p class="banner" role="alert">{problem}</p>}
      <Field label={t('passkeys.name')} name="name" value={name} onValue={setName} error={errorOf('name')} />
      <div class="do"><button disabled={busy}>{t('passkeys.add')}</button></div>
    </form>
  );
}

export function Passkeys() {
  const list = useList((signal) => call<Shape<'Passkeys'>>('GET', '/me/passkeys', { signal }));
  const can = hasPasskeys();
  if (!can && (list.items ?? []).length === 0) return null;
  return (
    <section class="panel" aria-labelledby="passkeys">
      <h2 id="passkeys">{t('passkeys.title')}</h2>
      <p>{t('passkeys.lead')}</p>
      {list.problem && <p class="error" role="alert">{list.problem}</p>}
      {list.items && list.items.length > 0 && <ul class="rows">{list.items.map((each) => <PasskeyRow key={each.id} held={each} onEnded={() => void list.reload()} />)}</ul>}
      {can && <Make onMade={() => void list.reload()} />}
    </section>
  );
}
