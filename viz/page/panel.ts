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

/** Gives a canvas as many points as the screen has for so many CSS pixels and wipes it; new points are made only where it needs them. */
export const clearCanvas = (canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null => {
  const ratio = window.devicePixelRatio;
  const size = [Math.round(width * ratio), Math.round(height * ratio)] as const;
  if (canvas.width !== size[0]) canvas.width = size[0];
  if (canvas.height !== size[1]) canvas.height = size[1];
  const context = canvas.getContext('2d');
  context?.setTransform(1, 0, 0, 1, 0, 0);
  context?.clearRect(0, 0, ...size);
  context?.scale(ratio, ratio);
  return context;
};

/** Draws a panel afresh, as sharp as the screen. */
export const paintPanel = (panel: Panel, frame: Frame, theme: Theme): void => {
  const { canvas, draw } = panel;
  const context = clearCanvas(canvas, canvas.clientWidth, fullHeight(panel));
  if (context === null) return;
  context.translate(0, PANEL_MARGIN);
  draw({ surface: createCanvasSurface(context), frame, theme });
};
