// SPDX-License-Identifier: GPL-3.0-or-later
// What surrounds every page but the player: skip link, header, main. `bare` is for pages of people
// who are not signed in.
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { at } from '../base';
import { t } from '../i18n';
import { hasAccounts, me, signOut } from '../store';
import { Brand } from './brand';
import { Icon } from './icon';

/** Sets the name of the page in the tab. */
export function usePageTitle(name: string | undefined): void {
  useEffect(() => {
    document.title = name ? `${name} · matinee` : 'matinee';
  }, [name]);
}

function Account() {
  if (!hasAccounts.value || !me.value) return null;
  return (
    <button type="button" class="quiet" onClick={() => void signOut()} title={me.value.username}>
      <Icon name="out" /><span class="wide-only">{t('account.signOut')}</span>
      <span class="unseen narrow-only">{t('account.signOut')}</span>
    </button>
  );
}

export function Frame({ bare = false, tools, children }: {
  bare?: boolean; tools?: ComponentChildren; children: ComponentChildren;
}) {
  if (bare) return <main class="bare" id="main"><div class="card-form"><p class="logo"><Brand /></p>{children}</div></main>;
  return (
    <>
      <a class="skip" href="#main">{t('skip')}</a>
      <header class="top">
        <a class="home" href={at('/')} aria-label={t('home')}><Brand /></a>
        <div class="tools">{tools}</div>
        <nav aria-label={t('nav')}>
          <a class="quiet button" href={at('/settings')}>
            <Icon name="settings" /><span class="wide-only">{t('settings.title')}</span>
            <span class="unseen narrow-only">{t('settings.title')}</span>
          </a>
          <Account />
        </nav>
      </header>
      <main id="main" tabIndex={-1}>{children}</main>
    </>
  );
}
