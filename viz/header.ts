import type { Surface } from './surface/surface.ts';
import { fitText, wrapText } from './surface/text-width.ts';
import type { Theme } from './theme.ts';

const TITLE_SIZE = 15;
const SUBTITLE_SIZE = 11.5;

/** Draws a title and, in as many lines as it needs, a subtitle from y = 0 down; returns their height in pixels. */
export const drawHeader = (
  surface: Surface,
  theme: Theme,
  { title, subtitle }: { readonly title: string; readonly subtitle: string },
  width: number,
): number => {
  const style = { size: TITLE_SIZE, fill: theme.ink, bold: true };
  surface.text(0, TITLE_SIZE, fitText(title, TITLE_SIZE, width, true), style);
  const lines = wrapText(subtitle, SUBTITLE_SIZE, width);
  const leading = SUBTITLE_SIZE + 5;
  for (const [i, line] of lines.entries()) {
    surface.text(0, TITLE_SIZE + (i + 1) * leading, line, { size: SUBTITLE_SIZE, fill: theme.muted });
  }
  return TITLE_SIZE + lines.length * leading;
};
