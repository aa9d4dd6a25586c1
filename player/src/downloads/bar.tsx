// SPDX-License-Identifier: GPL-3.0-or-later
// How much has come. Without a share it says that something goes on.
import { percentOf } from './words';

export function Bar({ share, label, text, idle = false }: {
  share: number | undefined; label: string; text: string; idle?: boolean;
}) {
  const percent = share === undefined ? undefined : percentOf(share);
  return (
    <div
      class={`bar ${share === undefined ? 'unknown' : ''} ${idle ? 'idle' : ''}`}
      role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} aria-valuetext={text}
    >
      <span style={{ '--share': `${(share ?? 0.3) * 100}%` }} />
    </div>
  );
}
