import type { Stacks } from './stacks.ts';

export interface TextStyle {
  /** Font size in pixels. */
  readonly size: number;
  readonly fill: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly bold?: boolean;
  /** Colour of an outline behind the letters, for text over several colours. */
  readonly halo?: string;
}

export interface PathStyle {
  readonly fill?: string;
  readonly stroke?: string;
  /** Line width in pixels. */
  readonly width?: number;
  /** Lengths of dash and gap in pixels, as SVG writes them. */
  readonly dash?: string;
}

/**
 * What charts are drawn on. SVG text and canvas implement it, so a chart is laid out and drawn by the same code in a
 * file and in the page. Colours are CSS colours; `y` of a text is its baseline.
 */
export interface Surface {
  /** Fills boxes of one colour, given as flat quadruples x, y, width, height. */
  readonly boxes: (fill: string, boxes: readonly number[]) => void;
  /** Fills the area inside corners given as flat pairs x, y: far quicker on a canvas than the same as path data. */
  readonly polygon: (fill: string, points: readonly number[]) => void;
  /** Draws columns of stacked colours. */
  readonly stacks: (stacks: Stacks) => void;
  /** Draws path data as SVG writes it. */
  readonly path: (data: string, style: PathStyle) => void;
  readonly text: (x: number, y: number, text: string, style: TextStyle) => void;
  /** What `draw` draws moves down by `y` pixels. */
  readonly lower: (y: number, draw: () => void) => void;
  /** What `draw` draws fades; 1 is opaque. */
  readonly fade: (opacity: number, draw: () => void) => void;
}

export const FONT_FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** A straight line as path data. */
export const lineData = (x1: number, y1: number, x2: number, y2: number): string => `M${x1},${y1}L${x2},${y2}`;

/** Baseline that centres text of a size on a line: capitals and digits are about 0.7 of the size high. */
export const centredBaseline = (y: number, size: number): number => y + size * 0.35;
