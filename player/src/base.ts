// SPDX-License-Identifier: GPL-3.0-or-later
// Where the page lives: "" at the root of its host, "/films" behind a proxy that gives it that part
// (http.base_path). Read off the place of this script, one folder below, since the server may not put
// a <base> element or an inline script into the page.

export function baseOf(scriptUrl: string): string {
  const { protocol, pathname } = new URL(scriptUrl);
  return protocol.startsWith('http') ? pathname.split('/').slice(0, -2).join('/') : '';
}

const BASE = baseOf(import.meta.url);

/** A path of the app as a path of the host: "/settings" -> "/films/settings". */
export const at = (path: string): string => BASE + path;
