// SPDX-License-Identifier: GPL-3.0-or-later
// WebTorrent as a viewer of swarm.py: node swarm_webtorrent.mjs JSON, with {magnet, peers, folder, ends: [[begin,
// end]…], sought: [begin, end], seekAfterMs, bytesPerMs}. Prints when it had which piece, in seconds, as JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const order = JSON.parse(process.argv[2]);
const entry = createRequire(import.meta.url).resolve('webtorrent/index.js');
const { default: WebTorrent } = await import(pathToFileURL(entry).href);
const client = new WebTorrent({ dht: false, tracker: false, lsd: false, utp: false, natUpnp: false, natPmp: false });
const begin = performance.now();
const at = [];
const torrent = client.add(order.magnet, { path: order.folder });
for (const peer of order.peers) torrent.once('infoHash', () => torrent.addPeer(peer));
torrent.on('verified', (piece) => {
  at[piece] ??= (performance.now() - begin) / 1000;
});

/** Reads as a player does: `fast` bytes at once, what follows at the film's rate. */
async function play(file, start, end, fast, signal) {
  const stream = file.createReadStream({ start, end: end - 1 });
  signal?.addEventListener('abort', () => stream.destroy());
  const from = performance.now();
  let read = 0;
  try {
    for await (const chunk of stream) {
      read += chunk.length;
      const due = from + (read - fast) / order.bytesPerMs;
      if (due > performance.now()) await new Promise((done) => setTimeout(done, due - performance.now()));
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

torrent.once('ready', () => {
  const file = torrent.files[0];
  const [[head, headEnd], ...others] = order.ends;
  const [sought, soughtEnd] = order.sought;
  const seek = new AbortController();
  void play(file, head, file.length, headEnd - head, seek.signal);
  for (const [start, end] of others) void play(file, start, end, end - start);
  setTimeout(() => {
    seek.abort();
    void play(file, sought, file.length, soughtEnd - sought);
  }, Math.max(0, begin + order.seekAfterMs - performance.now()));
});

torrent.once('done', () => {
  const all = Array.from({ length: torrent.pieces.length }, (_, piece) => at[piece] ?? null);
  process.stdout.write(JSON.stringify(all), () => process.exit(0));
});
