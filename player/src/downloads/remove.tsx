// SPDX-License-Identifier: GPL-3.0-or-later
// Asks before a download and what has come of it is removed.
import type { Download } from '../api';
import { t } from '../i18n';
import { Confirm } from '../parts/confirm';
import { announce } from '../parts/live';
import { nameOf, remove } from './list';

export function RemoveDialog({ download, onClose }: { download: Download; onClose: () => void }) {
  const name = nameOf(download);
  const doRemove = async () => {
    await remove(download.id);
    announce(t('downloads.removed', { name }));
  };
  return (
    <Confirm
      title={t('downloads.removeTitle')} text={t('downloads.removeText', { name })} yes={t('downloads.remove')} no={t('downloads.keep')}
      onYes={doRemove} onClose={onClose}
    />
  );
}
