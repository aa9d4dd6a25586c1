// SPDX-License-Identifier: GPL-3.0-or-later
// Links by which others make accounts of their own, and those that are still open.
import { useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { day, t } from '../i18n';
import { Entry } from '../parts/entry';
import { Icon } from '../parts/icon';
import { Secret } from '../parts/secret';
import { useAction, useList } from '../parts/use-action';
import { BoundsFields, boundsOf, boundsWords, MEMBER, wishOf } from './bounds';
import { linkHint, linkTo } from './person';

type Invite = Shape<'Invite'>;

function Row({ invite, onEnded }: { invite: Invite; onEnded: () => void }) {
  return (
    <Entry
      name={boundsWords(boundsOf(invite))} facts={t('invites.until', { day: day(invite.expires) })}
      path={`/invites/${encodeURIComponent(invite.id)}`} button={<><Icon name="remove" />{t('invites.takeBack')}</>}
      gone={t('removed', { name: t('invites.link') })} onEnded={onEnded}
    />
  );
}

export function Invitations() {
  const list = useList((signal) => call<Shape<'Invites'>>('GET', '/invites', { signal }));
  const [bounds, setBounds] = useState(MEMBER);
  const [made, setMade] = useState<Shape<'NewInvite'>>();
  const { busy, problem, run } = useAction();
  const ended = (id: string) => {
    setMade((last) => (last?.id === id ? undefined : last));
    void list.reload();
  };
  const invite = async (event: Event) => {
    event.preventDefault();
    await run(async () => setMade(await call<Shape<'NewInvite'>>('POST', '/invites', { body: wishOf(bounds) })));
    await list.reload();
  };
  return (
    <section class="panel" aria-labelledby="invites">
      <h2 id="invites">{t('invites.title')}</h2>
      <p>{t('invites.lead')}</p>
      <form class="fields" onSubmit={(event) => void invite(event)}>
        {problem && <p class="banner" role="alert">{problem}</p>}
        <BoundsFields bounds={bounds} onChange={setBounds} />
        <div class="do"><button class="primary" disabled={busy}>{t('invites.make')}</button></div>
      </form>
      {made && <Secret key={made.id} label={t('invites.link')} text={linkTo('/invite', made.code)} hint={linkHint(t('invites.hint', { day: day(made.expires) }))} />}
      {list.problem && <p class="error" role="alert">{list.problem}</p>}
      {list.items && list.items.length > 0 && <ul class="rows">{list.items.map((each) => <Row key={each.id} invite={each} onEnded={() => ended(each.id)} />)}</ul>}
    </section>
  );
}
