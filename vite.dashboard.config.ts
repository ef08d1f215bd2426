import { defineConfig } from 'vite';

/** Builds the dashboard: static files that `mlora serve` hands out. */
export default defineConfig({
  root: 'viz/page/dashboard',
  base: './',
  build: {
    outDir: '../../../dist/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
  },
});
