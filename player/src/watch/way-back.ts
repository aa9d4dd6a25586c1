// SPDX-License-Identifier: GPL-3.0-or-later
// Where one came from: the list that was last shown in this tab, or else that of the films.
import { at } from '../base';
import { t, type Key } from '../i18n';
import { lastList } from '../store';

const NAMES: Record<NonNullable<ReturnType<typeof lastList>>, Key> = { '/': 'toLibrary', '/downloads': 'toDownloads', '/yours': 'toYours' };

export function wayBack(): { href: string; name: string } {
  const list = lastList() ?? '/';
  return { href: at(list), name: t(NAMES[list]) };
}
