// SPDX-License-Identifier: GPL-3.0-or-later
// What lies over the picture when it does not move: a wait with its cause, after a while with choices;
// a failure with what to do; a lost session with the sign-in form.
import { useEffect, useRef, useState } from 'preact/hooks';
import { clock, t } from '../i18n';
import { Icon } from '../parts/icon';
import { announce } from '../parts/live';
import { SignInForm } from '../parts/sign-in-form';
import type { Failure } from './engine';
import type { Player } from './player';
import { Skip } from './skip';
import { wayBack } from './way-back';

const EXPLAIN_SECONDS = 3;
const CHOICES_SECONDS = 15;

/** Seconds since `on` became true, counted while it is. */
function useSecondsOf(on: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    setSeconds(0);
    if (!on) return undefined;
    const timer = setInterval(() => setSeconds((before) => before + 1), 1000);
    return () => clearInterval(timer);
  }, [on]);
  return on ? seconds : 0;
}

function lowerOf(player: Player): string | undefined {
  const { qualities, shown, quality } = player.engineState.value;
  const now = qualities.find(({ id }) => id === (shown ?? quality))?.bitsPerSecond ?? Math.max(...qualities.map((each) => each.bitsPerSecond));
  return qualities.filter(({ bitsPerSecond }) => bitsPerSecond < now).sort((a, b) => b.bitsPerSecond - a.bitsPerSecond)[0]?.id;
}

function BackButton() {
  const { href, name } = wayBack();
  return <a class="button" href={href}>{name}</a>;
}

function Waiting({ player }: { player: Player }) {
  const { waiting, started } = player.snapshot.value;
  const preparing = player.preparing.value;
  const trouble = player.trouble.value;
  const on = (waiting || !started) && !player.needsPress.value;
  const seconds = useSecondsOf(on);
  const [patient, setPatient] = useState(false);
  useEffect(() => setPatient(false), [on]);
  const words = preparing ?? (trouble === 'offline' ? t('waiting.offline')
    : seconds >= EXPLAIN_SECONDS ? t(started ? 'waiting.part' : 'waiting.start') : undefined);
  useEffect(() => {
    if (on && words !== undefined) announce(words);
  }, [on, words]);
  if (!on) return null;
  const lower = lowerOf(player);
  return (
    <div class="waiting">
      <span class="spinner" aria-hidden="true" />
      {words !== undefined && <p>{words}</p>}
      {seconds >= CHOICES_SECONDS && !patient && (
        <div class="choices">
          {lower !== undefined && <button type="button" onClick={() => player.setQuality(lower)}>{t('waiting.lower')}</button>}
          <button type="button" onClick={() => setPatient(true)}>{t('waiting.keep')}</button>
          <BackButton />
        </div>
      )}
    </div>
  );
}

function FailurePanel({ failure, player }: { failure: Failure; player: Player }) {
  const retry = useRef<HTMLButtonElement>(null);
  useEffect(() => retry.current?.focus(), []);
  const details = [failure.code, failure.status, clock(player.position())].filter((part) => part !== undefined).join(' · ');
  return (
    <div class="failure" role="alertdialog" aria-labelledby="failure-title" aria-describedby="failure-text">
      <Icon name="warning" />
      <h2 id="failure-title">{t(`failure.${failure.kind}.title`)}</h2>
      <div id="failure-text">
        {failure.words !== '' && <p>{failure.words}</p>}
        <p>{t(`failure.${failure.kind}.text`)}</p>
      </div>
      <div class="choices">
        <button type="button" class="primary" ref={retry} onClick={() => void player.retry()}>{t('retry')}</button>
        <BackButton />
      </div>
      <p class="code">{t('failure.code', { details })}</p>
    </div>
  );
}

function SignInAgain({ player }: { player: Player }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog class="sheet" ref={dialog} aria-labelledby="again-title">
      <h2 id="again-title">{t('failure.signed-out.title')}</h2>
      <p>{t('failure.signed-out.text')}</p>
      <SignInForm onDone={() => void player.retry()} />
    </dialog>
  );
}

function Resumed({ player }: { player: Player }) {
  const at = player.resumedAt.value;
  const { started } = player.snapshot.value;
  const [gone, setGone] = useState(false);
  useEffect(() => {
    if (at === undefined || !started) return undefined;
    announce(t('resumed', { time: clock(at) }));
    const timer = setTimeout(() => setGone(true), 10_000);
    return () => clearTimeout(timer);
  }, [at, started]);
  if (at === undefined || !started || gone) return null;
  return (
    <div class="resumed">
      <span>{t('resumed', { time: clock(at) })}</span>
      <button
        type="button" class="quiet"
        onClick={() => {
          player.seekTo(0);
          setGone(true);
        }}
      >{t('startOver')}</button>
    </div>
  );
}

export function Overlay({ player }: { player: Player }) {
  const failure = player.failure.value;
  if (failure?.kind === 'signed-out') return <SignInAgain player={player} />;
  if (failure) return <FailurePanel failure={failure} player={player} />;
  return (
    <>
      <Waiting player={player} />
      {player.needsPress.value && (
        <button type="button" class="press" aria-label={t('play')} onClick={() => player.play()}><Icon name="play" /></button>
      )}
      <Resumed player={player} />
      <Skip player={player} />
    </>
  );
}
