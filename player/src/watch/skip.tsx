// SPDX-License-Identifier: GPL-3.0-or-later
// The button that skips an intro or credits, while they run: by itself at their begin, then with the
// controls. It takes no focus.
import type { ReadonlySignal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { announce } from '../parts/live';
import { markerAt, type Marker } from './markers';

const ALONE_MS = 8000;

/** What it needs of the player. */
export interface Skippable {
  scrub: { markers: { all: ReadonlySignal<readonly Marker[]> } };
  position: () => number;
  seekTo: (seconds: number) => void;
}

/** What can be skipped where the film is. In a component it subscribes. */
const markerOf = (player: Skippable): Marker | undefined => markerAt(player.scrub.markers.all.value, player.position());

export function skip(player: Skippable): void {
  const marker = markerOf(player);
  if (marker) player.seekTo(marker.end);
}

export function Skip({ player }: { player: Skippable }) {
  const marker = markerOf(player);
  const [alone, setAlone] = useState(true);
  useEffect(() => {
    if (!marker) return undefined;
    announce(t(`skip.${marker.kind}`));
    setAlone(true);
    const timer = setTimeout(() => setAlone(false), ALONE_MS);
    return () => clearTimeout(timer);
  }, [marker]);
  if (!marker) return null;
  return (
    <button type="button" class={`skipper ${alone ? 'alone' : ''}`} aria-keyshortcuts="S" onClick={() => skip(player)}>
      {t(`skip.${marker.kind}`)}
    </button>
  );
}
