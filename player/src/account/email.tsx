// SPDX-License-Identifier: GPL-3.0-or-later
// One's address: it is one's own once its letter is answered. Only where the server sends letters.
import { useState } from 'preact/hooks';
import { call, type Shape } from '../api';
import { t } from '../i18n';
import { Field } from '../parts/field';
import { announce } from '../parts/live';
import { useAction } from '../parts/use-action';
import { me, status } from '../store';

const ask = (body: Shape<'EmailWish'>) => call<{ email: string }>('PUT', '/me/email', { body });

function Change({ onSent }: { onSent: (email: string) => void }) {
  const has = me.value?.has_password ?? true;
  const [email, setEmail] = useState('');
  const [current, setCurrent] = useState('');
  const { busy, problem, errorOf, run } = useAction(['email', 'current']);
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const sent = await ask(has ? { email: email.trim(), current } : { email: email.trim() });
      setEmail('');
      setCurrent('');
      announce(t('email.sent', { email: sent.email }));
      onSent(sent.email);
    });
  };
  return (
    <form class="fields" onSubmit={(event) => void submit(event)}>
      {problem && <p class="banner" role="alert">{problem}</p>}
      <Field label={t('email.label')} name="email" value={email} onValue={setEmail} autocomplete="email" error={errorOf('email')} />
      {has && <Field label={t('email.current')} name="current" value={current} onValue={setCurrent} secret autocomplete="current-password" error={errorOf('current')} />}
      <div class="do"><button disabled={busy}>{t('email.send')}</button></div>
    </form>
  );
}

export function Email() {
  const [sent, setSent] = useState<string>();
  const { busy, problem, run } = useAction();
  const email = me.value?.email;
  if (status.value?.features['mail'] !== true) return null;
  const remove = async () => {
    if (!await run(() => call('DELETE', '/me/email'))) return;
    if (me.value) {
      const rest = { ...me.value };
      delete rest.email;
      me.value = rest;
    }
    announce(t('email.removed'));
    document.getElementById('email')?.focus();
  };
  return (
    <section class="panel" aria-labelledby="email">
      <h2 id="email" tabIndex={-1}>{t('email.title')}</h2>
      <p>{email ?? t('email.none')}</p>
      {problem && <p class="error" role="alert">{problem}</p>}
      {email && <p><button type="button" aria-disabled={busy} onClick={() => void remove()}>{t('email.remove')}</button></p>}
      {sent && <p>{t('email.sent', { email: sent })}</p>}
      <details>
        <summary>{t(email ? 'email.change' : 'email.add')}</summary>
        <Change onSent={setSent} />
      </details>
    </section>
  );
}
