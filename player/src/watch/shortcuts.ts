// SPDX-License-Identifier: GPL-3.0-or-later
// Which key does what. One table: the key handler and the help sheet both read it.
import type { Key } from '../i18n';

export type Command =
  | { do: 'toggle' | 'mute' | 'fullscreen' | 'subtitles' | 'pip' | 'skip' | 'help' | 'start' | 'end' }
  | { do: 'seek' | 'volume' | 'speed' | 'frame'; by: number }
  | { do: 'share'; to: number };

interface Row { keys: string[]; shown: string; label: Key; command: Command }

export const SHORTCUTS: Row[] = [
  { keys: [' ', 'k'], shown: 'Space, K', label: 'keys.toggle', command: { do: 'toggle' } },
  { keys: ['ArrowLeft'], shown: '←', label: 'keys.back5', command: { do: 'seek', by: -5 } },
  { keys: ['ArrowRight'], shown: '→', label: 'keys.forward5', command: { do: 'seek', by: 5 } },
  { keys: ['j'], shown: 'J', label: 'keys.back10', command: { do: 'seek', by: -10 } },
  { keys: ['l'], shown: 'L', label: 'keys.forward10', command: { do: 'seek', by: 10 } },
  { keys: ['Home'], shown: 'Home', label: 'keys.start', command: { do: 'start' } },
  { keys: ['End'], shown: 'End', label: 'keys.end', command: { do: 'end' } },
  { keys: [','], shown: ',', label: 'keys.frameBack', command: { do: 'frame', by: -1 } },
  { keys: ['.'], shown: '.', label: 'keys.frameForward', command: { do: 'frame', by: 1 } },
  { keys: ['ArrowUp'], shown: '↑', label: 'keys.louder', command: { do: 'volume', by: 0.05 } },
  { keys: ['ArrowDown'], shown: '↓', label: 'keys.quieter', command: { do: 'volume', by: -0.05 } },
  { keys: ['m'], shown: 'M', label: 'keys.mute', command: { do: 'mute' } },
  { keys: ['f'], shown: 'F', label: 'keys.fullscreen', command: { do: 'fullscreen' } },
  { keys: ['c'], shown: 'C', label: 'keys.subtitles', command: { do: 'subtitles' } },
  { keys: ['<'], shown: '<', label: 'keys.slower', command: { do: 'speed', by: -0.25 } },
  { keys: ['>'], shown: '>', label: 'keys.faster', command: { do: 'speed', by: 0.25 } },
  { keys: ['i'], shown: 'I', label: 'keys.pip', command: { do: 'pip' } },
  { keys: ['s'], shown: 'S', label: 'keys.skip', command: { do: 'skip' } },
  { keys: ['?'], shown: '?', label: 'keys.help', command: { do: 'help' } },
];

const byKey = new Map(SHORTCUTS.flatMap((row) => row.keys.map((key) => [key, row.command] as const)));

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  defaultPrevented: boolean;
  target: EventTarget | null;
}

/** Keys that one types with, in what has the focus. */
function types(target: EventTarget | null): boolean {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.matches('textarea, select, input:not([type=range], [type=checkbox], [type=radio])'));
}

/** Space and Enter press buttons and open links; those must keep working. */
function presses(target: EventTarget | null, key: string): boolean {
  return (key === ' ' || key === 'Enter') && target instanceof HTMLElement && target.matches('button, a, summary, [role^=menuitem]');
}

/** What a key press means here, if anything. `singleKeys` off leaves letters and digits to others (WCAG 2.1.4). */
export function commandOf(press: Press, singleKeys: boolean): Command | undefined {
  const { key, target } = press;
  if (press.defaultPrevented || press.ctrlKey || press.metaKey || press.altKey) return undefined;
  if (types(target) || presses(target, key)) return undefined;
  const isCharacter = key.length === 1 && key !== ' ';
  if (isCharacter && !singleKeys) return undefined;
  if (/^[0-9]$/.test(key)) return { do: 'share', to: Number(key) / 10 };
  return byKey.get(key.length === 1 ? key.toLowerCase() : key);
}
