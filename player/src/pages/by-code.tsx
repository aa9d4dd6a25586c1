// SPDX-License-Identifier: GPL-3.0-or-later
// The pages that a link of an administrator opens: /invite#CODE makes an account, /reset#CODE sets a
// password. The code stands behind the #, so that it comes into no log of a server or proxy.
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { at } from '../base';
import { t, type Key } from '../i18n';
import { Field } from '../parts/field';
import { Frame, usePageTitle } from '../parts/frame';
import { useAction } from '../parts/use-action';
import { register, resetPassword, status } from '../store';

/** Also of a link that is opened over another: the browser loads nothing then. */
export function useCode(): string {
  const [code, setCode] = useState(() => location.hash.slice(1));
  useEffect(() => {
    const look = () => setCode(location.hash.slice(1));
    window.addEventListener('hashchange', look);
    return () => window.removeEventListener('hashchange', look);
  }, []);
  return code;
}

/** A link that was cut short on its way to whom it is for. */
export function Cut({ title }: { title: Key }) {
  return (
    <Frame bare>
      <h1>{t(title)}</h1>
      <p class="banner" role="alert">{t('code.cut')}</p>
      <a class="button" href={at('/')}>{t('login.title')}</a>
    </Frame>
  );
}

export function Invited() {
  usePageTitle(t('invite.title'));
  const { route } = useLocation();
  const code = useCode();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState<string>();
  const { busy, problem, errorOf, run } = useAction(['username', 'password', 'email']);
  const byLetter = code === '' && status.value?.features['mail'] === true;
  if (code === '' && status.value?.registration !== 'open') return <Cut title="invite.title" />;
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const letter = await register(code, username.trim(), password, byLetter ? email.trim() : '');
      if (letter === undefined) route(at('/'), true);
      else setSent(letter);
    });
  };
  if (sent !== undefined) return <Frame bare><h1>{t('login.register')}</h1><p role="status">{t('email.sent', { email: sent })}</p></Frame>;
  return (
    <Frame bare>
      <h1>{t(code === '' ? 'login.register' : 'invite.title')}</h1>
      <p class="lead">{t('invite.lead')}</p>
      <form onSubmit={(event) => void submit(event)}>
        {problem && <p class="banner" role="alert">{problem}</p>}
        <Field label={t('login.username')} name="username" value={username} onValue={setUsername} autocomplete="username" error={errorOf('username')} />
        <Field label={t('login.password')} name="password" value={password} onValue={setPassword} secret autocomplete="new-password" hint={t('setup.passwordHint')} error={errorOf('password')} />
        {byLetter && <Field label={t('email.label')} name="email" value={email} onValue={setEmail} autocomplete="email" hint={t('email.hint')} error={errorOf('email')} />}
        <button class="primary" disabled={busy}>{t(busy ? 'setup.busy' : 'setup.submit')}</button>
      </form>
    </Frame>
  );
}

export function NewPassword() {
  usePageTitle(t('reset.title'));
  const { route } = useLocation();
  const code = useCode();
  const [password, setPassword] = useState('');
  const { busy, problem, errorOf, run } = useAction(['password']);
  if (code === '') return <Cut title="reset.title" />;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await run(() => resetPassword(code, password))) route(at('/'), true);
  };
  return (
    <Frame bare>
      <h1>{t('reset.title')}</h1>
      <p class="lead">{t('reset.lead')}</p>
      <form onSubmit={(event) => void submit(event)}>
        {problem && <p class="banner" role="alert">{problem}</p>}
        <Field label={t('account.newPassword')} name="password" value={password} onValue={setPassword} secret autocomplete="new-password" hint={t('setup.passwordHint')} error={errorOf('password')} />
        <button class="primary" disabled={busy}>{t('reset.submit')}</button>
      </form>
    </Frame>
  );
}
