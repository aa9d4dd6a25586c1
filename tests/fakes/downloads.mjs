// SPDX-License-Identifier: GPL-3.0-or-later
// Downloads that move on by themselves, for the stand-in server: the routes of /api/v1/downloads and the
// topic `downloads`, and no byte of BitTorrent.
// Life: metadata (a magnet's, 1 s) -> checking (0.5 s) -> downloading (STEP a tick) -> complete.
// What its name says a download does: "alone" waits for peers, with a reason; "season" has many files;
// "broken" fails in the middle; "slow" takes minutes.
import { createHash } from 'node:crypto';

const TICK_MS = 500;
const STEP = 0.05;
const SIZE = 1_400_000_000;
const MOST_MAGNET = 8192;

const hashOf = (magnet) => /xt=urn:btih:([0-9a-f]{40})/i.exec(magnet)?.[1].toLowerCase();
const nameOf = ({ torrent, torrent_url: url }, magnet) => {
  if (url !== undefined) return decodeURIComponent(new URL(url).pathname.split('/').at(-1)).replace(/\.torrent$/i, '');
  if (torrent === undefined) return new URLSearchParams(magnet.replace(/^.*\?/, '')).get('dn') ?? '';
  const found = /4:name(\d+):/.exec(torrent);
  return found ? torrent.slice(found.index + found[0].length).slice(0, Number(found[1])) : 'torrent';
};
const wordOf = (download, word) => download.name.toLowerCase().includes(word);
const filesOf = (name, file) => (/season/i.test(name)
  ? [...Array.from({ length: 9 }, (_, i) => `${name}/Episode ${i + 1}.mkv`), `${name}/Read me.txt`]
  : [/\.\w{2,4}$/.test(name) ? name : `${name}.mkv`]).map((path, i) => ({
  name: path, size: path.endsWith('.txt') ? 1200 : SIZE, progress: 0, wanted: true, file: i === 0 ? file() : `x${i}`,
}));

/** `Refusal` is the server's, `film` names a file that the player can play. */
export function fakeDownloads({ Refusal, film }) {
  const downloads = new Map();
  const streams = new Set();
  let counter = 0;

  const shown = ({ ticks, ...download }) => download;
  const send = (stream, download) => stream.write(
    `event: downloads\nid: fake-${++counter}\ndata: ${JSON.stringify({ type: 'download', id: download.id, at: new Date().toISOString(), download: shown(download) })}\n\n`);
  const tell = (download) => streams.forEach((stream) => send(stream, download));
  const find = (id) => downloads.get(id) ?? (() => { throw new Refusal(404, 'there is no such download'); })();

  function count(download) {
    const wanted = download.files.filter(({ wanted: is }) => is);
    download.size = wanted.reduce((sum, { size }) => sum + size, 0);
    const here = wanted.reduce((sum, { size, progress }) => sum + size * progress, 0);
    download.progress = download.size > 0 ? here / download.size : 0;
    if (download.files.length > 0 && download.progress >= 1) Object.assign(download, { state: 'complete', rate: 0, eta: null });
    else if (download.state === 'complete') download.state = 'downloading';
  }

  function come(download) {
    const step = wordOf(download, 'slow') ? STEP / 50 : STEP;
    const next = download.files.filter(({ wanted, progress }) => wanted && progress < 1).slice(0, 2);
    for (const file of next) file.progress = Math.min(1, file.progress + (step * download.files.length) / next.length);
    const left = download.size * (1 - download.progress);
    Object.assign(download, { rate: Math.round((download.size * step * 1000) / TICK_MS), peers: 12 });
    download.eta = Math.round(left / download.rate);
    count(download);
    if (wordOf(download, 'broken') && download.progress > 0.3) {
      Object.assign(download, { state: 'failed', reason: 'the disk failed: Input/output error', rate: 0, peers: 0, eta: null });
    }
  }

  const moves = {
    metadata(download) {
      if (wordOf(download, 'alone')) download.reason = 'no peer has been found';
      else if (download.ticks > 1) download.state = 'checking';
    },
    checking(download) {
      if (download.files.length === 0) download.files = filesOf(download.name, film);
      download.state = 'downloading';
      count(download);
    },
    downloading: come,
  };

  setInterval(() => {
    for (const download of downloads.values()) {
      download.ticks += 1;
      if (!moves[download.state]) continue;
      moves[download.state](download);
      tell(download);
    }
  }, TICK_MS).unref();

  function add(body) {
    const magnet = String(body.magnet ?? '');
    const { torrent, torrent_url: url } = body;
    if (magnet.length > MOST_MAGNET) throw new Refusal(422, 'the magnet is longer than 8 KiB');
    if (url !== undefined && /gone/.test(url)) throw new Refusal(502, 'the server that has it answers with 404', 'torrent_url');
    const whole = torrent ?? url; // what needs no description
    const hash = whole === undefined ? hashOf(magnet) : createHash('sha1').update(whole).digest('hex');
    if (!hash) throw new Refusal(422, 'it is no magnet that can be read: unsupported URL protocol');
    const known = [...downloads.values()].find((each) => each.hash === hash);
    if (known) return [200, known];
    const download = {
      id: `d${++counter}`, name: nameOf(body, magnet), hash, state: whole === undefined ? 'metadata' : 'checking', progress: 0, size: 0,
      rate: 0, upload_rate: 0, uploaded: 0, peers: 0, priority: 'normal',
      limits: { download_rate: null, upload_rate: null, ratio_percent: null, seed_s: null }, eta: null, added: new Date().toISOString(), files: [], ticks: 0,
    };
    downloads.set(download.id, download);
    tell(download);
    return [201, download];
  }

  function change(download, { state, priority = download.priority, limits = {}, files = [] }) {
    if (files.length > 0 && download.files.length === 0) throw new Refusal(409, 'which files it has is not known yet', 'files');
    for (const { file, wanted } of files) download.files.find((each) => each.file === file).wanted = wanted;
    count(download);
    Object.assign(download, { priority, limits: { ...download.limits, ...limits } });
    if (state === 'paused' && moves[download.state]) Object.assign(download, { state: 'paused', rate: 0, peers: 0, eta: null });
    if (state === 'running' && download.state === 'paused') download.state = download.files.length > 0 ? 'downloading' : 'metadata';
    delete download.reason;
    tell(download);
    return download;
  }

  return {
    routes: {
      'GET /api/v1/downloads': ({ reply }) => reply.json(200, { items: [...downloads.values()].map(shown), next: null }),
      'POST /api/v1/downloads': ({ body, reply }) => {
        const [status, download] = add(body);
        return reply.json(status, shown(download));
      },
      'GET /api/v1/downloads/:id': ({ id, reply }) => reply.json(200, shown(find(id))),
      'PATCH /api/v1/downloads/:id': ({ id, body, reply }) => reply.json(200, shown(change(find(id), body))),
      'DELETE /api/v1/downloads/:id': ({ id, reply }) => {
        downloads.delete(find(id).id);
        for (const stream of streams) {
          stream.write(`event: downloads\nid: fake-${++counter}\ndata: ${JSON.stringify({ type: 'download-gone', id, at: new Date().toISOString() })}\n\n`);
        }
        return reply(204, '');
      },
    },
    /** The present states, before `live`; changes follow until the stream is closed. */
    listen(stream) {
      downloads.forEach((download) => send(stream, download));
      streams.add(stream);
      stream.on('close', () => streams.delete(stream));
    },
  };
}
