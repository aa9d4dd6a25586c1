// SPDX-License-Identifier: GPL-3.0-or-later
// A small stand-in for the server, so that the page can be built and tested alone: the same command
// line, the same start line, the routes of conf/openapi.yaml that the page uses, and CMAF made by the
// ffmpeg program before the first request. It streams films whose key frames are one second apart.
// Life: serve -> prepares every file of the library -> listening -> ends with the process.
//   node hls-server.mjs serve --data DIR --library DIR --listen 127.0.0.1:0 --auth none|accounts
// MATINEE_PLAYER is the folder of the built page. MATINEE_FAKE_SLOW=1 leaves films `waiting` for 2 s.
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { boxes, codecOf, shiftTime, startOf, timescaleOf } from './boxes.mjs';
import { fakeDownloads } from './downloads.mjs';
import { fakeLinks } from './links.mjs';

const run = promisify(execFile);
const OFFSET_SECONDS = 10; // media time 0 on the segments' clock, as in the real server
const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json' };
const SETUP_CODE = 'ABCD2345';

const { values: flags } = parseArgs({
  args: process.argv.slice(3),
  options: {
    data: { type: 'string' }, library: { type: 'string', multiple: true }, listen: { type: 'string', default: '127.0.0.1:0' },
    auth: { type: 'string', default: 'accounts' },
  },
});
const data = flags.data ?? '/nonexistent';
const page = process.env.MATINEE_PLAYER ?? '';
const films = new Map();
const playbacks = new Map();
const places = new Map(); // by file, in seconds
const sessions = new Set();
const accounts = new Map();
let counter = 0;

const cutsOf = (duration) => {
  const cuts = [0, 1, 2];
  for (let at = 4; at < duration - 1; at += 4) cuts.push(at);
  return cuts.filter((at) => at < duration - 0.5);
};

/** One rendition: its init segment, and its segments as lists of moof+mdat. */
async function rendition(film, name, args, cuts) {
  const out = join(data, `${film.id}-${name}.mp4`);
  await run('ffmpeg', ['-v', 'error', '-y', '-i', film.path, ...args, '-map_metadata', '-1', '-movflags',
    '+frag_keyframe+empty_moov+default_base_moof', '-f', 'mp4', out]);
  const bytes = await readFile(out);
  const top = boxes(bytes);
  const init = Buffer.concat(top.filter(({ type }) => type === 'ftyp' || type === 'moov').map((box) => box.bytes));
  const timescale = timescaleOf(init);
  const segments = cuts.map(() => []);
  top.forEach((box, index) => {
    if (box.type !== 'moof') return;
    const start = startOf(box.bytes) / timescale;
    const n = cuts.findLastIndex((cut) => cut <= start + 0.03);
    shiftTime(box.bytes, OFFSET_SECONDS * timescale);
    segments[Math.max(0, n)].push(box.bytes, top[index + 1].bytes);
  });
  const mediaBytes = segments.flat().reduce((sum, { length }) => sum + length, 0);
  return { name, init, segments: segments.map((parts) => Buffer.concat(parts)), codec: codecOf(init), bits: Math.ceil((mediaBytes * 8) / film.duration) };
}

async function prepare(path, name) {
  const film = { id: `f${++counter}`, title: `t${counter}`, path, name, added: new Date().toISOString() };
  try {
    const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', path]);
    const { format, streams } = JSON.parse(stdout);
    film.duration = Number(format.duration);
    film.audio = streams.filter(({ codec_type }) => codec_type === 'audio');
    film.height = streams.find(({ codec_type }) => codec_type === 'video').height;
    const cuts = (film.cuts = cutsOf(film.duration));
    const audioArgs = ['-vn', '-c:a', 'aac', '-ac', '2', '-b:a', '96k', '-frag_duration', '1000000'];
    film.renditions = [
      await rendition(film, 'video-copy', ['-map', '0:v:0', '-c', 'copy'], cuts),
      await rendition(film, 'video-180p', ['-map', '0:v:0', '-vf', 'scale=-2:180', '-c:v', 'libx264', '-preset', 'ultrafast',
        '-bf', '0', '-b:v', '150k', '-force_key_frames', 'expr:gte(t,n_forced)'], cuts),
    ];
    for (const i of film.audio.keys()) {
      film.renditions.push(await rendition(film, `audio-${i + 1}-aac`, ['-map', `0:a:${i}`, ...audioArgs], cuts));
    }
    film.state = 'ready';
  } catch {
    Object.assign(film, { state: 'unreadable', reason: 'This is not a video file: no container was recognised.', duration: null });
  }
  films.set(film.id, film);
}

const titleName = (name) => name.replace(/\.\w+$/, '').replace(/\s*\(\d{4}\)/, '');
const yearOf = (name) => Number(/\((\d{4})\)/.exec(name)?.[1]) || null;
const fileJson = ({ id, name, duration, state, reason }) => ({ id, name, duration, state, ...(reason && { reason }) });
const titleJson = (film) => ({
  id: film.title, kind: 'film', title: titleName(film.name), year: yearOf(film.name), poster: null, age: null, added: film.added, genres: [],
  state: film.state, ...(film.reason && { reason: film.reason }), watched: false, files: [fileJson(film)],
});
const scanJson = () => ({ running: false, done: films.size, total: films.size, started: null, finished: null, folders: [] });
const mediaJson = (film) => film.duration === null ? null : {
  duration: film.duration, chapters: [],
  tracks: [], renditions: film.renditions.map(({ name }) => ({ name, kind: name.split('-')[0] })),
};

function playbackJson(playback) {
  const { film, id, position } = playback;
  const link = (client) => `/hls/${film.id}/master.m3u8?client=${client}&p=${id}`;
  const waiting = process.env.MATINEE_FAKE_SLOW && Date.now() - playback.born < 2000
    ? { waiting: { for: 'plan', reason: 'Looking for the places where the film can be cut.' } } : {};
  return {
    id, item: film.id, file: film.id, master: link('mse'), native: link('native'), cast: `/hls/~${id}/master.m3u8`, position, paused: false, rate: 1,
    duration: film.duration, tracks: [], pictures: [], chapters: [], markers: [], next: null, presentation_offset: OFFSET_SECONDS, ...waiting,
    expires: new Date(Date.now() + 36e5).toISOString(),
  };
}

function master(film, query) {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS'];
  const audio = film.renditions.filter(({ name }) => name.startsWith('audio'));
  audio.forEach(({ name }, i) => {
    const language = film.audio[i].tags?.language ?? 'und';
    const first = i === 0 ? 'YES' : 'NO';
    lines.push(`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Track ${i + 1}",LANGUAGE="${language}",DEFAULT=${first},AUTOSELECT=YES,CHANNELS="2",URI="${name}/index.m3u8${query}"`);
  });
  for (const { name, bits, codec } of film.renditions.filter(({ name: n }) => n.startsWith('video'))) {
    const height = name === 'video-copy' ? film.height : 180;
    const width = Math.round((height * 16) / 9 / 2) * 2;
    const sound = audio.length > 0 ? ',AUDIO="aac"' : '';
    const codecs = audio.length > 0 ? `${codec},mp4a.40.2` : codec;
    lines.push(`#EXT-X-STREAM-INF:BANDWIDTH=${Math.ceil(bits * 1.6) + 96000},AVERAGE-BANDWIDTH=${bits + 96000},CODECS="${codecs}",RESOLUTION=${width}x${height},FRAME-RATE=24.000${sound}`);
    lines.push(`${name}/index.m3u8${query}`);
  }
  return `${lines.join('\n')}\n`;
}

function mediaPlaylist(film, query) {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:10', '#EXT-X-MEDIA-SEQUENCE:0', '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS', `#EXT-X-MAP:URI="init.mp4${query}"`];
  film.cuts.forEach((cut, n) => {
    const end = film.cuts[n + 1] ?? film.duration;
    lines.push(`#EXTINF:${(end - cut).toFixed(6)},`, `${n}.m4s${query}`);
  });
  return `${lines.join('\n')}\n#EXT-X-ENDLIST\n`;
}

class Refusal extends Error {
  constructor(status, detail, field) {
    super(detail);
    Object.assign(this, { status, detail, field });
  }
}

const anyFilm = () => [...films.values()].find(({ state }) => state === 'ready')?.id ?? 'x0';
const downloads = fakeDownloads({ Refusal, film: anyFilm });

const sessionOf = (request) => /matinee_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1];

function hls(path, url, reply) {
  const [, file, rest] = /^\/hls\/([^/]+)\/(.+)$/.exec(path) ?? [];
  const film = films.get(file);
  if (!film?.renditions) throw new Refusal(404, 'There is no such film.');
  const p = url.searchParams.get('p');
  if (p !== null && !playbacks.has(p)) throw new Refusal(410, 'This playback has ended.');
  const text = (body) => reply(200, body, { 'Content-Type': 'application/vnd.apple.mpegurl', 'Cache-Control': 'private, no-cache' });
  if (rest === 'master.m3u8') return text(master(film, url.search));
  if (rest === 'storyboard.vtt') return reply(200, 'WEBVTT\n', { 'Content-Type': 'text/vtt; charset=utf-8', 'Cache-Control': 'private, no-cache' });
  const [name, part] = rest.split('/');
  const found = film.renditions.find((each) => each.name === name);
  if (!found) throw new Refusal(404, 'There is no such rendition.');
  if (part === 'index.m3u8') return text(mediaPlaylist(film, url.search));
  const body = part === 'init.mp4' ? found.init : found.segments[Number.parseInt(part, 10)];
  if (!body) throw new Refusal(404, 'There is no such segment.');
  return reply(200, body, { 'Content-Type': name.startsWith('audio') ? 'audio/mp4' : 'video/mp4', 'Cache-Control': 'no-store' });
}

function signIn(reply, username) {
  const session = `s${++counter}x${Math.random().toString(36).slice(2)}`;
  sessions.add(session);
  return reply.json(200, { id: 'u1', username, role: 'admin' }, { 'Set-Cookie': `matinee_session=${session}; HttpOnly; SameSite=Lax; Path=/` });
}

const routes = {
  'GET /api/v1/status': ({ reply }) => reply.json(200, {
    version: '0-fake', setup_required: flags.auth === 'accounts' && accounts.size === 0, auth: flags.auth, sign_in: ['password'], providers: [], registration: 'invite',
    features: {}, sandbox: [],
  }),
  'POST /api/v1/setup': ({ body, reply }) => {
    if (accounts.size > 0) throw new Refusal(409, 'There is an account already.');
    if (body.code !== undefined && body.code !== SETUP_CODE) throw new Refusal(422, 'This is not the setup code. The server printed it when it started.', 'code');
    if ((body.password ?? '').length < 8) throw new Refusal(422, 'A password needs at least 8 characters.', 'password');
    accounts.set(body.username, body.password);
    return signIn(reply, body.username);
  },
  'POST /api/v1/session': ({ body, reply }) => {
    if (accounts.get(body.username) !== body.password) throw new Refusal(401, 'User name and password do not match.');
    return signIn(reply, body.username);
  },
  'DELETE /api/v1/session': ({ request, reply }) => {
    sessions.delete(sessionOf(request));
    return reply(204, '');
  },
  'GET /api/v1/me': ({ reply }) => reply.json(200, { id: 'u1', username: [...accounts.keys()][0] ?? 'nobody', role: 'admin' }),
  'GET /api/v1/library': ({ reply }) => reply.json(200, { items: [...films.values()].map(titleJson), next: null, total: films.size, letters: [] }),
  'GET /api/v1/library/scan': ({ reply }) => reply.json(200, scanJson()),
  'POST /api/v1/library/scan': ({ reply }) => reply.json(202, scanJson()),
  'GET /api/v1/titles/:id': ({ id, reply }) => {
    const film = [...films.values()].find(({ title }) => title === id);
    if (!film) throw new Refusal(404, 'There is no such title.');
    return reply.json(200, titleJson(film));
  },
  'GET /api/v1/files/:id': ({ id, reply }) => {
    const film = films.get(id);
    if (!film) throw new Refusal(404, 'There is no such file.');
    return reply.json(200, { ...fileJson(film), title: film.title, items: [{ id: film.id }], size: 1, added: film.added, media: mediaJson(film) });
  },
  'POST /api/v1/playback': ({ body, reply }) => {
    const film = films.get(body.file);
    if (!film) throw new Refusal(404, 'There is no such file.');
    if (film.state !== 'ready') throw new Refusal(422, film.reason);
    const playback = { id: `p${++counter}`, film, born: Date.now(), position: body.position ?? places.get(film.id) ?? 0 };
    playbacks.set(playback.id, playback);
    return reply.json(201, playbackJson(playback));
  },
  'GET /api/v1/playback/:id': ({ id, reply }) => reply.json(200, playbackJson(playbacks.get(id) ?? fail404())),
  'PUT /api/v1/playback/:id': ({ id, body, reply }) => {
    places.set((playbacks.get(id) ?? fail404()).film.id, body.position);
    return reply(204, '');
  },
  'GET /api/v1/continue': ({ reply }) => reply.json(200, { items: [], next: null }),
  'DELETE /api/v1/playback/:id': ({ id, reply }) => (playbacks.delete(id) ? reply(204, '') : fail404()),
  ...downloads.routes,
  ...fakeLinks({ Refusal, film: anyFilm }),
  'GET /api/v1/events': ({ url, response }) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    if (url.searchParams.get('topics')?.split(',').includes('downloads')) downloads.listen(response);
    response.write('event: live\ndata: {}\n\n');
  },
};

function fail404() {
  throw new Refusal(404, 'There is no such playback.');
}

const OPEN = ['/api/v1/status', '/api/v1/setup', '/api/v1/session'];

async function api(context, path) {
  const { request } = context;
  if (flags.auth === 'accounts' && !OPEN.includes(path) && !sessions.has(sessionOf(request))) throw new Refusal(401, 'Sign in first.');
  const [, base, id] = /^(\/api\/v1\/(?:files|playback|titles|downloads|links))\/([^/]+)$/.exec(path) ?? [];
  const route = routes[`${request.method} ${base ? `${base}/:id` : path}`];
  if (!route) throw new Refusal(404, 'There is no such route.');
  return route({ ...context, id });
}

async function file(path, response) {
  const wanted = normalize(path);
  const name = extname(wanted) === '' ? '/index.html' : wanted;
  const full = join(page, name);
  const found = await stat(full).catch(() => undefined);
  if (!found?.isFile()) throw new Refusal(404, 'There is no such page.');
  response.writeHead(200, {
    'Content-Type': TYPES[extname(full)] ?? 'application/octet-stream', 'Content-Security-Policy': CSP, 'X-Content-Type-Options': 'nosniff',
    'Cache-Control': name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  });
  createReadStream(full).pipe(response);
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if (request.headers['content-type'] === 'application/x-bittorrent') return { torrent: text };
  return text === '' ? {} : JSON.parse(text);
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://server');
  const path = decodeURIComponent(url.pathname);
  const reply = (status, body, headers = {}) => response.writeHead(status, { 'Content-Length': Buffer.byteLength(body), ...headers }).end(body);
  reply.json = (status, body, headers = {}) => reply(status, JSON.stringify(body), { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
  try {
    if (path.startsWith('/api/')) await api({ request, response, reply, url, body: /POST|PATCH/.test(request.method) ? await bodyOf(request) : {} }, path);
    else if (path.startsWith('/hls/')) {
      if (flags.auth === 'accounts' && !sessions.has(sessionOf(request))) throw new Refusal(401, 'Sign in first.');
      hls(path, url, reply);
    }
    else await file(path, response);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, detail, field } = error;
    reply(status, JSON.stringify({ type: 'about:blank', title: detail, status, detail, ...(field && { field }) }), {
      'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store',
    });
  }
}

await mkdir(data, { recursive: true });
await writeFile(join(data, 'setup-code'), `${SETUP_CODE}\n`);
for (const folder of flags.library ?? []) {
  for (const name of (await readdir(folder)).sort()) await prepare(join(folder, name), name);
}
const [host, port] = flags.listen.split(/:(?=\d+$)/);
const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
