// SPDX-License-Identifier: GPL-3.0-or-later
// What a button or a form does at the server: one at a time, and what went wrong is kept to be shown.
import { useEffect, useRef, useState } from 'preact/hooks';
import { isSignedOut, Problem } from '../api';
import { load, sessionEnded } from '../store';
import { wordsOf } from './words';

export interface Action {
  busy: boolean;
  /** What went wrong, in words; undefined: nothing, or it is said at a field. */
  problem: string | undefined;
  /** What is wrong with the field of this name, in words. */
  errorOf: (name: string) => string | undefined;
  /** Says whether it was done. */
  run: (what: () => Promise<unknown>) => Promise<boolean>;
}

/** `fields`: the names of those that say themselves what is wrong with them. */
export function useAction(fields: readonly string[] = []): Action {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const isBusy = useRef(false);
  const run = async (what: () => Promise<unknown>): Promise<boolean> => {
    if (isBusy.current) return false;
    isBusy.current = true;
    setBusy(true);
    setFailed(undefined);
    const failure: unknown = await what().then(() => undefined, (error: unknown) => error ?? new Error());
    isBusy.current = false;
    setBusy(false);
    setFailed(failure);
    if (isSignedOut(failure)) void load(); // it may be the session that has ended
    return failure === undefined;
  };
  const field = failed instanceof Problem && failed.field !== undefined && fields.includes(failed.field) ? failed.field : undefined;
  return {
    busy, run,
    problem: failed !== undefined && field === undefined ? wordsOf(failed) : undefined,
    errorOf: (name) => (name === field ? wordsOf(failed) : undefined),
  };
}

export interface List<T> { items: T[] | undefined; problem: string | undefined; reload: () => Promise<void> }

/** A list of the server's, loaded when it is first shown; what is shown stays until the next has come. */
export function useList<T>(load: (signal: AbortSignal) => Promise<{ items: T[] }>): List<T> {
  const [items, setItems] = useState<T[]>();
  const [problem, setProblem] = useState<string>();
  const ends = useRef(new AbortController());
  const reload = async () => {
    const { signal } = ends.current;
    try {
      const answer = await load(signal);
      if (signal.aborted) return;
      setItems(answer.items);
      setProblem(undefined);
    } catch (error) {
      if (signal.aborted) return;
      if (isSignedOut(error)) sessionEnded();
      setProblem(wordsOf(error));
    }
  };
  useEffect(() => {
    ends.current = new AbortController();
    void reload();
    return () => ends.current.abort();
  }, []);
  return { items, problem, reload };
}
