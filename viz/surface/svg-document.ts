import { escapeText } from './escape.ts';
import { FONT_FAMILY } from './surface.ts';

export interface SvgDocument {
  /** Pixels of the drawing itself; the document is wider and higher by the padding on each side. */
  readonly width: number;
  readonly height: number;
  /** Background colour. */
  readonly paper: string;
  /** What the picture is and says, for readers who do not see it. */
  readonly title: string;
  readonly description: string;
}

/** Free pixels around a drawing. Drawings start at x = 0 and y = PADDING. */
export const PADDING = 16;

/** Markup as a standalone SVG document. */
export const svgDocument = ({ width, height, paper, title, description }: SvgDocument, markup: string): string => {
  const full = [width + 2 * PADDING, Math.ceil(height + 2 * PADDING)].map(String) as [string, string];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${full[0]}" height="${full[1]}" \
viewBox="${-PADDING} 0 ${full.join(' ')}" role="img" font-family="${escapeText(FONT_FAMILY)}" \
style="font-variant-numeric:tabular-nums">
<title>${escapeText(title)}</title>
<desc>${escapeText(description)}</desc>
<rect x="${-PADDING}" width="100%" height="100%" fill="${paper}"/>
${markup}
</svg>`;
};
