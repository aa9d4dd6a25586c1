// SPDX-License-Identifier: GPL-3.0-or-later
// The sign-in page: by a password, and by the others that the server trusts.
import { useLocation } from 'preact-iso';
import { at } from '../base';
import { t } from '../i18n';
import { usePageTitle } from '../parts/frame';
import { SignInForm } from '../parts/sign-in-form';
import { status } from '../store';

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

export function Login() {
  usePageTitle(t('login.title'));
  const refused = useLocation().query['refused'] === 'true';
  return (
    <>
      <h1>{t('login.title')}</h1>
      {refused && <p class="banner" role="alert">{t('login.refused')}</p>}
      <SignInForm />
      <Others />
      {status.value?.registration === 'open' && <p class="hint">{t('login.new')} <a href={at('/invite')}>{t('login.register')}</a></p>}
    </>
  );
}
