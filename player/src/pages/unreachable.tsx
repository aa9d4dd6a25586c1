// SPDX-License-Identifier: GPL-3.0-or-later
// The server does not answer: what that may mean, and a way to try again.
import { t } from '../i18n';
import { usePageTitle } from '../parts/frame';
import { load } from '../store';

export function Unreachable() {
  usePageTitle(t('unreachable.title'));
  return (
    <>
      <h1>{t('unreachable.title')}</h1>
      <p>{t('problem.offline')}</p>
      <button type="button" class="primary" onClick={() => void load()}>{t('retry')}</button>
    </>
  );
}
