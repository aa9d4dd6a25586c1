// SPDX-License-Identifier: GPL-3.0-or-later
// What stands above the seek bar while somebody looks for a place: the picture there, the chapter, the
// time. Screen readers hear the same from the range itself.
import { clock } from '../i18n';
import { chapterAt, chapterName } from './chapters';
import type { Seekable } from './seek-bar';
import { stillAt, type Still } from './storyboard';

function Picture({ still }: { still: Still }) {
  return (
    <span
      class="still"
      style={{
        '--width': `${still.width}px`, '--height': `${still.height}px`,
        backgroundImage: `url("${still.sheet}")`, backgroundPosition: `-${still.x}px -${still.y}px`,
      }}
    />
  );
}

export function SeekTip({ player, seconds, share }: { player: Seekable; seconds: number; share: number }) {
  const still = stillAt(player.scrub.storyboard.stills.value, seconds);
  const chapters = player.scrub.chapters.value;
  const chapter = chapterAt(chapters, seconds);
  return (
    <output class={`tip ${still ? 'pictured' : ''}`} aria-hidden="true" style={{ '--from': `${share * 100}%`, '--half': still ? `${still.width / 2 + 6}px` : '28px' }}>
      {still && <Picture still={still} />}
      {chapter >= 0 && <span class="tip-chapter">{chapterName(chapters, chapter)}</span>}
      <span>{clock(seconds)}</span>
    </output>
  );
}
