// SPDX-License-Identifier: GPL-3.0-or-later
// Asks before a download and what has come of it is removed, and whether what the library has of it goes too.
import { useState } from 'preact/hooks';
import type { Download } from '../api';
import { t } from '../i18n';
import { Confirm } from '../parts/confirm';
import { announce } from '../parts/live';
import { nameOf, remove } from './list';

export function RemoveDialog({ download, onClose }: { download: Download; onClose: () => void }) {
  const [files, setFiles] = useState(false);
  const name = nameOf(download);
  const isWhole = download.state === 'complete';
  const doRemove = async () => {
    await remove(download.id, files);
    announce(t('downloads.removed', { name }));
  };
  return (
    <Confirm
      title={t('downloads.removeTitle')} text={t(isWhole ? 'downloads.removeWhole' : 'downloads.removeText', { name })}
      yes={t('downloads.remove')} no={t('downloads.keep')} onYes={doRemove} onClose={onClose}
    >
      {isWhole && (
        <label class="tick">
          <input type="checkbox" checked={files} onChange={(event) => setFiles(event.currentTarget.checked)} />
          {t('downloads.removeFiles')}
        </label>
      )}
    </Confirm>
  );
}
