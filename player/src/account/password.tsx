// SPDX-License-Identifier: GPL-3.0-or-later
// A new password, by the present one; the first one of who came in by others.
import { useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { t } from '../i18n';
import { Field } from '../parts/field';
import { announce } from '../parts/live';
import { useAction } from '../parts/use-action';
import { me } from '../store';

const change = (body: Shape<'PasswordWish'>) => call('PUT', '/me/password', { body });

export function Password({ onChanged }: { onChanged: () => void }) {
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [done, setDone] = useState(false);
  const has = me.value?.has_password ?? true;
  const { busy, problem, errorOf, run } = useAction(['current', 'password']);
  const submit = async (event: Event) => {
    event.preventDefault();
    setDone(false);
    if (!await run(() => change(has ? { current, password } : { password }))) return;
    setCurrent('');
    setPassword('');
    setDone(true);
    if (me.value) me.value = { ...me.value, has_password: true };
    announce(t('account.changed'));
    onChanged();
  };
  return (
    <section class="panel" aria-labelledby="password">
      <h2 id="password">{t('login.password')}</h2>
      <form class="fields" onSubmit={(event) => void submit(event)}>
        {problem && <p class="banner" role="alert">{problem}</p>}
        {/* For the browser's own list of passwords. */}
        <input class="unseen" name="username" autocomplete="username" value={me.value?.username} readOnly tabIndex={-1} aria-hidden="true" />
        {!has && <p class="hint">{t('account.noPassword')}</p>}
        {has && <Field label={t('account.current')} name="current" value={current} onValue={setCurrent} secret autocomplete="current-password" error={errorOf('current')} />}
        <Field label={t('account.newPassword')} name="password" value={password} onValue={setPassword} secret autocomplete="new-password" hint={t('setup.passwordHint')} error={errorOf('password')} />
        <div class="do"><button class="primary" disabled={busy}>{t(has ? 'account.change' : 'account.setFirst')}</button>{done && <p>{t('account.changed')}</p>}</div>
      </form>
    </section>
  );
}
