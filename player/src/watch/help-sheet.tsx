// SPDX-License-Identifier: GPL-3.0-or-later
// The list of keys.
import { useEffect, useRef } from 'preact/hooks';
import { at } from '../base';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { SHORTCUTS } from './shortcuts';

export function HelpSheet({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog class="sheet" ref={dialog} aria-labelledby="help-title" onClose={onClose}>
      <div class="sheet-head">
        <h2 id="help-title">{t('help.title')}</h2>
        <button type="button" class="quiet" aria-label={t('close')} onClick={() => dialog.current?.close()}><Icon name="close" /></button>
      </div>
      <dl class="keys" tabIndex={0} role="group" aria-labelledby="help-title">
        {SHORTCUTS.map((row) => (
          <div key={row.shown}><dt><kbd>{row.shown}</kbd></dt><dd>{t(row.label)}</dd></div>
        ))}
        <div><dt><kbd>0–9</kbd></dt><dd>{t('keys.share')}</dd></div>
      </dl>
      <p class="hint">{t('help.switchOff')} <a href={at('/settings')}>{t('settings.title')}</a></p>
    </dialog>
  );
}
