// SPDX-License-Identifier: GPL-3.0-or-later
// Where subtitles that are pictures lie: their plane over the film's picture, which itself may stand
// between bars. As segments/burn.h has it.

export interface Size { width: number; height: number }
export interface Box extends Size { left: number; top: number }

/** The largest plane whose pixels need not be square: of discs and broadcasts in standard definition. */
const SD_HEIGHT = 576;

/** The picture of a video element that is as large as `frame`, with `object-fit: contain`. */
export function shownBox(frame: Size, video: Size): Box {
  if (video.width <= 0 || video.height <= 0) return { left: 0, top: 0, width: frame.width, height: frame.height };
  const scale = Math.min(frame.width / video.width, frame.height / video.height);
  const width = video.width * scale;
  const height = video.height * scale;
  return { left: (frame.width - width) / 2, top: (frame.height - height) / 2, width, height };
}

/**
 * The plane over a picture shown in `shown`. A plane with the film's own pixels is as large as they are:
 * what bars were cut off lies outside. One of high definition has square pixels. All others are as wide
 * and high as the picture.
 */
export function planeBox(plane: Size, coded: Size | undefined, shown: Box): Box {
  let x = shown.width / plane.width;
  let y = shown.height / plane.height;
  if (coded && (plane.width === coded.width || plane.height === coded.height)) {
    x = shown.width / coded.width;
    y = shown.height / coded.height;
  } else if (plane.height > SD_HEIGHT) {
    x = y = Math.max(x, y);
  }
  const width = plane.width * x;
  const height = plane.height * y;
  return { left: shown.left + (shown.width - width) / 2, top: shown.top + (shown.height - height) / 2, width, height };
}

/** A part of the plane; what would lie outside of the frame is moved into it. */
export function partBox(part: { x: number; y: number } & Size, plane: Size, box: Box, frame: Size): Box {
  const x = box.width / plane.width;
  const y = box.height / plane.height;
  const width = part.width * x;
  const height = part.height * y;
  const kept = (at: number, size: number, most: number) => Math.max(0, Math.min(at, most - size));
  return {
    left: kept(box.left + part.x * x, width, frame.width),
    top: kept(box.top + part.y * y, height, frame.height),
    width, height,
  };
}
