// SPDX-License-Identifier: GPL-3.0-or-later
// Where the film stands: watched, in the browser, on the server while it is downloaded, and the rest. A range input does the work, so keys
// and screen readers find what they know; what is painted lies under it. Dragging shows the
// picture and the time (seek-tip.tsx), and seeks once, when let go.
import { useState } from 'preact/hooks';
import { spokenTime, t } from '../i18n';
import { sharesOf } from './arrival';
import { chapterAt, chapterName } from './chapters';
import type { Player } from './player';
import type { Scrub } from './scrub';
import { SeekTip } from './seek-tip';

interface Hover { share: number; seconds: number }

function Layers({ player, shown }: { player: Seekable; shown: number }) {
  const { buffered, duration } = player.snapshot.value;
  const share = (seconds: number) => `${duration > 0 ? (seconds / duration) * 100 : 0}%`;
  return (
    <div class="layers" aria-hidden="true">
      {sharesOf(player.scrub.arrival.available.value).map(({ from, to }, index) => (
        <span key={index} class="here" style={{ '--from': `${from * 100}%`, '--length': `${(to - from) * 100}%` }} />
      ))}
      {buffered.map((range, index) => (
        <span key={index} class="buffered" style={{ '--from': share(range.start), '--length': share(range.end - range.start) }} />
      ))}
      <span class="played" style={{ '--length': share(shown) }} />
      {player.scrub.chapters.value.map(({ start }, index) => start > 0 && (
        <span key={index} class="mark" style={{ '--from': share(start) }} />
      ))}
      <span class="knob" style={{ '--from': share(shown) }} />
    </div>
  );
}

/** The place, and the chapter it is in, for those who hear it. */
function spokenPlace(player: Seekable, shown: number, duration: number): string {
  const chapters = player.scrub.chapters.value;
  const chapter = chapterAt(chapters, shown);
  const values = { position: spokenTime(shown), duration: spokenTime(duration) };
  if (chapter < 0) return t('seek.value', values);
  return t('seek.valueChapter', { ...values, chapter: chapterName(chapters, chapter) });
}

/** What the bar asks of the player. */
export type Seekable = Pick<Player, 'snapshot' | 'position' | 'seekTo'> & { scrub: Pick<Scrub, 'chapters' | 'sought'> & Parts };
interface Parts { arrival: Pick<Scrub['arrival'], 'available'>; storyboard: Pick<Scrub['storyboard'], 'stills' | 'want'> }

export function SeekBar({ player }: { player: Seekable }) {
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
  const sought = held ?? (hover ? undefined : player.scrub.sought.value);
  const tip = sought === undefined ? hover : { share: duration > 0 ? sought / duration : 0, seconds: sought };
  const look = () => player.scrub.storyboard.want();

  return (
    <div class="seek" onPointerEnter={look} onPointerMove={point} onPointerLeave={() => setHover(undefined)} onFocusIn={look}>
      <Layers player={player} shown={shown} />
      <input
        type="range" min={0} max={duration} step="any" value={shown} disabled={duration === 0}
        aria-label={t('seek.label')}
        aria-valuetext={spokenPlace(player, shown, duration)}
        onPointerDown={() => setDragging(true)}
        onInput={(event) => {
          const seconds = event.currentTarget.valueAsNumber;
          if (dragging) setHeld(seconds);
          else commit(seconds);
        }}
        onChange={(event) => commit(event.currentTarget.valueAsNumber)}
        onPointerUp={() => setDragging(false)}
      />
      {tip && duration > 0 && <SeekTip player={player} seconds={tip.seconds} share={tip.share} />}
    </div>
  );
}
