// SPDX-License-Identifier: GPL-3.0-or-later
// Fullscreen and picture in picture, the standard way and the iPhone's.

/** On an iPhone only the video itself can fill the screen. */
type WebKitVideo = HTMLVideoElement & { webkitEnterFullscreen: () => void };
const isWebKit = (video: HTMLVideoElement): video is WebKitVideo => 'webkitEnterFullscreen' in video;

export function toggleFullscreen(frame: HTMLElement, video: HTMLVideoElement): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (document.fullscreenEnabled) frame.requestFullscreen().catch(() => undefined);
  else if (isWebKit(video)) video.webkitEnterFullscreen();
}

export const canPip = (): boolean => document.pictureInPictureEnabled;

export function togglePip(video: HTMLVideoElement): void {
  if (document.pictureInPictureElement) void document.exitPictureInPicture();
  else video.requestPictureInPicture().catch(() => undefined);
}
