// SPDX-License-Identifier: GPL-3.0-or-later
// First run: the code that the server printed, and the first account, which is the admin's.
import { useState } from 'preact/hooks';
import { Problem } from '../api';
import { LANGUAGES, isLanguage, language, speak, t } from '../i18n';
import { Field } from '../parts/field';
import { Frame, usePageTitle } from '../parts/frame';
import { wordsOf } from '../parts/words';
import { saveLanguage } from '../prefs';
import { load, setUp } from '../store';

function LanguageChoice() {
  const choose = (next: string) => {
    if (!isLanguage(next)) return;
    saveLanguage(next);
    void speak(next);
  };
  return (
    <label class="field">
      <span>{t('settings.language')}</span>
      <select value={language()} onChange={(event) => choose(event.currentTarget.value)}>
        {Object.entries(LANGUAGES).map(([tag, name]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
      </select>
    </label>
  );
}

export function Setup() {
  usePageTitle(t('setup.title'));
  const [code, setCode] = useState('');
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await setUp(code.trim(), username.trim(), password);
    } catch (error) {
      if (error instanceof Problem && error.status === 409) await load();
      else setProblem(error);
    }
    setBusy(false);
  };

  const field = problem instanceof Problem ? problem.field : undefined;
  const errorOf = (name: string) => (field === name ? wordsOf(problem) : undefined);
  return (
    <Frame bare>
      <h1>{t('setup.title')}</h1>
      <p class="lead">{t('setup.lead')}</p>
      <form onSubmit={(event) => void submit(event)}>
        {problem !== undefined && field === undefined && <p class="banner" role="alert">{wordsOf(problem)}</p>}
        <LanguageChoice />
        <Field label={t('setup.code')} name="code" value={code} onValue={setCode} hint={t('setup.codeHint')} required={false} error={errorOf('code')} />
        <Field label={t('login.username')} name="username" value={username} onValue={setUsername} autocomplete="username" error={errorOf('username')} />
        <Field label={t('login.password')} name="password" value={password} onValue={setPassword} secret autocomplete="new-password" hint={t('setup.passwordHint')} error={errorOf('password')} />
        <button class="primary" disabled={busy}>{t(busy ? 'setup.busy' : 'setup.submit')}</button>
      </form>
    </Frame>
  );
}
