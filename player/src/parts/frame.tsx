// SPDX-License-Identifier: GPL-3.0-or-later
// What surrounds every page but the player: skip link, header, main. `bare` is for pages of people
// who are not signed in.
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { at } from '../base';
import { t, type Key } from '../i18n';
import { hasAccounts, isAdmin, isChild, me, signOut } from '../store';
import { Brand } from './brand';
import { Icon, type IconName } from './icon';

/** Sets the name of the page in the tab. */
export function usePageTitle(name: string | undefined): void {
  useEffect(() => {
    document.title = name ? `${name} · matinee` : 'matinee';
  }, [name]);
}

/** Where there is no room for it, it stands in the settings. */
function SignOut() {
  if (!hasAccounts.value || !me.value) return null;
  return (
    <button type="button" class="quiet wide-only" onClick={() => void signOut()} title={me.value.username}>
      <Icon name="out" />{t('account.signOut')}
    </button>
  );
}

function PageLink({ path, icon, name, narrowOnly = false }: { path: string; icon: IconName; name: Key; narrowOnly?: boolean }) {
  const isHere = useLocation().path === at(path);
  return (
    <a class={`quiet button${narrowOnly ? ' narrow-only' : ''}`} href={at(path)} aria-current={isHere ? 'page' : undefined}>
      <Icon name={icon} />{t(name)}
    </a>
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
          <PageLink path="/" icon="films" name="library.title" narrowOnly />
          <PageLink path="/yours" icon="bookmark" name="yours.title" />
          {!isChild.value && <PageLink path="/downloads" icon="download" name="downloads.title" />}
          {hasAccounts.value && isAdmin.value && <PageLink path="/people" icon="people" name="people.title" />}
          <PageLink path="/settings" icon="settings" name="settings.title" />
          <SignOut />
        </nav>
      </header>
      <main id="main" tabIndex={-1}>{children}</main>
    </>
  );
}
