import { STREAM } from '../core/plan/op.ts';
import type { MeasuredRun } from './measured-ops.ts';
import { rowsWhere } from './measured-transfers.ts';

/**
 * Nanoseconds between consecutive compute ops of each device. Their median is what the program needs around an op: most
 * ops of a full pipeline find their input there, and those that wait for it are above the median.
 */
export const measuredGaps = ({ trace }: MeasuredRun): number[] =>
  trace.devices.flatMap((_, device) => {
    const { spans } = trace;
    const rows = rowsWhere(spans, (row) => spans.stream[row] === STREAM.compute && spans.device[row] === device).sort(
      (a, b) => spans.startNs[a]! - spans.startNs[b]!,
    );
    return rows.slice(1).map((row, index) => spans.startNs[row]! - spans.endNs[rows[index]!]!);
  });
