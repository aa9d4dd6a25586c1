// SPDX-License-Identifier: GPL-3.0-or-later
// A labelled input with its hint and its error; a password can be shown. Pasting is never hindered.
import { useId, useState } from 'preact/hooks';
import { t } from '../i18n';

export interface FieldProps {
  label: string;
  name: string;
  value: string;
  onValue: (value: string) => void;
  secret?: boolean;
  autocomplete?: string;
  hint?: string;
  error?: string | undefined;
  required?: boolean;
}

export function Field({ label, name, value, onValue, secret = false, autocomplete = 'off', hint, error, required = true }: FieldProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  const typed: { type: 'password' } | { type: 'text' } = { type: secret && !shown ? 'password' : 'text' };
  const about = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="input">
        <input
          id={id} name={name} value={value} required={required} autocomplete={autocomplete}
          {...typed} spellcheck={false} autocapitalize="none"
          aria-invalid={error !== undefined} aria-describedby={about === '' ? undefined : about}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        {secret && (
          <button type="button" class="peek" aria-pressed={shown} onClick={() => setShown(!shown)}>
            {t(shown ? 'field.hide' : 'field.show')}<span class="unseen"> {label}</span>
          </button>
        )}
      </div>
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {error && <p class="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}
