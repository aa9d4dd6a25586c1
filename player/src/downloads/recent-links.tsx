// SPDX-License-Identifier: GPL-3.0-or-later
// The videos elsewhere that were opened by their address: what, where, and the way to the player.
// Nothing is lost when one is removed, so nobody is asked.
import { useId, useState } from 'preact/hooks';
import type { Link } from '../api';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { wordsOf } from '../parts/words';
import { links, linksProblem, removeLink } from './links';
import { PlayLink } from './play';
import { hostOf } from './wish';

const FIRST = 8;
const MORE = 100;

function Remove({ link, name, onProblem }: { link: Link; name: string; onProblem: (words: string | undefined) => void }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    setBusy(true);
    onProblem(undefined);
    try {
      await removeLink(link.id);
      // The button goes, and the focus with it.
      document.getElementById('main')?.focus({ preventScroll: true });
      announce(t('downloads.removed', { name }));
    } catch (error) {
      onProblem(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <button type="button" class="quiet" aria-disabled={busy} onClick={() => void press()}>
      <Icon name="remove" /><span class="wide-only">{t('downloads.remove')}</span>
      <span class="unseen narrow-only">{t('downloads.remove')}</span><span class="unseen"> {name}</span>
    </button>
  );
}

function LinkRow({ link }: { link: Link }) {
  const id = useId();
  const [problem, setProblem] = useState<string>();
  const host = hostOf(link.url);
  const name = link.name === '' ? host : link.name;
  return (
    <li class="link" aria-labelledby={id}>
      <div>
        <h3 id={id}><bdi>{name}</bdi></h3>
        <p class="facts"><bdi>{host}</bdi></p>
      </div>
      <div class="do">
        <PlayLink file={link.file} name={name} />
        <Remove link={link} name={name} onProblem={setProblem} />
      </div>
      {problem && <p class="error" role="alert">{problem}</p>}
    </li>
  );
}

export function RecentLinks() {
  const id = useId();
  const [most, setMost] = useState(FIRST);
  const all = links.value ?? [];
  const problem = linksProblem.value;
  const left = all.length - most;
  // A server that knows of no links has none.
  const isWrong = problem !== undefined && problem.status !== 404;
  if (all.length === 0 && !isWrong) return null;
  return (
    <section class="links" aria-labelledby={id}>
      <h2 id={id}>{t('links.title')}</h2>
      {isWrong && <p class="error" role="alert">{wordsOf(problem)}</p>}
      <ul>{all.slice(0, most).map((link) => <LinkRow key={link.id} link={link} />)}</ul>
      {left > 0 && (
        <button type="button" class="quiet" onClick={() => setMost(most + MORE)}>{t('links.more', { count: Math.min(left, MORE) })}</button>
      )}
    </section>
  );
}
