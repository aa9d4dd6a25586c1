// SPDX-License-Identifier: GPL-3.0-or-later
// User name and password; used by the sign-in page and, over the player, when a session has ended.
import { useState } from 'preact/hooks';
import { Problem } from '../api';
import { t } from '../i18n';
import { signIn } from '../store';
import { Field } from './field';
import { wordsOf } from './words';

export function SignInForm({ onDone }: { onDone?: () => void }) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(username, password);
      onDone?.();
    } catch (problem) {
      const wrong = problem instanceof Problem && problem.status === 401;
      setError(wrong ? t('login.wrong') : wordsOf(problem));
    }
    setBusy(false);
  };

  return (
    <form onSubmit={(event) => void submit(event)}>
      {error && <p class="banner" role="alert">{error}</p>}
      <Field label={t('login.username')} name="username" value={username} onValue={setUsername} autocomplete="username" />
      <Field label={t('login.password')} name="password" value={password} onValue={setPassword} secret autocomplete="current-password" />
      <button class="primary" disabled={busy}>{t(busy ? 'login.busy' : 'login.submit')}</button>
    </form>
  );
}
