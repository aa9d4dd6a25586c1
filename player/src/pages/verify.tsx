// SPDX-License-Identifier: GPL-3.0-or-later
// The page that a letter's link opens: /verify#CODE for an account that is there, which must be signed in;
// /verify#CODE.new for one that is made then, by the password that was chosen for it. It asks once more: programs that
// look at letters open links.
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { at } from '../base';
import { t } from '../i18n';
import { Field } from '../parts/field';
import { Frame, usePageTitle } from '../parts/frame';
import { SignInForm } from '../parts/sign-in-form';
import { useAction } from '../parts/use-action';
import { phase, verify } from '../store';
import { Cut, useCode } from './by-code';

const NEW = '.new';

function Confirm({ code, isNew, onDone }: { code: string; isNew: boolean; onDone: () => void }) {
  const { route } = useLocation();
  const [password, setPassword] = useState('');
  const { busy, problem, errorOf, run } = useAction(['password']);
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      if (await verify(code, password)) route(at('/'), true);
      else onDone();
    });
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <p class="lead">{t(isNew ? 'verify.newLead' : 'verify.lead')}</p>
      {problem && <p class="banner" role="alert">{problem}</p>}
      {isNew && <Field label={t('login.password')} name="password" value={password} onValue={setPassword} secret autocomplete="current-password" error={errorOf('password')} />}
      <button class="primary" disabled={busy}>{t(isNew ? 'setup.submit' : 'verify.submit')}</button>
    </form>
  );
}

export function Verify() {
  usePageTitle(t('verify.title'));
  const given = useCode();
  const [doneBy, setDoneBy] = useState<string>();
  if (given === '') return <Cut title="verify.title" />;
  const isNew = given.endsWith(NEW);
  const code = isNew ? given.slice(0, -NEW.length) : given;
  const done = doneBy === given; // another letter's link may be opened over this one
  return (
    <Frame bare>
      <h1>{t('verify.title')}</h1>
      {done && <><p role="status">{t('verify.done')}</p><a class="button" href={at('/settings')}>{t('settings.title')}</a></>}
      {!done && !isNew && phase.value === 'signed-out' && <><p class="lead">{t('verify.signIn')}</p><SignInForm /></>}
      {!done && (isNew || phase.value !== 'signed-out') && <Confirm key={given} code={code} isNew={isNew} onDone={() => setDoneBy(given)} />}
    </Frame>
  );
}
