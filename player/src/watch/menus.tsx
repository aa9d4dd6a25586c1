// SPDX-License-Identifier: GPL-3.0-or-later
// The player's menus: chapters, quality (and whether it is a copy), audio, subtitles, speed.
import { clock, languageName, t } from '../i18n';
import { chapterAt, chapterName } from './chapters';
import { RATES } from './commands';
import { AUTO, OFF, type Quality, type TrackChoice } from './engine';
import { Menu, type Item } from './menu';
import { byDay, formOf } from './night';
import type { Player } from './player';

const MEGA = 1e6;

export function qualityName(quality: Quality): string {
  const height = quality.height ?? 0;
  if (quality.copy) return height > 0 ? t('quality.original', { height: String(height) }) : t('quality.originalPlain');
  return height > 0 ? `${height}p` : quality.id;
}

function qualityItem(quality: Quality): Item {
  const rate = Math.round((quality.bitsPerSecond / MEGA) * 10) / 10;
  return {
    id: quality.id,
    label: qualityName(quality),
    detail: t(quality.copy ? 'quality.copy' : 'quality.transcode', { rate }),
  };
}

export function QualityMenu({ player }: { player: Player }) {
  const { qualities, quality, shown } = player.engineState.value;
  if (qualities.length < 2) return null;
  const now = qualities.find(({ id }) => id === shown);
  const sorted = [...qualities].sort((a, b) => Number(b.copy) - Number(a.copy) || (b.height ?? 0) - (a.height ?? 0));
  const items = [
    { id: AUTO, label: t('quality.auto'), detail: now && t('quality.now', { quality: qualityName(now) }) },
    ...sorted.map(qualityItem),
  ];
  const noCopy = qualities.some(({ copy }) => copy) ? undefined : player.noCopy.value;
  const limited = player.limited.value;
  const notes = [noCopy && t('quality.noCopy', { reason: noCopy }), limited && t('quality.limited', { reason: limited })];
  return (
    <Menu
      icon="quality" label={t('quality.title')} items={items} chosen={quality}
      note={notes.filter(Boolean).join(' ') || undefined} onChoose={(id) => player.setQuality(id)}
    />
  );
}

export function trackItem(track: TrackChoice): Item {
  const language = languageName(track.language);
  const label = language ?? track.name;
  // A track without a title of its own is named after its language.
  const name = track.name === label || track.name === track.language ? '' : track.name;
  const marks = (track.marks ?? []).map((mark) => t(`subtitles.${mark}`));
  const parts = [name, track.detail ? t('audio.channels', { channels: track.detail }) : '', ...marks];
  const detail = parts.filter(Boolean).join(' · ');
  return { id: track.id, label, detail: detail === '' ? undefined : detail };
}

export function AudioMenu({ player }: { player: Player }) {
  const { audios, audio } = player.engineState.value;
  const items = byDay(audios).map(trackItem);
  const night = formOf(audios, audio, true);
  if (items.length < 2 && !night) return null;
  const toggle = night && { label: t('audio.night'), on: night.id === audio, onTurn: (on: boolean) => player.setNight(on) };
  return (
    <Menu
      icon="audio" label={t('audio.title')} items={items} toggle={toggle}
      chosen={formOf(audios, audio, false)?.id ?? audio} onChoose={(id) => player.setAudio(id)}
    />
  );
}

export function SubtitleMenu({ player }: { player: Player }) {
  const { subtitles, subtitle } = player.engineState.value;
  if (subtitles.length === 0) return null;
  const items = [{ id: OFF, label: t('subtitles.offItem') }, ...subtitles.map(trackItem)];
  return <Menu icon="subtitles" label={t('subtitles.title')} items={items} chosen={subtitle} onChoose={(id) => player.setSubtitle(id)} />;
}

export function ChapterMenu({ player }: { player: Player }) {
  const chapters = player.scrub.chapters.value;
  if (chapters.length < 2) return null;
  const items = chapters.map(({ start }, index) => ({ id: String(index), label: chapterName(chapters, index), detail: clock(Math.round(start)) }));
  return (
    <Menu
      icon="chapters" label={t('chapters.title')} items={items} chosen={String(chapterAt(chapters, player.position()))}
      onChoose={(id) => player.seekTo(chapters[Number(id)]?.start ?? 0)}
    />
  );
}

export function SpeedMenu({ player }: { player: Player }) {
  const items = RATES.map((rate) => ({ id: String(rate), label: rate === 1 ? t('speed.normal') : t('speed.value', { rate }) }));
  return (
    <Menu
      icon="speed" label={t('speed.title')} items={items} chosen={String(player.snapshot.value.rate)}
      onChoose={(id) => { player.video.playbackRate = Number(id); }}
    />
  );
}
