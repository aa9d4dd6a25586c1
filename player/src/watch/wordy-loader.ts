// SPDX-License-Identifier: GPL-3.0-or-later
// hls.js's fetch loader, which aborts a refused request before anyone has read why. This one reads the
// server's words first and hands on a Response that can still be read.
import {
  FetchLoader, type LoaderCallbacks, type LoaderConfiguration, type LoaderContext, type PlaylistLoaderContext,
} from './hls';
import { canHeal } from './retry';

export class WordyLoader extends FetchLoader {
  #over = false;

  override load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    const { onError } = callbacks;
    super.load(context, config, {
      ...callbacks,
      onError: (error, ctx, details, stats) => {
        if (!(details instanceof Response) || canHeal(error.code)) {
          onError(error, ctx, details, stats);
          return;
        }
        void details.text().catch(() => '').then((text) => {
          const { status, headers } = details;
          if (!this.#over) onError(error, ctx, new Response(text, { status, headers }), stats);
        });
      },
    });
  }

  protected override abortInternal(): void {
    this.#over = true;
    super.abortInternal();
  }
}

export class PlaylistLoader extends WordyLoader {
  declare context: PlaylistLoaderContext | null;
}
