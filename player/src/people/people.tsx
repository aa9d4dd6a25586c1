// SPDX-License-Identifier: GPL-3.0-or-later
// The page /people, for administrators: who may watch here and what, and invitations to others.
import { call, type Shape } from '../api';
import { t } from '../i18n';
import { Frame, usePageTitle } from '../parts/frame';
import { useList } from '../parts/use-action';
import { isAdmin } from '../store';
import { NotFound } from '../pages/not-found';
import { Invitations } from './invitations';
import { Person } from './person';
import '../styles/account.css';

function List() {
  const list = useList((signal) => call<Shape<'Users'>>('GET', '/users', { signal }));
  return (
    <div class="column">
      <div class="heading"><h1>{t('people.title')}{list.items && list.items.length > 1 && <span class="count">{list.items.length}</span>}</h1></div>
      {list.problem && <p class="banner" role="alert">{list.problem}</p>}
      <ul class="people" aria-busy={list.items === undefined} aria-label={t('people.title')}>
        {list.items?.map((user) => <Person key={user.id} user={user} onChanged={list.reload} />)}
      </ul>
      <Invitations />
    </div>
  );
}

export function People() {
  usePageTitle(t('people.title'));
  if (!isAdmin.value) return <NotFound />;
  return <Frame><List /></Frame>;
}
