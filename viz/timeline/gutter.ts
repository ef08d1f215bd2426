import { STREAM, STREAMS } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { centredBaseline } from '../surface/surface.ts';
import { fitText, textWidth } from '../surface/text-width.ts';
import type { Plot } from './plot.ts';
import type { Row } from './rows.ts';

const NAME_SIZE = 12;
const NOTE_SIZE = 9;
/** Right part of the gutter: names of streams, or the scale of a memory band. */
const SIDE_WIDTH = 46;
const SIDE_GAP = 8;
const LARGEST_SHARE = 0.26;
/** Pixels: what `peak 12.34 GiB` takes as a note. */
const SHORTEST_NAME = 82;

/** Width in pixels left of the plot area that device names need, bounded by a share of the whole width. */
export const gutterWidth = (traces: readonly Trace[], width: number): number => {
  const names = traces.flatMap(({ devices }) => devices.map(({ name }) => textWidth(name, NAME_SIZE, true)));
  const wanted = Math.max(SHORTEST_NAME, ...names) + SIDE_WIDTH + SIDE_GAP;
  return Math.round(Math.min(wanted, Math.max(width * LARGEST_SHARE, SHORTEST_NAME + SIDE_WIDTH + SIDE_GAP)));
};

const stagesOf = ({ plan, kernels }: Trace, device: number): string => {
  if (kernels !== undefined) return '';
  const stages = plan.stages.flatMap((placement, stage) => (placement.device === device ? [stage] : []));
  return stages.length === 0 ? '' : `stage${stages.length > 1 ? 's' : ''} ${stages.join(', ')}`;
};

/** A device's name with notes under it, from y = 0 down. */
export const drawDeviceName = ({ surface, frame, theme }: Plot, name: string, notes: readonly string[]): void => {
  const width = frame.left - SIDE_WIDTH - SIDE_GAP;
  surface.text(0, 10, fitText(name, NAME_SIZE, width, true), { size: NAME_SIZE, fill: theme.ink, bold: true });
  for (const [i, note] of notes.entries()) {
    surface.text(0, 21 + 11 * i, fitText(note, NOTE_SIZE, width), { size: NOTE_SIZE, fill: theme.muted });
  }
};

/** Names a row: its stream, and at the compute row the device with its stages. */
export const drawRowName = (plot: Plot, trace: Trace, row: Row): void => {
  const { surface, frame, theme } = plot;
  const baseline = centredBaseline(row.y + row.height / 2, NOTE_SIZE);
  surface.text(frame.left - 6, baseline, trace.kernels === undefined ? (STREAMS[row.stream] ?? '') : 'kernels', {
    size: NOTE_SIZE,
    fill: theme.muted,
    anchor: 'end',
  });
  if (row.stream !== STREAM.compute) return;
  const { name } = trace.devices[row.device]!;
  surface.lower(row.y, () => drawDeviceName(plot, name, [stagesOf(trace, row.device)]));
};
