// SPDX-License-Identifier: GPL-3.0-or-later
// Keys by which programs use the API: made with what they may, told once, ended here.
import { useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { day, t } from '../i18n';
import { Entry } from '../parts/entry';
import { Field } from '../parts/field';
import { Icon } from '../parts/icon';
import { Secret } from '../parts/secret';
import { useAction, useList } from '../parts/use-action';
import { isAdmin, isChild } from '../store';

type Key = Shape<'Key'>;
type Scope = Shape<'Scope'>;

/** What one's role lets one hand on. */
function scopesOf(): Scope[] {
  if (isChild.value) return ['read', 'play'];
  return isAdmin.value ? ['read', 'play', 'request', 'download', 'metrics', 'admin'] : ['read', 'play', 'request', 'download'];
}

function KeyRow({ held, onEnded }: { held: Key; onEnded: () => void }) {
  const may = held.scopes.map((scope) => t(`scope.${scope}`)).join(', ');
  return (
    <Entry
      name={held.name} facts={`${may} · ${held.seen ? t('apiKeys.seen', { day: day(held.seen) }) : t('apiKeys.unseen')}`}
      path={`/me/keys/${encodeURIComponent(held.id)}`}
      button={<><Icon name="remove" />{t('apiKeys.end')}<span class="unseen"> {held.name}</span></>}
      gone={t('removed', { name: held.name })} onEnded={onEnded}
    />
  );
}

function Make({ onMade }: { onMade: (key: Shape<'NewKey'>) => void }) {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<Scope[]>(['read', 'play']);
  const { busy, problem, errorOf, run } = useAction(['name']);
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const key = await call<Shape<'NewKey'>>('POST', '/me/keys', { body: { name: name.trim(), scopes } });
      setName('');
      onMade(key);
    });
  };
  return (
    <form class="fields" onSubmit={(event) => void submit(event)}>
      {problem && <p class="banner" role="alert">{problem}</p>}
      <Field label={t('apiKeys.name')} name="name" value={name} onValue={setName} hint={t('apiKeys.nameHint')} error={errorOf('name')} />
      <fieldset class="choice">
        <legend>{t('apiKeys.may')}</legend>
        {scopesOf().map((scope) => (
          <label key={scope}>
            <input
              type="checkbox" name="scopes" checked={scopes.includes(scope)}
              onChange={(event) => setScopes(event.currentTarget.checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
            />
            {t(`scope.${scope}`)}
          </label>
        ))}
      </fieldset>
      <div class="do"><button disabled={busy || scopes.length === 0}>{t('apiKeys.make')}</button></div>
    </form>
  );
}

export function Keys() {
  const list = useList((signal) => call<Shape<'Keys'>>('GET', '/me/keys', { signal }));
  const [made, setMade] = useState<Shape<'NewKey'>>();
  const ended = (id: string) => {
    setMade((last) => (last?.id === id ? undefined : last));
    void list.reload();
  };
  return (
    <section class="panel" aria-labelledby="keys">
      <h2 id="keys">{t('apiKeys.title')}</h2>
      {list.problem && <p class="error" role="alert">{list.problem}</p>}
      {list.items && list.items.length > 0 && <ul class="rows">{list.items.map((each) => <KeyRow key={each.id} held={each} onEnded={() => ended(each.id)} />)}</ul>}
      {made && <Secret key={made.id} label={t('apiKeys.made')} text={made.key} hint={t('apiKeys.madeHint')} />}
      <details>
        <summary>{t('apiKeys.new')}</summary>
        <Make onMade={(key) => { setMade(key); void list.reload(); }} />
      </details>
    </section>
  );
}
