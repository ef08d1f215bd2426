import { scaleLinear } from 'd3';
import { GIBI, KIBI, MEBI } from '../../core/units.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { MemoryBand } from './bands.ts';

/** Vertical scale from 0 to `topBytes` with a few labelled ticks. */
export interface ByteScale {
  readonly topBytes: number;
  readonly ticks: readonly { readonly bytes: number; readonly label: string }[];
}

const UNITS = [
  ['GiB', GIBI],
  ['MiB', MEBI],
  ['KiB', KIBI],
  ['B', 1],
] as const;

/** A capacity line farther away than this multiple of the peak would only press the curves to the ground. */
const SIGHT = 1.6;

const HEADROOM = 1.08;

/** As many ticks as a band has room for. */
const MOST_TICKS = 4;

/** A scale for all devices of a trace that holds their peaks, and their capacities where these are near. */
export const byteScale = ({ devices }: Trace, bands: readonly MemoryBand[]): ByteScale => {
  const peak = Math.max(1, ...bands.map(({ peakBytes }) => peakBytes));
  const near = devices.map(({ capacityBytes }) => capacityBytes).filter((capacity) => capacity <= peak * SIGHT);
  const topBytes = Math.max(peak, ...near) * HEADROOM;
  const [unit, size] = UNITS.find(([, bytes]) => peak >= bytes) ?? UNITS[3];
  const scale = scaleLinear([0, topBytes / size], [0, 1]);
  const count = scale.ticks(3).length <= MOST_TICKS ? 3 : 2;
  const format = scale.tickFormat(count);
  const labelOf = (value: number): string => (value === 0 ? '0' : `${format(value)} ${unit}`);
  return { topBytes, ticks: scale.ticks(count).map((value) => ({ bytes: value * size, label: labelOf(value) })) };
};
