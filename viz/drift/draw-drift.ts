import { area, bisector, curveStepAfter } from 'd3';
import { formatDuration } from '../../core/units.ts';
import { lineData } from '../surface/surface.ts';
import { clampX, xOf, type Frame } from '../timeline/frame.ts';
import { drawDeviceName } from '../timeline/gutter.ts';
import type { Plot } from '../timeline/plot.ts';
import { drawGrid } from '../timeline/time-axis.ts';
import type { Drift, DriftBand } from './drift.ts';

const BAND_HEIGHT = 34;
const BAND_GAP = 8;
const NOTE_SIZE = 9;

/** Pixels from the first device's band to the last one's. */
export const driftHeight = ({ bands }: Drift): number => bands.length * (BAND_HEIGHT + BAND_GAP) - BAND_GAP;

interface Corner {
  readonly x: number;
  readonly y: number;
}

const MIDDLE = BAND_HEIGHT / 2;

const AREA = area<Corner>()
  .digits(2)
  .curve(curveStepAfter)
  .x(({ x }) => x)
  .y0(MIDDLE)
  .y1(({ y }) => y);

/** Corners of the ops in sight; of those that share a pixel the one that is farthest off. */
const cornersOf = ({ second, largestNs }: Drift, { rows, laterNs }: DriftBand, frame: Frame): readonly Corner[] => {
  const { startNs } = second.spans;
  const search = bisector((row: number) => startNs[row]!);
  const from = Math.max(0, search.right(rows, frame.startNs) - 1);
  const end = search.right(rows, frame.endNs);
  const corners: Corner[] = [];
  for (let i = from; i < end; i++) {
    const x = clampX(frame, xOf(frame, startNs[rows[i]!]!));
    const y = MIDDLE - (laterNs[i]! / largestNs) * MIDDLE;
    const last = corners.at(-1);
    if (last !== undefined && x - last.x < 0.5) {
      if (Math.abs(y - MIDDLE) > Math.abs(last.y - MIDDLE)) corners[corners.length - 1] = { x: last.x, y };
    } else corners.push({ x, y });
  }
  const last = corners.at(-1);
  return last === undefined ? [] : [...corners, { x: Math.min(last.x + 2, frame.left + frame.width), y: last.y }];
};

const drawBand = (plot: Plot, drift: Drift, band: DriftBand): void => {
  const { surface, frame, theme } = plot;
  const note = { size: NOTE_SIZE, fill: theme.muted, anchor: 'end' } as const;
  surface.boxes(theme.track, [frame.left, 0, frame.width, BAND_HEIGHT]);
  drawGrid(plot, 0, BAND_HEIGHT);
  const corners = cornersOf(drift, band, frame);
  surface.path(AREA(corners) ?? '', { fill: theme.adapters[0]!.main });
  surface.path(lineData(frame.left, MIDDLE, frame.left + frame.width, MIDDLE), { stroke: theme.muted, width: 0.5 });
  surface.text(frame.left - 6, NOTE_SIZE, `+${formatDuration(drift.largestNs)}`, note);
  surface.text(frame.left - 6, BAND_HEIGHT, `−${formatDuration(drift.largestNs)}`, note);
  drawDeviceName(plot, drift.second.devices[band.device]!.name, []);
};

/** Draws for every device how much later (up) or earlier (down) its ops start than in the other trace. */
export const drawDrift = (plot: Plot, drift: Drift): void => {
  for (const band of drift.bands) plot.surface.lower(band.device * (BAND_HEIGHT + BAND_GAP), () => drawBand(plot, drift, band));
};
