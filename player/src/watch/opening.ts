// SPDX-License-Identifier: GPL-3.0-or-later
// What may have to be waited for before there is a playlist: room on a busy server, then the film's plan.
// `say` hears for what, in words for a person; undefined: nothing any more.
import * as api from '../api';
import { t } from '../i18n';

const BUSY = 503;
const BUSY_PAUSE_SECONDS = 5;
/** A film that turned out to be unplayable while it was waited for is refused as one that was known to be. */
const REFUSED = 422;
/** Until the server is asked again: a fifth of what it took so far, as so much may be waited in vain. */
const pollPauseMs = (passedMs: number): number => Math.min(1000, Math.max(50, passedMs / 5));

type Say = (words: string | undefined) => void;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** A server that is busy with others says so, and is asked again until there is room. */
async function admitted(wish: api.PlaybackWish, ends: AbortSignal, say: Say): Promise<api.Playback> {
  for (;;) {
    try {
      return await api.startPlayback(wish, ends);
    } catch (error) {
      if (!(error instanceof api.Problem) || error.status !== BUSY || ends.aborted) throw error;
      say(t('waiting.busy', { reason: error.words }));
      await sleep(1000 * (error.retryAfterSeconds ?? BUSY_PAUSE_SECONDS));
    }
  }
}

/** A playback whose playlist can be loaded. */
export async function opened(wish: api.PlaybackWish, ends: AbortSignal, say: Say): Promise<api.Playback> {
  let current = await admitted(wish, ends, say);
  const begun = performance.now();
  while (current.waiting) {
    say(current.waiting.reason);
    await sleep(pollPauseMs(performance.now() - begun));
    current = await api.getPlayback(current.id, ends);
  }
  say(undefined);
  if (current.failed !== undefined) throw new api.Problem(REFUSED, current.failed, undefined, undefined);
  return current;
}
