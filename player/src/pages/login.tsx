// SPDX-License-Identifier: GPL-3.0-or-later
// The sign-in page: by a password, and by the others that the server trusts.
import { at } from '../base';
import { t } from '../i18n';
import { usePageTitle } from '../parts/frame';
import { Refusal } from '../parts/refusal';
import { SignInForm } from '../parts/sign-in-form';
import { useAction } from '../parts/use-action';
import { enterByPasskey, hasPasskeys } from '../passkey';
import { load, status } from '../store';

function Others() {
  const providers = status.value?.providers ?? [];
  if (providers.length === 0) return null;
  return (
    <ul class="others">
      {providers.map(({ name, title }) => (
        <li key={name}>
          {/* Not the page's own link: it leads out of it. */}
          <a class="button" href={at(`/auth/${encodeURIComponent(name)}/start`)} target="_self">{t('login.by', { name: title })}</a>
        </li>
      ))}
    </ul>
  );
}

function ByPasskey() {
  const { busy, problem, run } = useAction();
  if (!hasPasskeys()) return null;
  const enter = () => run(async () => {
    if (await enterByPasskey()) await load();
  });
  return (
    <>
      <button type="button" aria-disabled={busy} onClick={() => void enter()}>{t('login.byPasskey')}</button>
      {problem && <p class="error" role="alert">{problem}</p>}
    </>
  );
}

export function Login() {
  usePageTitle(t('login.title'));
  return (
    <>
      <h1>{t('login.title')}</h1>
      <Refusal />
      <SignInForm />
      <ByPasskey />
      <Others />
      {status.value?.registration === 'open' && <p class="hint">{t('login.new')} <a href={at('/invite')}>{t('login.register')}</a></p>}
    </>
  );
}
