// SPDX-License-Identifier: GPL-3.0-or-later
// Videos elsewhere, for the stand-in server: the routes of /api/v1/links. Nobody is asked for them.
// What its address says it is: "page" is no video, "gone" cannot be reached, "inside" may not be asked.
const NOT = {
  page: [422, 'it is no video: the server says that it is text/html'],
  gone: [502, 'the server that has it answers with 404'],
  inside: [422, 'it leads into the network of this server (10.0.0.1)'],
};

/** `Refusal` is the server's, `film` names a file that the player can play. */
export function fakeLinks({ Refusal, film }) {
  const links = []; // the one that was opened last is first
  let counter = 0;

  function add({ url }) {
    const known = links.find((each) => each.url === url);
    if (known) {
      links.splice(links.indexOf(known), 1);
      links.unshift({ ...known, added: new Date().toISOString() });
      return [200, links[0]];
    }
    if (!URL.canParse(url)) throw new Refusal(422, 'it is no URL', 'url');
    const { pathname, hostname } = new URL(url);
    const [, [status, words] = []] = Object.entries(NOT).find(([word]) => pathname.includes(word)) ?? [];
    if (status) throw new Refusal(status, words, 'url');
    const link = {
      id: `l${++counter}`, file: film(), url, name: decodeURIComponent(pathname.split('/').at(-1)) || hostname, valid: true,
      content_type: 'video/mp4', content_length: 1_400_000_000, accept_ranges: 'bytes', supports_range: true,
      here: 0, rate: 0, added: new Date().toISOString(),
    };
    links.unshift(link);
    return [201, link];
  }

  return {
    'GET /api/v1/links': ({ reply }) => reply.json(200, { items: links, next: null }),
    'POST /api/v1/links': ({ body, reply }) => reply.json(...add(body)),
    'DELETE /api/v1/links/:id': ({ id, reply }) => {
      const at = links.findIndex((each) => each.id === id);
      if (at < 0) throw new Refusal(404, 'there is no such link');
      links.splice(at, 1);
      return reply(204, '');
    },
  };
}
