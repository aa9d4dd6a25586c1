// SPDX-License-Identifier: GPL-3.0-or-later
// After the build: writes .gz and .br beside each file that gets smaller by it, and holds the sizes
// against the budgets (gzip, as a browser would fetch them). node finish.mjs FOLDER
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = process.argv[2];
const KB = 1000;
const PACKED = /\.(html|js|css|svg|webmanifest|json)$/;

const gzipped = new Map();
for (const name of readdirSync(folder, { recursive: true })) {
  if (!PACKED.test(name)) continue;
  const path = join(folder, name);
  const bytes = readFileSync(path);
  const gz = gzipSync(bytes, { level: 9 });
  const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  if (gz.length < bytes.length) writeFileSync(`${path}.gz`, gz);
  if (br.length < bytes.length) writeFileSync(`${path}.br`, br);
  gzipped.set(name.replaceAll('\\', '/'), gz.length);
}

/** The scripts and styles that index.html names: what is fetched before anything is drawn. */
const html = readFileSync(join(folder, 'index.html'), 'utf8');
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, name]) => name);
const sum = (names) => names.reduce((total, name) => total + (gzipped.get(name) ?? 0), 0);
const all = [...gzipped.keys()];
const named = (pattern) => all.filter((name) => pattern.test(name));

const budgets = [
  ['first scripts', sum(first.filter((name) => name.endsWith('.js'))), 45],
  ['all styles', sum(named(/\.css$/)), 12],
  ['player without hls.js', sum(named(/assets\/watch-.*\.js$/)), 30],
  ['hls.js', sum(named(/assets\/engine-hls-.*\.js$/)), 190],
  ['first load', sum([...first, 'index.html', 'icon.svg']), 100],
  ['downloads page', sum(named(/assets\/downloads-.*\.js$/)), 20],
  ['settings page', sum(named(/assets\/settings-.*\.js$/)), 20],
];
let tooLarge = false;
for (const [what, bytes, limit] of budgets) {
  const over = bytes === 0 || bytes > limit * KB;
  tooLarge ||= over;
  console.log(`${over ? 'TOO LARGE' : 'ok'} ${what}: ${(bytes / KB).toFixed(1)} of ${limit} KB gzip`);
}
if (tooLarge) process.exit(1);
