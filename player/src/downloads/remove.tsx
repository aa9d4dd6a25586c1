// SPDX-License-Identifier: GPL-3.0-or-later
// Asks before a download and what has come of it is removed. The focus returns to where it was, or, as
// that goes too, to the page.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Download } from '../api';
import { t } from '../i18n';
import { announce } from '../parts/live';
import { wordsOf } from '../parts/words';
import { nameOf, remove } from './list';

export function RemoveDialog({ download, onClose }: { download: Download; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  useEffect(() => dialog.current?.showModal(), []);
  const name = nameOf(download);

  const doRemove = async () => {
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await remove(download.id);
      dialog.current?.close(); // while it is open, nothing else can have the focus
      document.getElementById('main')?.focus({ preventScroll: true });
      announce(t('downloads.removed', { name }));
    } catch (error) {
      setProblem(wordsOf(error));
    }
    setBusy(false);
  };

  return (
    <dialog class="sheet" ref={dialog} aria-labelledby="remove-title" aria-describedby="remove-text" onClose={onClose}>
      <h2 id="remove-title">{t('downloads.removeTitle')}</h2>
      <p id="remove-text">{t('downloads.removeText', { name })}</p>
      {problem && <p class="error" role="alert">{problem}</p>}
      <div class="sheet-choices">
        <button type="button" onClick={() => dialog.current?.close()}>{t('downloads.keep')}</button>
        <button type="button" class="grave" aria-disabled={busy} onClick={() => void doRemove()}>{t('downloads.remove')}</button>
      </div>
    </dialog>
  );
}
