// SPDX-License-Identifier: GPL-3.0-or-later
// What the scan of the folders is doing, and the button that starts one.
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { wordsOf } from '../parts/words';
import { mayScan, scan, startScan } from '../store';

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
        {state.total > 0 ? t('scan.progress', { done: state.done, total: state.total }) : t('scan.running')}
      </p>
    );
  }
  return (
    <div class="scan">
      {problem && <span role="alert" class="error">{problem}</span>}
      {mayScan.value && (
        <button type="button" class="quiet" onClick={() => void start()}>
          <Icon name="refresh" />{t('scan.start')}
        </button>
      )}
    </div>
  );
}
