// SPDX-License-Identifier: GPL-3.0-or-later
// Asks before something that cannot be taken back. The focus returns to where it was; where that is gone
// by then, `onYes` says so, and the page has it.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { useAction } from './use-action';

export function Confirm({ title, text, yes, no, onYes, onClose, children }: {
  title: string; text: string; yes: string; no: string;
  onYes: () => Promise<unknown>; onClose: () => void; children?: ComponentChildren;
}) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const { busy, problem, run } = useAction();
  useEffect(() => dialog.current?.showModal(), []);

  const press = async () => {
    if (!await run(onYes)) return;
    dialog.current?.close(); // while it is open, nothing else can have the focus
    document.getElementById('main')?.focus({ preventScroll: true });
  };

  return (
    <dialog class="sheet" ref={dialog} aria-labelledby={`${id}-title`} aria-describedby={`${id}-text`} onClose={onClose}>
      <h2 id={`${id}-title`}>{title}</h2>
      <p id={`${id}-text`}>{text}</p>
      {children}
      {problem && <p class="error" role="alert">{problem}</p>}
      <div class="sheet-choices">
        <button type="button" onClick={() => dialog.current?.close()}>{no}</button>
        <button type="button" class="grave" aria-disabled={busy} onClick={() => void press()}>{yes}</button>
      </div>
    </dialog>
  );
}
