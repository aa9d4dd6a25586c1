// SPDX-License-Identifier: GPL-3.0-or-later
// Lets the bytes of a segment through in whole pieces: up to the end of each finished mdat. hls.js can
// use nothing smaller, and looks for a moof in the first piece it gets. What does not look like boxes
// is let through as it comes.

const MDAT = 0x6d646174;
const SHORT_HEADER_BYTES = 8;
const LONG_HEADER_BYTES = 16;

export class BoxGate {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Where the next box begins, counted from the first byte held. */
  #nextBox = 0;
  #type = 0;
  #open = false;

  /** Takes a chunk; gives back what is complete now, or nothing. */
  push(chunk: Uint8Array): Uint8Array | undefined {
    this.#held.push(chunk);
    this.#heldBytes += chunk.byteLength;
    if (this.#open) return this.flush();
    const complete = this.#walk();
    if (complete === Infinity) return this.flush();
    return complete > 0 ? this.#take(complete) : undefined;
  }

  /** Goes on to the last header that is there; gives back the end of the last finished mdat. */
  #walk(): number {
    let complete = 0;
    while (this.#heldBytes >= this.#nextBox) {
      if (this.#type === MDAT) complete = this.#nextBox;
      this.#type = 0;
      const size = this.#readHeader();
      if (size === undefined) break;
      if (size < SHORT_HEADER_BYTES) {
        this.#open = true;
        return Infinity;
      }
      this.#nextBox += size;
    }
    return complete;
  }

  /** All that is left. */
  flush(): Uint8Array | undefined {
    return this.#heldBytes > 0 ? this.#take(this.#heldBytes) : undefined;
  }

  /** The size in the header at #nextBox, and notes the type; nothing if it is not all there. */
  #readHeader(): number | undefined {
    const bytes = this.#peek(this.#nextBox, LONG_HEADER_BYTES);
    if (bytes.byteLength < SHORT_HEADER_BYTES) return undefined;
    const view = new DataView(bytes.buffer);
    const size = view.getUint32(0);
    if (size === 1 && bytes.byteLength < LONG_HEADER_BYTES) return undefined;
    this.#type = view.getUint32(4);
    return size === 1 ? Number(view.getBigUint64(8)) : size;
  }

  #peek(start: number, length: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.#heldBytes - start)));
    let at = 0;
    for (const part of this.#held) {
      const from = Math.max(start, at);
      const to = Math.min(start + out.byteLength, at + part.byteLength);
      if (from < to) out.set(part.subarray(from - at, to - at), from - start);
      at += part.byteLength;
    }
    return out;
  }

  #take(length: number): Uint8Array {
    const taken = this.#peek(0, length);
    const rest = this.#peek(length, this.#heldBytes - length);
    this.#held = rest.byteLength > 0 ? [rest] : [];
    this.#heldBytes = rest.byteLength;
    this.#nextBox -= length;
    return taken;
  }
}
