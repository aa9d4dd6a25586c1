// SPDX-License-Identifier: GPL-3.0-or-later
// Where the film stands: watched, in the browser, on the server while it is downloaded, and the rest. A range input does the work, so keys
// and screen readers find what they know; what is painted lies under it. Dragging shows the time and
// seeks once, when let go.
import { useState } from 'preact/hooks';
import { clock, spokenTime, t } from '../i18n';
import { sharesOf } from './arrival';
import type { Player } from './player';

interface Hover { share: number; seconds: number }

function Layers({ player, shown }: { player: Player; shown: number }) {
  const { buffered, duration } = player.snapshot.value;
  const share = (seconds: number) => `${duration > 0 ? (seconds / duration) * 100 : 0}%`;
  return (
    <div class="layers" aria-hidden="true">
      {sharesOf(player.arrival.available.value).map(({ from, to }, index) => (
        <span key={index} class="here" style={{ '--from': `${from * 100}%`, '--length': `${(to - from) * 100}%` }} />
      ))}
      {buffered.map((range, index) => (
        <span key={index} class="buffered" style={{ '--from': share(range.start), '--length': share(range.end - range.start) }} />
      ))}
      <span class="played" style={{ '--length': share(shown) }} />
      <span class="knob" style={{ '--from': share(shown) }} />
    </div>
  );
}

export function SeekBar({ player }: { player: Player }) {
  const { duration } = player.snapshot.value;
  const [held, setHeld] = useState<number>();
  const [dragging, setDragging] = useState(false);
  const [hover, setHover] = useState<Hover>();
  const shown = held ?? player.position();

  const commit = (seconds: number) => {
    setHeld(undefined);
    setDragging(false);
    player.seekTo(seconds);
  };
  const point = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const across = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const share = document.dir === 'rtl' ? 1 - across : across;
    setHover({ share, seconds: share * duration });
  };
  const tip = held === undefined ? hover : { share: duration > 0 ? held / duration : 0, seconds: held };

  return (
    <div class="seek" onPointerMove={point} onPointerLeave={() => setHover(undefined)}>
      <Layers player={player} shown={shown} />
      <input
        type="range" min={0} max={duration} step="any" value={shown} disabled={duration === 0}
        aria-label={t('seek.label')}
        aria-valuetext={t('seek.value', { position: spokenTime(shown), duration: spokenTime(duration) })}
        onPointerDown={() => setDragging(true)}
        onInput={(event) => {
          const seconds = event.currentTarget.valueAsNumber;
          if (dragging) setHeld(seconds);
          else commit(seconds);
        }}
        onChange={(event) => commit(event.currentTarget.valueAsNumber)}
        onPointerUp={() => setDragging(false)}
      />
      {tip && duration > 0 && (
        <output class="tip" aria-hidden="true" style={{ '--from': `${tip.share * 100}%` }}>{clock(tip.seconds)}</output>
      )}
    </div>
  );
}
