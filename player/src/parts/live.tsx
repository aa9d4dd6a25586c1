// SPDX-License-Identifier: GPL-3.0-or-later
// The one place where status messages are spoken to screen readers: politely, and never empty twice.
import { signal } from '@preact/signals';

const message = signal('');

export function announce(text: string): void {
  message.value = text;
}

/** What was pressed is no more: the page has the focus, and it is said what became of it. */
export function announceGone(text: string): void {
  document.getElementById('main')?.focus({ preventScroll: true });
  announce(text);
}

export function Live() {
  return <div class="unseen" role="status" aria-live="polite">{message.value}</div>;
}
