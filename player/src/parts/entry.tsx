// SPDX-License-Identifier: GPL-3.0-or-later
// A row of a list whose entries can be ended at the server: its name, what is known of it, and the button.
import type { ComponentChildren } from 'preact';
import { call } from '../api';
import { announceGone } from './live';
import { useAction } from './use-action';

/** `path`: what is deleted; without it there is no button. `gone`: what is said then. */
export function Entry({ name, facts, path, button, gone, onEnded }: {
  name: ComponentChildren; facts: string; path: string | undefined; button: ComponentChildren; gone: string; onEnded: () => void;
}) {
  const { busy, problem, run } = useAction();
  const end = async () => {
    if (path === undefined || !await run(() => call('DELETE', path))) return;
    announceGone(gone);
    onEnded();
  };
  return (
    <li>
      <div>
        <h3>{name}</h3>
        <p class="facts">{facts}</p>
        {problem && <p class="error" role="alert">{problem}</p>}
      </div>
      {path !== undefined && <button type="button" class="quiet" aria-disabled={busy} onClick={() => void end()}>{button}</button>}
    </li>
  );
}
