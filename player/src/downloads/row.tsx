// SPDX-License-Identifier: GPL-3.0-or-later
// One download: how far it is, why nothing moves, and what can be done with it.
import type { ReadonlySignal } from '@preact/signals';
import { useId, useRef, useState } from 'preact/hooks';
import type { Download } from '../api';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { wordsOf } from '../parts/words';
import { isAdmin } from '../store';
import { Bar } from './bar';
import { Files } from './files';
import { change, nameOf } from './list';
import { Play } from './play';
import { RemoveDialog } from './remove';
import { factsOf, stateWords } from './words';

function Pause({ download, onProblem }: { download: Download; onProblem: (words: string | undefined) => void }) {
  const [busy, setBusy] = useState(false);
  const { id, state } = download;
  const isPaused = state === 'paused';
  const name = nameOf(download);
  if (state === 'complete' || state === 'failed') return null;
  const press = async () => {
    if (busy) return;
    setBusy(true);
    onProblem(undefined);
    try {
      await change(id, { state: isPaused ? 'running' : 'paused' });
      announce(t(isPaused ? 'downloads.goesOn' : 'downloads.isPaused', { name }));
    } catch (error) {
      onProblem(wordsOf(error));
    }
    setBusy(false);
  };
  return (
    <button type="button" class="quiet" aria-disabled={busy} onClick={() => void press()}>
      <Icon name={isPaused ? 'play' : 'pause'} />{t(isPaused ? 'downloads.goOn' : 'pause')}<span class="unseen"> {name}</span>
    </button>
  );
}

const PRIORITIES = { high: 'downloads.first', normal: 'downloads.asOthers', low: 'downloads.last' } as const;

const isPriority = (value: string): value is keyof typeof PRIORITIES => value in PRIORITIES;

/** Before other downloads, or behind them; of a film that is fetched by its address there is none. */
function Priority({ download, onProblem }: { download: Download; onProblem: (words: string | undefined) => void }) {
  const { id, state, hash, priority } = download;
  const now = useRef(priority);
  now.current = priority;
  if (hash === '' || state === 'complete' || state === 'failed') return null;
  const choose = async (field: HTMLSelectElement) => {
    const { value } = field;
    if (!isPriority(value)) return;
    onProblem(undefined);
    try {
      await change(id, { priority: value });
    } catch (error) {
      field.value = now.current;
      onProblem(wordsOf(error));
    }
  };
  return (
    <label class="priority">
      <span class="unseen">{t('downloads.priority', { name: nameOf(download) })}</span>
      <select value={priority} onChange={(event) => void choose(event.currentTarget)}>
        {Object.entries(PRIORITIES).map(([value, key]) => <option key={value} value={value}>{t(key)}</option>)}
      </select>
    </label>
  );
}

function Remove({ download }: { download: Download }) {
  const [asks, setAsks] = useState(false);
  return (
    <>
      <button type="button" class="quiet" aria-haspopup="dialog" onClick={() => setAsks(true)}>
        <Icon name="remove" /><span class="wide-only">{t('downloads.remove')}</span>
        <span class="unseen narrow-only">{t('downloads.remove')}</span><span class="unseen"> {nameOf(download)}</span>
      </button>
      {asks && <RemoveDialog download={download} onClose={() => setAsks(false)} />}
    </>
  );
}

export function Row({ row }: { row: ReadonlySignal<Download> }) {
  const id = useId();
  const [problem, setProblem] = useState<string>();
  const download = row.value;
  const { state, files, progress, reason } = download;
  const name = nameOf(download);
  const facts = factsOf(download);
  const [only] = files.length === 1 ? files : [];
  return (
    <li class={`download ${state}`} aria-labelledby={id}>
      <h2 id={id}><bdi>{name}</bdi></h2>
      <Bar
        share={state === 'metadata' ? undefined : progress} idle={state === 'paused' || state === 'failed'}
        label={name} text={[stateWords(download), ...facts].join(', ')}
      />
      <p class="facts"><strong class="state">{stateWords(download)}</strong>{facts.map((fact, index) => <span key={index}>{fact}</span>)}</p>
      <div class="do">
        {only && state !== 'failed' && <Play file={only} name={name} first />}
        {isAdmin.value && <Priority download={download} onProblem={setProblem} />}
        {isAdmin.value && <Pause download={download} onProblem={setProblem} />}
        {isAdmin.value && <Remove download={download} />}
      </div>
      {reason && (
        <div class="why">
          <Icon name="warning" />
          <div><p>{reason}</p>{state === 'failed' && isAdmin.value && <p>{t('downloads.failedText')}</p>}</div>
        </div>
      )}
      {problem && <p class="error" role="alert">{problem}</p>}
      {files.length > 0 && <Files download={download} />}
    </li>
  );
}
