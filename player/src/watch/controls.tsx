// SPDX-License-Identifier: GPL-3.0-or-later
// The bar under the picture. Each button asks; what it shows is what the video element says.
import { clock, t } from '../i18n';
import { Icon, type IconName } from '../parts/icon';
import { AudioMenu, ChapterMenu, QualityMenu, SpeedMenu, SubtitleMenu } from './menus';
import type { Player } from './player';
import { canPip, toggleFullscreen, togglePip } from './screen';
import { SeekBar } from './seek-bar';

const STEP_SECONDS = 10;

function Control({ icon, label, onPress, big = false, extra = '' }: {
  icon: IconName; label: string; onPress: () => void; big?: boolean; extra?: string;
}) {
  return (
    <button type="button" class={`control ${big ? 'big' : ''} ${extra}`} aria-label={label} title={label} onClick={onPress}>
      <Icon name={icon} />
    </button>
  );
}

function Transport({ player }: { player: Player }) {
  const { paused } = player.snapshot.value;
  const jump = (by: number) => () => player.seekTo(player.video.currentTime + by);
  return (
    <div class="transport">
      <Control icon="back10" label={t('back10')} onPress={jump(-STEP_SECONDS)} />
      <Control big icon={paused ? 'play' : 'pause'} label={t(paused ? 'play' : 'pause')} onPress={() => player.toggle()} />
      <Control icon="forward10" label={t('forward10')} onPress={jump(STEP_SECONDS)} />
    </div>
  );
}

function Volume({ player }: { player: Player }) {
  const { volume, muted } = player.snapshot.value;
  const silent = muted || volume === 0;
  return (
    <div class="volume">
      <Control
        icon={silent ? 'muted' : 'volume'} label={t(silent ? 'unmute' : 'mute')}
        onPress={() => {
          if (silent && volume === 0) player.setVolume(0.5);
          else player.video.muted = !muted;
        }}
      />
      <input
        type="range" min={0} max={1} step={0.05} value={muted ? 0 : volume} aria-label={t('volume.label')}
        aria-valuetext={t('volume.value', { percent: muted ? 0 : Math.round(volume * 100) })}
        style={{ '--share': `${muted ? 0 : volume * 100}%` }}
        onInput={(event) => player.setVolume(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

function Times({ player }: { player: Player }) {
  const { duration } = player.snapshot.value;
  return (
    <p class="times">
      <span class="unseen">{t('times.position')}</span>{clock(player.position())}
      <span class="of" aria-hidden="true"> / </span><span class="unseen">{t('times.duration')}</span>
      <span class="of">{clock(duration)}</span>
    </p>
  );
}

export function Controls({ player, frame, onHelp }: { player: Player; frame: () => HTMLElement | null; onHelp: () => void }) {
  const { fullscreen } = player.snapshot.value;
  return (
    <div class="controls" role="group" aria-label={t('controls')}>
      <SeekBar player={player} />
      <div class="row">
        <Transport player={player} />
        <Volume player={player} />
        <Times player={player} />
        <span class="gap" />
        <ChapterMenu player={player} />
        <SubtitleMenu player={player} />
        <AudioMenu player={player} />
        <QualityMenu player={player} />
        <SpeedMenu player={player} />
        {canPip() && <Control extra="roomy" icon="pip" label={t('pip')} onPress={() => togglePip(player.video)} />}
        <Control extra="roomy" icon="help" label={t('help.title')} onPress={onHelp} />
        <Control
          icon={fullscreen ? 'window' : 'fullscreen'} label={t(fullscreen ? 'window' : 'fullscreen')}
          onPress={() => {
            const element = frame();
            if (element) toggleFullscreen(element, player.video);
          }}
        />
      </div>
    </div>
  );
}
