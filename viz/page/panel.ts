import { createCanvasSurface } from '../surface/canvas-surface.ts';
import type { Theme } from '../theme.ts';
import type { Frame } from '../timeline/frame.ts';
import type { Plot } from '../timeline/plot.ts';

/** A canvas of the page, `height` CSS pixels high and as wide as the chart. */
export interface Panel {
  readonly canvas: HTMLCanvasElement;
  readonly height: number;
  readonly draw: (plot: Plot) => void;
}

/** Pixels above and below a drawing, so that outlines are not cut off. */
export const PANEL_MARGIN = 6;

const fullHeight = ({ height }: Panel): number => height + 2 * PANEL_MARGIN;

/** Gives the canvas its place in the page before anything is drawn. */
export const sizePanel = (panel: Panel): void => {
  panel.canvas.style.height = `${fullHeight(panel)}px`;
};

/** Whether any of the panel is inside the window. */
export const isInSight = ({ canvas }: Panel): boolean => {
  const { top, bottom } = canvas.getBoundingClientRect();
  return bottom >= 0 && top <= window.innerHeight;
};

/** Gives a canvas as many points as the screen has for so many CSS pixels; what was on it is gone. */
export const sizeCanvas = (canvas: HTMLCanvasElement, width: number, height: number): void => {
  canvas.width = Math.round(width * window.devicePixelRatio);
  canvas.height = Math.round(height * window.devicePixelRatio);
};

/** Draws a panel afresh, as sharp as the screen. */
export const paintPanel = (panel: Panel, frame: Frame, theme: Theme): void => {
  const { canvas, draw } = panel;
  const context = canvas.getContext('2d');
  if (context === null) return;
  sizeCanvas(canvas, canvas.clientWidth, fullHeight(panel));
  context.scale(window.devicePixelRatio, window.devicePixelRatio);
  context.translate(0, PANEL_MARGIN);
  draw({ surface: createCanvasSurface(context), frame, theme });
};
