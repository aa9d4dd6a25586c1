// SPDX-License-Identifier: GPL-3.0-or-later
// One's own account, in the settings: password, where one is signed in, other ways to sign in, keys for
// programs, and all that is kept of one.
import { call, type Shape } from '../api';
import { at } from '../base';
import { day, t } from '../i18n';
import { Entry } from '../parts/entry';
import { Icon } from '../parts/icon';
import { Refusal } from '../parts/refusal';
import { useList, type List } from '../parts/use-action';
import { me, signOut, status } from '../store';
import { deviceOf } from './device';
import { Email } from './email';
import { Keys } from './keys';
import { Likes } from './likes';
import { Passkeys } from './passkeys';
import { Password } from './password';
import '../styles/account.css';

type Session = Shape<'Session'>;
type Identity = Shape<'Identities'>['items'][number];

function SessionRow({ session, list }: { session: Session; list: List<Session> }) {
  const name = session.program ? t('account.program') : deviceOf(session.agent) || t('account.someDevice');
  return (
    <Entry
      name={name} facts={session.current ? t('account.thisOne') : t('account.seen', { day: day(session.seen), address: session.address })}
      path={session.current ? undefined : `/me/sessions/${encodeURIComponent(session.id)}`}
      button={<><Icon name="out" />{t('account.signOut')}<span class="unseen"> {name}</span></>}
      gone={t('account.ended', { name })} onEnded={() => void list.reload()}
    />
  );
}

function Sessions({ list }: { list: List<Session> }) {
  return (
    <section class="panel" aria-labelledby="sessions">
      <h2 id="sessions">{t('account.sessions')}</h2>
      {list.problem && <p class="error" role="alert">{list.problem}</p>}
      <ul class="rows" aria-busy={list.items === undefined}>{list.items?.map((each) => <SessionRow key={each.id} session={each} list={list} />)}</ul>
    </section>
  );
}

function IdentityRow({ identity, title, list }: { identity: Identity; title: string; list: List<Identity> }) {
  return (
    <Entry
      name={title} facts={identity.name} path={`/auth/identities/${encodeURIComponent(identity.id)}`}
      button={<><Icon name="remove" />{t('account.unlink')}<span class="unseen"> {title}</span></>}
      gone={t('removed', { name: title })} onEnded={() => void list.reload()}
    />
  );
}

function Identities() {
  const list = useList((signal) => call<Shape<'Identities'>>('GET', '/auth/identities', { signal }));
  const providers = status.value?.providers ?? [];
  if (providers.length === 0 && (list.items ?? []).length === 0) return null;
  const titleOf = (provider: string) => providers.find(({ name }) => name === provider)?.title ?? provider;
  const open = providers.filter(({ name }) => !list.items?.some(({ provider }) => provider === name));
  return (
    <section class="panel" aria-labelledby="identities">
      <h2 id="identities">{t('account.identities')}</h2>
      <Refusal />
      {list.problem && <p class="error" role="alert">{list.problem}</p>}
      <ul class="rows">{list.items?.map((each) => <IdentityRow key={each.id} identity={each} title={titleOf(each.provider)} list={list} />)}</ul>
      {open.length > 0 && (
        <ul class="others">
          {open.map(({ name, title }) => (
            <li key={name}>
              <a class="button" href={at(`/auth/${encodeURIComponent(name)}/start?link=true`)} target="_self">{t('account.link', { name: title })}</a>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Account() {
  const person = me.value;
  const sessions = useList((signal) => call<Shape<'Sessions'>>('GET', '/me/sessions', { signal }));
  if (!person) return null;
  return (
    <>
      <div class="heading part">
        <h2>{t('account.title', { name: person.username, role: t(`role.${person.role}`) })}</h2>
        <button type="button" onClick={() => void signOut()}><Icon name="out" />{t('account.signOut')}</button>
      </div>
      <Likes />
      <Password onChanged={() => void sessions.reload()} />
      <Passkeys />
      <Email />
      <Sessions list={sessions} />
      <Identities />
      <Keys />
      <section class="panel" aria-labelledby="export">
        <h2 id="export">{t('account.export')}</h2>
        <p>{t('account.exportText')}</p>
        <p><a class="button" href={at('/api/v1/me/export')} download={`matinee-${person.username}.json`} target="_self"><Icon name="download" />{t('account.exportGet')}</a></p>
      </section>
    </>
  );
}
