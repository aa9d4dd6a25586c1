// SPDX-License-Identifier: GPL-3.0-or-later
// A link or a key that is told once: to be taken from here, by a button where the browser lets us.
import { useId, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icon';
import { announce } from './live';

export function Secret({ label, text, hint }: { label: string; text: string; hint: string }) {
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    announce(t('secret.copied'));
  };
  return (
    <div class="secret field" role="status">
      <label for={id}>{label}</label>
      <div class="line">
        <input id={id} value={text} readOnly aria-describedby={`${id}-hint`} onFocus={(event) => event.currentTarget.select()} />
        {/* Browsers withhold the clipboard where the connection is not encrypted. */}
        {window.isSecureContext && (
          <button type="button" onClick={() => { copy().catch(() => undefined); }}>
            <Icon name={copied ? 'check' : 'copy'} />{t('secret.copy')}
          </button>
        )}
      </div>
      <p class="hint" id={`${id}-hint`}>{hint}</p>
    </div>
  );
}
