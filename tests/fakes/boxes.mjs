// SPDX-License-Identifier: GPL-3.0-or-later
// As much of ISO 14496-12 as the fakes need: top-level boxes, track times, codec strings.

export function boxes(bytes) {
  const list = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    let size = bytes.readUInt32BE(at);
    if (size === 1) size = Number(bytes.readBigUInt64BE(at + 8));
    if (size < 8) size = bytes.length - at;
    list.push({ type: bytes.toString('latin1', at + 4, at + 8), bytes: bytes.subarray(at, at + size) });
    at += size;
  }
  return list;
}

/** Where the payload of the first box of that type begins. */
function find(bytes, type) {
  const at = bytes.indexOf(type, 0, 'latin1');
  if (at < 0) throw new Error(`no ${type} box`);
  return at + 4;
}

/** From mdhd. */
export function timescaleOf(init) {
  const at = find(init, 'mdhd');
  return init.readUInt32BE(at + (init[at] === 1 ? 20 : 12));
}

/** From tfdt, in the track's timescale. */
export function startOf(moof) {
  const at = find(moof, 'tfdt');
  return moof[at] === 1 ? Number(moof.readBigUInt64BE(at + 4)) : moof.readUInt32BE(at + 4);
}

export function shiftTime(moof, by) {
  const at = find(moof, 'tfdt');
  if (moof[at] === 1) moof.writeBigUInt64BE(moof.readBigUInt64BE(at + 4) + BigInt(by), at + 4);
  else moof.writeUInt32BE(moof.readUInt32BE(at + 4) + by, at + 4);
}

/** RFC 6381, for H.264; everything else here is AAC. */
export function codecOf(init) {
  if (!init.includes('avcC', 0, 'latin1')) return 'mp4a.40.2';
  const at = find(init, 'avcC');
  return `avc1.${init.toString('hex', at + 1, at + 4)}`;
}
