// SPDX-License-Identifier: GPL-3.0-or-later
// What the scan of the folders is doing, and the button that starts one.
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { wordsOf } from '../parts/words';
import type { Scan } from '../api';
import { isAdmin, scan, startScan } from '../store';

function wordsFor({ done, total, reading }: Scan): string {
  if (reading && total - done <= 1) return t('scan.reading', { percent: Math.floor(reading.progress * 100) });
  return total > 0 ? t('scan.progress', { done, total }) : t('scan.running');
}

export function ScanState() {
  const [problem, setProblem] = useState<string>();
  const state = scan.value;
  const start = async () => {
    setProblem(undefined);
    try {
      await startScan();
      announce(t('scan.started'));
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  if (state?.running) {
    return (
      <p class="scan">
        <span class="spinner small" aria-hidden="true" />
        {wordsFor(state)}
      </p>
    );
  }
  return (
    <div class="scan">
      {problem && <span role="alert" class="error">{problem}</span>}
      {isAdmin.value && (
        <button type="button" class="quiet" onClick={() => void start()}>
          <Icon name="refresh" />{t('scan.start')}
        </button>
      )}
    </div>
  );
}
