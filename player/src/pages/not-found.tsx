// SPDX-License-Identifier: GPL-3.0-or-later
// An address that leads nowhere.
import { at } from '../base';
import { t } from '../i18n';
import { Frame, usePageTitle } from '../parts/frame';

export function NotFound() {
  usePageTitle(t('notFound.title'));
  return (
    <Frame>
      <section class="empty">
        <h1>{t('notFound.title')}</h1>
        <p>{t('notFound.text')}</p>
        <p><a class="button primary" href={at('/')}>{t('toLibrary')}</a></p>
      </section>
    </Frame>
  );
}
