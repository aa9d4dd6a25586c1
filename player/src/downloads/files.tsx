// SPDX-License-Identifier: GPL-3.0-or-later
// The files of a download: how much of each is here, whether it is wanted, and the way to the player.
// One file needs no list, so it stays folded; of many the first are shown.
import { useState } from 'preact/hooks';
import type { Download, DownloadFile } from '../api';
import { t } from '../i18n';
import { wordsOf } from '../parts/words';
import { isAdmin } from '../store';
import { Bar } from './bar';
import { change } from './list';
import { Play } from './play';
import { fileFacts, shortName } from './words';

const FIRST = 8;
const MORE = 100;

function Wanted({ download, file, name, onProblem }: {
  download: Download; file: DownloadFile; name: string; onProblem: (words: string | undefined) => void;
}) {
  // What was chosen, until the server has answered.
  const [chosen, setChosen] = useState<boolean>();
  const choose = async (wanted: boolean) => {
    setChosen(wanted);
    onProblem(undefined);
    try {
      await change(download.id, { files: [{ file: file.file, wanted }] });
    } catch (error) {
      onProblem(wordsOf(error));
    }
    setChosen(undefined);
  };
  return (
    <label class="wanted">
      <input type="checkbox" checked={chosen ?? file.wanted} onChange={(event) => void choose(event.currentTarget.checked)} />
      <span><span class="unseen">{t('downloads.want')} </span>{name}</span>
    </label>
  );
}

function FileRow({ download, file }: { download: Download; file: DownloadFile }) {
  const [problem, setProblem] = useState<string>();
  const name = shortName(file, download);
  const facts = fileFacts(file);
  return (
    <li class={file.wanted ? '' : 'unwanted'}>
      {isAdmin.value ? <Wanted download={download} file={file} name={name} onProblem={setProblem} /> : <span class="wanted">{name}</span>}
      <Bar share={file.progress} label={name} text={facts} idle={!file.wanted || download.state === 'paused'} />
      <span class="facts">{facts}</span>
      {download.state !== 'failed' && <Play file={file} name={name} />}
      {problem && <p class="error" role="alert">{problem}</p>}
    </li>
  );
}

export function Files({ download }: { download: Download }) {
  const { files } = download;
  const [open, setOpen] = useState(files.length > 1);
  const [most, setMost] = useState(FIRST);
  const left = files.length - most;
  return (
    <details class="files" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('downloads.files', { count: files.length })}</summary>
      {open && (
        <>
          <ul>{files.slice(0, most).map((file) => <FileRow key={file.file} download={download} file={file} />)}</ul>
          {left > 0 && (
            <button type="button" class="quiet" onClick={() => setMost(most + MORE)}>{t('downloads.more', { count: Math.min(left, MORE) })}</button>
          )}
        </>
      )}
    </details>
  );
}
