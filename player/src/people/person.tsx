// SPDX-License-Identifier: GPL-3.0-or-later
// One account, as an administrator sees it: what it may, a link for a new password, its end.
import { useId, useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { at } from '../base';
import { day, t } from '../i18n';
import { Confirm } from '../parts/confirm';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { Secret } from '../parts/secret';
import { useAction } from '../parts/use-action';
import { load, me } from '../store';
import { BoundsFields, boundsOf, boundsWords, wishOf } from './bounds';

type User = Shape<'User'>;

const pathOf = ({ id }: User) => `/users/${encodeURIComponent(id)}`;

/** A link of this server, as others reach it: by the name that this page has. */
export const linkTo = (page: string, code: string) => `${location.origin}${at(page)}#${code}`;

/** Seen from the server itself, its name here is of no use elsewhere. */
const isLocal = () => /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
export const linkHint = (words: string) => (isLocal() ? `${words} ${t('people.localLink')}` : words);

function Edit({ user, onChanged }: { user: User; onChanged: () => Promise<void> }) {
  const [bounds, setBounds] = useState(() => boundsOf(user));
  const { busy, problem, run } = useAction();
  const save = async (event: Event) => {
    event.preventDefault();
    if (!await run(() => call('PATCH', pathOf(user), { body: wishOf(bounds) }))) return;
    announce(t('people.saved', { name: user.username }));
    await onChanged();
    if (user.id === me.value?.id) await load();
  };
  return (
    <form class="fields" onSubmit={(event) => void save(event)}>
      {problem && <p class="banner" role="alert">{problem}</p>}
      <BoundsFields bounds={bounds} onChange={setBounds} />
      <div class="do"><button class="primary" disabled={busy}>{t('people.save')}</button></div>
    </form>
  );
}

function Reset({ user }: { user: User }) {
  const [made, setMade] = useState<Shape<'Code'>>();
  const { busy, problem, run } = useAction();
  const make = () => run(async () => setMade(await call<Shape<'Code'>>('POST', `${pathOf(user)}/reset`)));
  if (made) return <Secret label={t('people.resetLink')} text={linkTo('/reset', made.code)} hint={linkHint(t('people.resetHint'))} />;
  return (
    <>
      <button type="button" class="quiet" aria-disabled={busy} onClick={() => void make()}>{t('people.reset')}</button>
      {problem && <p class="error" role="alert">{problem}</p>}
    </>
  );
}

function Disable({ user, onChanged }: { user: User; onChanged: () => Promise<void> }) {
  const { busy, problem, run } = useAction();
  const press = async () => {
    if (await run(() => call('PATCH', pathOf(user), { body: { disabled: !user.disabled } }))) await onChanged();
  };
  return (
    <>
      <button type="button" class="quiet" aria-disabled={busy} onClick={() => void press()}>{t(user.disabled ? 'people.enable' : 'people.disable')}</button>
      {problem && <p class="error" role="alert">{problem}</p>}
    </>
  );
}

function Remove({ user, onChanged }: { user: User; onChanged: () => Promise<void> }) {
  const [asks, setAsks] = useState(false);
  const name = user.username;
  const remove = async () => {
    await call('DELETE', pathOf(user));
    announce(t('people.removed', { name }));
    await onChanged();
  };
  return (
    <>
      <button type="button" class="quiet" aria-haspopup="dialog" onClick={() => setAsks(true)}><Icon name="remove" />{t('people.remove')}</button>
      {asks && (
        <Confirm
          title={t('people.removeTitle')} text={t('people.removeText', { name })} yes={t('people.remove')} no={t('downloads.keep')}
          onYes={remove} onClose={() => setAsks(false)}
        />
      )}
    </>
  );
}

export function Person({ user, onChanged }: { user: User; onChanged: () => Promise<void> }) {
  const id = useId();
  const isSelf = user.id === me.value?.id;
  return (
    <li class="person panel" aria-labelledby={id}>
      <div>
        <h2 id={id}>{user.username}{isSelf && <span class="chip">{t('people.you')}</span>}{user.disabled && <span class="chip">{t('people.isDisabled')}</span>}</h2>
        <p class="facts">{boundsWords(boundsOf(user))} · {t('people.since', { day: day(user.created) })}</p>
      </div>
      <details>
        <summary>{t('people.change')}<span class="unseen"> {user.username}</span></summary>
        <Edit user={user} onChanged={onChanged} />
        {!isSelf && <div class="do"><Reset user={user} /><Disable user={user} onChanged={onChanged} /><Remove user={user} onChanged={onChanged} /></div>}
      </details>
    </li>
  );
}
