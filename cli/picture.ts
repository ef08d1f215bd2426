import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import type { ResultFiles } from './write-results.ts';

/** The font that text widths are estimated by ships with us: a picture has the same letters on every machine. */
const FONTS = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((name) => join(FONTS, name));

/** Points of the picture for each of the SVG's pixels: sharp in print at a column's width. */
const DENSITY = 3;

/** The same files, every picture as PNG as well. */
export const withPngs = (files: ResultFiles): ResultFiles => ({
  ...files,
  ...Object.fromEntries(
    Object.entries(files).flatMap(([path, content]) =>
      path.endsWith('.svg') && typeof content === 'string' ? [[path.replace(/svg$/, 'png'), pngOf(content)]] : [],
    ),
  ),
});

/** An SVG document as the bytes of a PNG. */
export const pngOf = (svg: string): Uint8Array =>
  new Resvg(svg, {
    fitTo: { mode: 'zoom', value: DENSITY },
    font: { fontFiles: FONT_FILES, loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans' },
  })
    .render()
    .asPng();
