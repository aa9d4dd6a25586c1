// SPDX-License-Identifier: GPL-3.0-or-later
// A link or a key that is told once: to be taken from here, by a button where the browser lets us. It has
// the focus when it comes.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icon';
import { announce } from './live';

export function Secret({ label, text, hint }: { label: string; text: string; hint: string }) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [state, setState] = useState<'copied' | 'refused'>();
  useEffect(() => field.current?.focus(), []);
  const copy = async () => {
    const next = await navigator.clipboard.writeText(text).then(() => 'copied' as const, () => 'refused' as const);
    setState(next);
    if (next === 'copied') announce(t('secret.copied'));
    else field.current?.focus();
  };
  return (
    <div class="secret field">
      <label for={id}>{label}</label>
      <div class="line">
        <input id={id} ref={field} value={text} readOnly aria-describedby={`${id}-hint`} onFocus={(event) => event.currentTarget.select()} />
        {/* Browsers withhold the clipboard where the connection is not encrypted. */}
        {window.isSecureContext && (
          <button type="button" onClick={() => void copy()}>
            <Icon name={state === 'copied' ? 'check' : 'copy'} />{t('secret.copy')}
          </button>
        )}
      </div>
      {state === 'refused' && <p class="error" role="alert">{t('secret.byHand')}</p>}
      <p class="hint" id={`${id}-hint`}>{hint}</p>
    </div>
  );
}
