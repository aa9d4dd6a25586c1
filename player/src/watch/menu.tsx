// SPDX-License-Identifier: GPL-3.0-or-later
// A button that opens a list of choices, one of them chosen. Arrow keys, Home, End and Escape work as
// in any menu, and closing gives the focus back to the button.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from '../parts/icon';

export interface Item { id: string; label: string; detail?: string | undefined }

/** Something that is on or off beside what is chosen. */
export interface Switch { label: string; on: boolean; onTurn: (on: boolean) => void }

export interface MenuProps {
  icon: IconName;
  label: string;
  items: Item[];
  toggle?: Switch | undefined;
  /** What is not there to choose, and why. */
  note?: string | undefined;
  chosen: string | undefined;
  onChoose: (id: string) => void;
}

function move(list: HTMLElement, by: 'first' | 'last' | 1 | -1): void {
  const items = [...list.querySelectorAll<HTMLElement>('[role^=menuitem]')];
  const now = items.findIndex((item) => item === document.activeElement);
  const next = by === 'first' ? 0 : by === 'last' ? items.length - 1 : (now + by + items.length) % items.length;
  items[next]?.focus();
}

const MOVES: Record<string, 'first' | 'last' | 1 | -1> = { ArrowDown: 1, ArrowUp: -1, Home: 'first', End: 'last' };

export function Menu({ icon, label, items, toggle, note, chosen, onChoose }: MenuProps) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);

  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) root.current?.querySelector('button')?.focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const chosenItem = list.current?.querySelector<HTMLElement>('[aria-checked=true]');
    if (chosenItem) chosenItem.focus();
    else if (list.current) move(list.current, 'first');
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (!open || !list.current) return;
    const step = MOVES[event.key];
    if (step !== undefined) move(list.current, step);
    else if (event.key === 'Escape') close(true);
    else if (event.key === 'Tab') return close(false);
    else return;
    event.preventDefault();
  };

  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button" class="control" aria-haspopup="menu" aria-expanded={open} aria-controls={open ? id : undefined}
        aria-label={label} title={label} onClick={() => setOpen(!open)}
      >
        <Icon name={icon} />
      </button>
      {open && (
        <div class="menu-list" role="menu" id={id} aria-label={label} ref={list}>
          <p class="menu-title" aria-hidden="true">{label}</p>
          {items.map((item) => (
            <button
              key={item.id} type="button" role="menuitemradio" aria-checked={item.id === chosen} tabIndex={-1}
              onClick={() => {
                onChoose(item.id);
                close(true);
              }}
            >
              <Icon name="check" />
              <span>{item.label}{item.detail && <small>{item.detail}</small>}</span>
            </button>
          ))}
          {toggle && (
            <button
              type="button" role="menuitemcheckbox" aria-checked={toggle.on} tabIndex={-1} class="menu-switch"
              onClick={() => {
                toggle.onTurn(!toggle.on);
                close(true);
              }}
            >
              <Icon name="check" />
              <span>{toggle.label}</span>
            </button>
          )}
          {note && <p class="menu-note">{note}</p>}
        </div>
      )}
    </div>
  );
}
