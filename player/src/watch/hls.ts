// SPDX-License-Identifier: GPL-3.0-or-later
// The only import of hls.js, so that it stays one chunk, loaded on the way to the first film.
export {
  default as Hls, AudioStreamController, FetchLoader, Events, ErrorDetails, ErrorTypes, PlaylistLevelType,
} from 'hls.js';
export type {
  ErrorData, FragmentLoaderContext, HlsConfig, Level, LoaderCallbacks, LoaderConfiguration,
  LoaderContext, LoaderResponse, LoaderStats, MediaPlaylist, PlaylistLoaderContext, RetryConfig,
} from 'hls.js';
