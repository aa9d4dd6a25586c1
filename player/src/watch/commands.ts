// SPDX-License-Identifier: GPL-3.0-or-later
// Carries out what a key asked for, and says what was done where the picture does not show it.
import { clock, t } from '../i18n';
import { announce } from '../parts/live';
import { OFF } from './engine';
import type { Player } from './player';
import { canPip, toggleFullscreen, togglePip } from './screen';
import type { Command } from './shortcuts';
import { skip } from './skip';

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const FRAME_SECONDS = 1 / 24;

export interface Surroundings { frame: HTMLElement; help: () => void }

function seek(player: Player, to: number): void {
  player.seekTo(to);
  announce(clock(player.video.currentTime));
}

function toggleSubtitles(player: Player): void {
  const { subtitles, subtitle } = player.engineState.peek();
  const first = subtitles[0];
  if (!first) return announce(t('subtitles.none'));
  player.setSubtitle(subtitle === OFF ? first.id : OFF);
  announce(t(subtitle === OFF ? 'subtitles.on' : 'subtitles.off'));
}

export function obey(player: Player, command: Command, { frame, help }: Surroundings): void {
  const { video } = player;
  switch (command.do) {
    case 'toggle': return player.toggle();
    case 'seek': return seek(player, video.currentTime + command.by);
    case 'share': return seek(player, player.snapshot.peek().duration * command.to);
    case 'start': return seek(player, 0);
    case 'end': return seek(player, player.snapshot.peek().duration);
    case 'frame':
      video.pause();
      return player.seekTo(video.currentTime + command.by * FRAME_SECONDS);
    case 'volume':
      player.setVolume(video.volume + command.by);
      return announce(t('volume.value', { percent: Math.round(video.volume * 100) }));
    case 'mute':
      video.muted = !video.muted;
      return announce(t(video.muted ? 'muted' : 'unmuted'));
    case 'speed':
      video.playbackRate = Math.min(2, Math.max(0.5, video.playbackRate + command.by));
      return announce(t('speed.value', { rate: video.playbackRate }));
    case 'fullscreen': return toggleFullscreen(frame, video);
    case 'subtitles': return toggleSubtitles(player);
    case 'pip': return canPip() ? togglePip(video) : undefined;
    case 'skip': return skip(player);
    case 'help': return help();
  }
}
