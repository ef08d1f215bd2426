import { formatBytes, NS_PER_US } from '../../core/units.ts';
import type { Description } from '../timeline/describe-span.ts';
import { formatMoment } from '../timeline/moment.ts';
import { memoryAt, STACK_ORDER } from './bands.ts';
import { MEMORY_LABELS } from './memory-legend.ts';
import type { MemoryMarks } from './memory-marks.ts';

/** What the device whose band lies at `y` pixels holds at a moment, or null between bands. */
export const describeMemory = ({ bands, pitch, trace }: MemoryMarks, y: number, timeNs: number): Description | null => {
  const band = bands[Math.floor(y / pitch)];
  if (band === undefined) return null;
  const held = memoryAt(band, timeNs);
  const classes = STACK_ORDER.map((name, c) => [MEMORY_LABELS[name], formatBytes(held[c]!)] as const);
  const moment = formatMoment(Math.round(timeNs / NS_PER_US) * NS_PER_US);
  return {
    title: `${trace.devices[band.device]!.name} · ${formatBytes(held.reduce((a, b) => a + b, 0))}`,
    facts: [['time', moment], ...classes.filter((_, c) => held[c]! > 0).reverse()],
  };
};
