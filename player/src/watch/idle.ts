// SPDX-License-Identifier: GPL-3.0-or-later
// Whether the controls are shown: for three seconds after a move, and as long as the film is paused, a
// menu is open, or a key has put the focus on a control.
// Ends: by the AbortSignal.
import { signal, type ReadonlySignal } from '@preact/signals';

const SHOWN_MS = 3000;

export interface Idle { shown: ReadonlySignal<boolean>; wake: () => void; hide: () => void }

export function idleOf(frame: HTMLElement, video: HTMLVideoElement, ends: AbortSignal): Idle {
  const shown = signal(true);
  let timer = 0;
  const isBusy = () => video.paused
    || frame.querySelector('[aria-expanded=true], dialog[open], .controls :focus-visible, .skipper:focus-visible, .seek:hover') !== null;
  const look = () => {
    if (isBusy()) timer = window.setTimeout(look, SHOWN_MS);
    else shown.value = false;
  };
  const wake = () => {
    shown.value = true;
    clearTimeout(timer);
    timer = window.setTimeout(look, SHOWN_MS);
  };
  const hide = () => {
    if (isBusy()) return;
    clearTimeout(timer);
    shown.value = false;
  };
  for (const name of ['pointermove', 'keydown', 'focusin']) {
    frame.addEventListener(name, (event) => {
      if (!(event instanceof PointerEvent) || event.pointerType === 'mouse') wake();
    }, { signal: ends });
  }
  for (const name of ['pause', 'play', 'seeking']) video.addEventListener(name, wake, { signal: ends });
  ends.addEventListener('abort', () => clearTimeout(timer), { once: true });
  wake();
  return { shown, wake, hide };
}
