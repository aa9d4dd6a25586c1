// SPDX-License-Identifier: GPL-3.0-or-later
// The one place where status messages are spoken to screen readers: politely, and never empty twice.
import { signal } from '@preact/signals';

const message = signal('');

export function announce(text: string): void {
  message.value = text;
}

export function Live() {
  return <div class="unseen" role="status" aria-live="polite">{message.value}</div>;
}
