import { createCanvasSurface } from '../surface/canvas-surface.ts';
import { lineData } from '../surface/surface.ts';
import { THEMES } from '../theme.ts';
import { drawSpans } from '../timeline/draw-spans.ts';
import { timeAt, xOf, type Frame } from '../timeline/frame.ts';
import { shrinkMarks, type TimelineMarks } from '../timeline/marks.ts';
import type { Plot } from '../timeline/plot.ts';
import type { Chart } from './chart.ts';
import { clearCanvas } from './panel.ts';

/** Pixels that a trace takes at most. */
const TRACE_HEIGHT = 22;
const GAP = 3;
/** Narrowest frame in pixels that can still be seen and dragged. */
const NARROWEST = 4;

const heightOf = (maps: readonly TimelineMarks[]): number =>
  maps.reduce((sum, { height }) => sum + height + GAP, 0) - GAP;

const drawMaps = (plot: Plot, maps: readonly TimelineMarks[]): void => {
  let y = 0;
  for (const map of maps) {
    plot.surface.lower(y, () => {
      plot.surface.boxes(plot.theme.idle, [plot.frame.left, 0, plot.frame.width, map.height]);
      drawSpans(plot, map);
    });
    y += map.height + GAP;
  }
};

/** Left edge and width of what the timeline shows, in pixels. */
const windowBox = (whole: Frame, { startNs, endNs }: Frame): readonly [number, number] => {
  const left = xOf(whole, startNs);
  return [left, Math.max(NARROWEST, xOf(whole, endNs) - left)];
};

const drawWindow = ({ surface, theme, frame }: Plot, [x, width]: readonly [number, number], height: number): void => {
  const right = frame.left + frame.width;
  surface.fade(0.6, () =>
    surface.boxes(theme.paper, [
      ...[frame.left, 0, x - frame.left, height],
      ...[x + width, 0, Math.max(0, right - x - width), height],
    ]),
  );
  const outline = `${lineData(x, 0.5, x + width, 0.5)}V${height - 0.5}H${x}z`;
  surface.path(outline, { stroke: theme.ink, width: 1.5 });
};

/**
 * The whole run at a glance with a frame around what the timeline shows. Dragging moves the frame, pressing beside it
 * brings it there. The picture of the run is kept: only the frame is drawn anew while the timeline moves.
 */
export const bindMinimap = (chart: Chart, canvas: HTMLCanvasElement): void => {
  const picture = document.createElement('canvas');
  let maps: readonly TimelineMarks[] = [];
  let stale = true;
  let pending = 0;

  const wholeFrame = (): Frame => ({ ...chart.frame(), startNs: 0, endNs: chart.zoom.wholeNs() });
  const plotOn = (context: CanvasRenderingContext2D): Plot => ({
    surface: createCanvasSurface(context),
    frame: wholeFrame(),
    theme: THEMES[chart.theme()],
  });
  const paint = (): void => {
    if (maps.length === 0) return;
    const height = heightOf(maps);
    if (stale || picture.width !== Math.round(canvas.clientWidth * window.devicePixelRatio)) {
      const context = clearCanvas(picture, canvas.clientWidth, height);
      if (context !== null) drawMaps(plotOn(context), maps);
      stale = false;
    }
    const context = clearCanvas(canvas, canvas.clientWidth, height);
    if (context === null) return;
    context.drawImage(picture, 0, 0, picture.width / window.devicePixelRatio, picture.height / window.devicePixelRatio);
    const plot = plotOn(context);
    drawWindow(plot, windowBox(plot.frame, chart.frame()), height);
  };
  const ask = (): void => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(paint);
  };
  const arrange = (): void => {
    maps = chart.views().map(({ marks }) => shrinkMarks(marks, TRACE_HEIGHT));
    canvas.style.height = `${heightOf(maps)}px`;
    stale = true;
    ask();
  };

  chart.element.addEventListener('show', arrange);
  chart.element.addEventListener('theme', () => {
    stale = true;
    ask();
  });
  chart.element.addEventListener('draw', ask);
  bindDrag(chart, canvas, wholeFrame);
};

const bindDrag = (chart: Chart, canvas: HTMLCanvasElement, wholeFrame: () => Frame): void => {
  let grabbedNs: number | null = null;
  canvas.addEventListener('pointerdown', (event) => {
    const [x, width] = windowBox(wholeFrame(), chart.frame());
    const { startNs, endNs } = chart.zoom.window();
    const inside = event.offsetX >= x && event.offsetX <= x + width;
    grabbedNs = inside ? timeAt(wholeFrame(), event.offsetX) - startNs : (endNs - startNs) / 2;
    canvas.setPointerCapture(event.pointerId);
    moveTo(event.offsetX);
  });
  canvas.addEventListener('pointermove', (event) => moveTo(event.offsetX));
  canvas.addEventListener('pointerup', () => (grabbedNs = null));
  const moveTo = (x: number): void => {
    if (grabbedNs === null) return;
    const { startNs, endNs } = chart.zoom.window();
    const from = timeAt(wholeFrame(), x) - grabbedNs;
    chart.zoom.show({ startNs: from, endNs: from + endNs - startNs });
  };
};
