// SPDX-License-Identifier: GPL-3.0-or-later
// The ticket and the name.
export function Brand() {
  return (
    <span class="brand">
      <svg viewBox="0 0 44 28" aria-hidden="true" focusable="false">
        <path class="ticket" d="M0 0h44v8a6 6 0 0 0 0 12v8H0v-8a6 6 0 0 0 0-12z" />
        <path class="mark" d="M17 6.500v15l13-7.500z" />
      </svg>
      <span class="word">matinee</span>
    </span>
  );
}
