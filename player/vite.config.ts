// SPDX-License-Identifier: GPL-3.0-or-later
// How the page is built and how its unit tests run. MATINEE_PLAYER_OUT says where the result goes;
// MATINEE_SERVER is the server that `npm run dev` talks to.
import { defineConfig } from 'vitest/config';

const server = process.env['MATINEE_SERVER'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  // Links of index.html begin with "/", where the server puts http.base_path before them; files that
  // scripts and styles name are found from where those lie.
  experimental: { renderBuiltUrl: (_, { hostType }) => (hostType === 'html' ? undefined : { relative: true }) },
  build: {
    outDir: process.env['MATINEE_PLAYER_OUT'] ?? 'dist',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // The policy of the server forbids data: URLs in styles and scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: { '/api': server, '/hls': server } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    fileParallelism: false,
  },
});
