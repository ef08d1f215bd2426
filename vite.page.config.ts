import { defineConfig } from 'vite';

/** Builds the playground: a static page that any web server, and `mlora view`, can hand out from any path. */
export default defineConfig({
  root: 'viz/page/playground',
  base: './',
  build: {
    outDir: '../../../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  worker: { format: 'es' },
});
