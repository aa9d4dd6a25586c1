// SPDX-License-Identifier: GPL-3.0-or-later
// The page /downloads: what is being downloaded, kept fresh by the server's news; admins add, pause and
// remove. Below, the videos elsewhere that were opened by their address.
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { Frame, usePageTitle } from '../parts/frame';
import { wordsOf } from '../parts/words';
import { isAdmin, listShown } from '../store';
import { warmPlayer } from '../warm';
import { Add } from './add';
import { loadLinks } from './links';
import { listProblem, retry, rows, watchDownloads } from './list';
import { RecentLinks } from './recent-links';
import { Row } from './row';
import '../styles/downloads.css';

function List() {
  const all = rows.value;
  const problem = listProblem.value;
  if (problem && (all === undefined || all.length === 0)) {
    return (
      <section class="empty" role="alert">
        <h2>{t('library.failed')}</h2>
        <p>{wordsOf(problem)}</p>
        <button type="button" onClick={() => void retry()}>{t('retry')}</button>
      </section>
    );
  }
  if (all === undefined) {
    return <ul class="downloads" aria-busy="true" aria-label={t('downloads.loading')}><li class="download skeleton" /><li class="download skeleton" /></ul>;
  }
  if (all.length === 0) {
    return <section class="empty"><h2>{t('downloads.empty')}</h2><p>{t(isAdmin.value ? 'downloads.emptyText' : 'downloads.emptyGuest')}</p></section>;
  }
  return (
    <>
      {problem && <p class="banner" role="alert">{t('library.stale')} {wordsOf(problem)}</p>}
      <ul class="downloads">{all.map((row) => <Row key={row.peek().id} row={row} />)}</ul>
    </>
  );
}

export function Downloads() {
  usePageTitle(t('downloads.title'));
  useEffect(() => {
    const leaving = new AbortController();
    listShown('/downloads');
    warmPlayer(leaving.signal);
    watchDownloads(leaving.signal);
    void loadLinks(leaving.signal);
    return () => leaving.abort();
  }, []);
  const count = rows.value?.length ?? 0;
  return (
    <Frame>
      <div class="wide-column">
        <div class="heading"><h1>{t('downloads.title')}{count > 0 && <span class="count">{count}</span>}</h1></div>
        <Add />
        <List />
        <RecentLinks />
      </div>
    </Frame>
  );
}
