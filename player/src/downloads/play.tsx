// SPDX-License-Identifier: GPL-3.0-or-later
// To the player. Also while the file is incomplete: the server brings first what is watched.
import type { DownloadFile } from '../api';
import { at } from '../base';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { isMedia } from './words';

export const watchPath = (file: string): string => at(`/watch/${encodeURIComponent(file)}`);

export function PlayLink({ file, name, first = false }: { file: string; name: string; first?: boolean }) {
  return (
    <a class={`button play ${first ? 'primary' : 'quiet'}`} href={watchPath(file)}>
      <Icon name="play" />
      {first ? t('play') : <><span class="wide-only">{t('play')}</span><span class="unseen narrow-only">{t('play')}</span></>}
      <span class="unseen"> {name}</span>
    </a>
  );
}

export function Play({ file, name, first = false }: { file: DownloadFile; name: string; first?: boolean }) {
  return isMedia(file.name) ? <PlayLink file={file.file} name={name} first={first} /> : null;
}
