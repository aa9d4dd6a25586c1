// SPDX-License-Identifier: GPL-3.0-or-later
// The page /watch/:id?t=: the video element, what surrounds it, and the keys that work whatever has
// the focus. A change of the file starts anew.
import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso';
import { getFile, getTitle } from '../api';
import { usePageTitle } from '../parts/frame';
import { Icon } from '../parts/icon';
import { itemName } from '../parts/item-name';
import { singleKeys } from '../prefs';
import { lastList, titleOfFile } from '../store';
import { obey } from './commands';
import { Controls } from './controls';
import { HelpSheet } from './help-sheet';
import { idleOf, type Idle } from './idle';
import { mediaSession } from './media-session';
import { NextUp } from './next-up';
import { Overlay } from './overlay';
import { Player } from './player';
import { toggleFullscreen } from './screen';
import { commandOf } from './shortcuts';
import { Presses } from './touch';
import { wayBack } from './way-back';
import '../styles/watch.css';

interface Stage { player: Player; idle: Idle; frame: HTMLElement }

interface Called { name: string; /** The episode that it is. */ episode?: string }

async function askName(file: string, signal: AbortSignal): Promise<Called> {
  const { title, name } = await getFile(file, signal);
  if (title === file) return { name }; // it is in no library: of a download, or elsewhere
  const found = await getTitle(title, signal).catch(() => undefined);
  if (!found) return { name };
  return found.kind === 'episode' ? { name: itemName(found), episode: found.id } : { name: found.title };
}

/** From the list if it is there, else from the server; the file's name where it has no title of its own. */
function useName(file: string): Called | undefined {
  const listed = titleOfFile(file)?.title;
  const [asked, setAsked] = useState<Called>();
  useEffect(() => {
    const ends = new AbortController();
    setAsked(undefined);
    // Without a name the film plays all the same.
    if (listed === undefined) askName(file, ends.signal).then(setAsked, () => undefined);
    return () => ends.abort();
  }, [file, listed]);
  return listed === undefined ? asked : { name: listed };
}

function useStage(file: string, at: number | undefined) {
  const frame = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [stage, setStage] = useState<Stage>();
  useEffect(() => {
    if (!frame.current || !video.current) return undefined;
    const ends = new AbortController();
    const player = new Player(video.current, file, ends.signal);
    setStage({ player, idle: idleOf(frame.current, video.current, ends.signal), frame: frame.current });
    void player.open(at);
    return () => ends.abort();
  }, [file]);
  return { frame, video, stage };
}

function BackLink() {
  const { back } = useLocation();
  const { href, name } = wayBack();
  return (
    <a
      class="control" href={href} aria-label={name} title={name}
      onClick={(event) => {
        if (lastList() === undefined) return;
        // The list then stands where it was left.
        event.preventDefault();
        back();
      }}
    >
      <Icon name="arrow" />
    </a>
  );
}

function useKeys(stage: Stage | undefined, help: () => void): void {
  useEffect(() => {
    if (!stage) return undefined;
    const onKey = (event: KeyboardEvent) => {
      if (document.querySelector('dialog[open]')) return;
      const command = commandOf(event, singleKeys.peek());
      if (!command) return;
      event.preventDefault();
      obey(stage.player, command, { frame: stage.frame, help });
      stage.idle.wake();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [stage]);
}

function usePresses({ stage }: { stage: Stage | undefined }) {
  const presses = useRef(new Presses());
  return (event: PointerEvent & { currentTarget: HTMLElement }): void => {
    if (!stage || event.button !== 0) return;
    const { player, idle, frame } = stage;
    const box = event.currentTarget.getBoundingClientRect();
    const finger = event.pointerType !== 'mouse';
    switch (presses.current.press(event.timeStamp, finger, (event.clientX - box.left) / box.width)) {
      case 'toggle': return player.toggle();
      case 'fullscreen':
        player.toggle(); // the first press of the two had its effect
        return toggleFullscreen(frame, player.video);
      case 'back': return player.seekTo(player.video.currentTime - 10);
      case 'forward': return player.seekTo(player.video.currentTime + 10);
      case 'controls': return idle.shown.peek() ? idle.hide() : idle.wake();
      case 'nothing':
    }
  };
}

/** As far as text stands above the controls (watch.css). */
const CONTROLS_HEIGHT = 88;

function PictureCanvas({ player, hidden }: { player: Player; hidden: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const on = player.pictures.on.value;
  useEffect(() => {
    player.pictures.drawOn(canvas.current ?? undefined);
    return () => player.pictures.drawOn(undefined);
  }, [player, on]);
  useEffect(() => player.pictures.cover(hidden ? 0 : CONTROLS_HEIGHT), [player, hidden]);
  return on ? <canvas class="pictures" ref={canvas} aria-hidden="true" /> : null;
}

export function Watch() {
  const { params, query } = useRoute();
  const file = params['id'] ?? '';
  const at = query['t'] === undefined ? undefined : Number(query['t']) || 0;
  const called = useName(file);
  const name = called?.name;
  usePageTitle(name);
  const [help, setHelp] = useState(false);
  const { frame, video, stage } = useStage(file, at);
  const onPress = usePresses({ stage });
  useKeys(stage, () => setHelp(true));
  useEffect(() => {
    if (!stage || name === undefined) return undefined;
    const ends = new AbortController();
    mediaSession(stage.player, name, ends.signal);
    return () => ends.abort();
  }, [stage, name]);

  const hidden = stage ? !stage.idle.shown.value : false;
  return (
    <main class={`watch ${hidden ? 'hidden' : ''}`} ref={frame}>
      <video ref={video} playsInline preload="metadata" onPointerUp={onPress} />
      {stage && <PictureCanvas player={stage.player} hidden={hidden} />}
      <div class="title-bar"><BackLink /><h1>{name ?? ' '}</h1></div>
      {stage && <Overlay player={stage.player} />}
      {stage && called?.episode !== undefined && <NextUp key={called.episode} player={stage.player} item={called.episode} />}
      {stage && <Controls player={stage.player} frame={() => stage.frame} onHelp={() => setHelp(true)} />}
      {help && <HelpSheet onClose={() => setHelp(false)} />}
    </main>
  );
}
