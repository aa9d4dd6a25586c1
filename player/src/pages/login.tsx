// SPDX-License-Identifier: GPL-3.0-or-later
// The sign-in page.
import { t } from '../i18n';
import { usePageTitle } from '../parts/frame';
import { SignInForm } from '../parts/sign-in-form';

export function Login() {
  usePageTitle(t('login.title'));
  return (
    <>
      <h1>{t('login.title')}</h1>
      <SignInForm />
    </>
  );
}
