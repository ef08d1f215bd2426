import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Bundles the report page's script into one file that reportHtml inlines; everything else is compiled by tsc alone. */
export default defineConfig({
  // Generous, because tests say what happens and never how fast.
  // Much of a test's time is waiting for processes it has started, so two files at a time pay even on two cores.
  test: { testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: Math.max(2, availableParallelism() - 1) },
  build: {
    outDir: 'dist/viz',
    emptyOutDir: false,
    target: 'es2022',
    minify: true,
    lib: {
      entry: 'viz/page/main.ts',
      formats: ['iife'],
      name: 'mloraReport',
      fileName: () => 'report-client.js',
    },
  },
});
