// SPDX-License-Identifier: GPL-3.0-or-later
// What to download or to play: one field for a magnet or an address, and .torrent files that are chosen
// or dropped. Those who are no admins may play what is elsewhere. What the server refuses stands next to
// where it was asked for, in the server's words.
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import type { Download } from '../api';
import { t } from '../i18n';
import { Field } from '../parts/field';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { wordsOf } from '../parts/words';
import { isAdmin } from '../store';
import { useDrop } from './drop';
import { addLink } from './links';
import { add, nameOf } from './list';
import { watchPath } from './play';
import { wishOf } from './wish';

const isTorrent = ({ name, type }: File): boolean => /\.torrent$/i.test(name) || type === 'application/x-bittorrent';

/** Told to those who listen; what had been here before is also said to those who see. */
function tell({ download, wasHere }: { download: Download; wasHere: boolean }): string | undefined {
  const words = t(wasHere ? 'downloads.already' : 'downloads.added', { name: nameOf(download) });
  announce(words);
  return wasHere ? words : undefined;
}

/** A video elsewhere is played at once; all else is downloaded. */
function Wanted() {
  const { route } = useLocation();
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const [note, setNote] = useState<string>();
  const wish = wishOf(typed);
  const plays = !isAdmin.value || (wish !== undefined && 'url' in wish);

  const refuse = (words: string) => {
    setError(words);
    announce(words);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setError(undefined);
    setNote(undefined);
    if (!wish) {
      refuse(t(isAdmin.value ? 'downloads.neither' : 'links.none'));
      return;
    }
    setBusy(true);
    try {
      if ('url' in wish) route(watchPath((await addLink(wish.url)).file));
      else setNote(tell(await add(wish)));
      setTyped('');
    } catch (problem) {
      refuse(wordsOf(problem));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Field
        label={t(isAdmin.value ? 'downloads.what' : 'links.what')} name="what" value={typed} onValue={setTyped} error={error}
        {...(error === undefined ? { hint: note ?? t(isAdmin.value ? 'downloads.whatHint' : 'links.whatHint') } : {})}
      />
      <button class="primary" aria-disabled={busy}>
        <Icon name={plays ? 'play' : 'download'} />{t(plays ? (busy ? 'links.asking' : 'play') : busy ? 'downloads.adding' : 'downloads.add')}
      </button>
    </form>
  );
}

function Torrents() {
  const [errors, setErrors] = useState<string[]>([]);
  const [note, setNote] = useState<string>();
  const take = async (files: File[]) => {
    const wrong: string[] = [];
    setErrors([]);
    setNote(undefined);
    for (const file of files) {
      if (!isTorrent(file)) wrong.push(t('downloads.notTorrent', { name: file.name }));
      else {
        await add({ torrent: file }).then((done) => setNote(tell(done)), (problem: unknown) => {
          wrong.push(`${file.name}: ${wordsOf(problem)}`);
        });
      }
    }
    setErrors(wrong);
  };
  const over = useDrop((files) => void take(files));
  return (
    <div class={`torrents ${over ? 'over' : ''}`}>
      <label class="button">
        <input
          class="unseen" type="file" accept=".torrent,application/x-bittorrent" multiple
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = ''; // so that the same file can be chosen again
            void take(files);
          }}
        />
        {t('downloads.choose')}
      </label>
      <span class="hint">{t(over ? 'downloads.letGo' : 'downloads.drop')}</span>
      {note && <p class="hint note">{note}</p>}
      {errors.length > 0 && <div class="note" role="alert">{errors.map((words) => <p key={words} class="error">{words}</p>)}</div>}
    </div>
  );
}

export function Add() {
  return <section class="panel add" aria-label={t(isAdmin.value ? 'downloads.add' : 'play')}><Wanted />{isAdmin.value && <Torrents />}</section>;
}
