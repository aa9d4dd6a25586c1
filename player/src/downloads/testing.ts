// SPDX-License-Identifier: GPL-3.0-or-later
// What the unit tests of this folder share: a download, a link, and a stream of news that tests speak through.
import type { Download, DownloadFile, Link } from '../api';

export const file = (name: string, more: Partial<DownloadFile> = {}): DownloadFile => ({
  name, size: 1_400_000_000, progress: 0.43, wanted: true, file: `f-${name}`, ...more,
});

export const download = (id: string, more: Partial<Download> = {}): Download => ({
  id, name: `Film ${id}`, hash: id.repeat(40).slice(0, 40), state: 'downloading', progress: 0.43, size: 1_400_000_000, rate: 2_100_000, upload_rate: 0,
  uploaded: 0, peers: 12, priority: 'normal',
  limits: { download_rate: null, upload_rate: null, ratio_percent: null, seed_s: null }, eta: 380, added: `2026-01-01T00:00:0${id.length}Z`, files: [file(`${id}.mkv`)], ...more,
});

export const link = (id: string, more: Partial<Link> = {}): Link => ({
  id, file: `f-${id}`, url: `https://films.example:8443/${id}.mp4`, name: `${id}.mp4`, valid: true, content_type: 'video/mp4', content_length: 123,
  accept_ranges: 'bytes', supports_range: true, here: 0, rate: 0, added: '2026-01-01T00:00:00Z', ...more,
});

/** Stands in for EventSource; the last one that was opened is `now`. */
export class FakeStream extends EventTarget {
  static readonly CLOSED = 2;
  static now: FakeStream | undefined;
  static opened = 0;
  readyState = 0;

  constructor(readonly url: string) {
    super();
    FakeStream.now = this;
    FakeStream.opened += 1;
  }

  close(): void {
    this.readyState = FakeStream.CLOSED;
  }

  say(word: string, data: unknown = {}): void {
    this.dispatchEvent(new MessageEvent(word, { data: JSON.stringify(data) }));
  }

  is(state: Download): void {
    this.say('downloads', { type: 'download', id: state.id, at: state.added, download: state });
  }

  gone(id: string): void {
    this.say('downloads', { type: 'download-gone', id, at: '' });
  }

  fail(isOver: boolean): void {
    if (isOver) this.readyState = FakeStream.CLOSED;
    this.dispatchEvent(new Event('error'));
  }
}
