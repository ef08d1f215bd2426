import { STREAM, SUBJECT_OF_KIND } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';

/**
 * What an op is whatever its plan: kind, stage, and the adapter with its iteration and piece by the adapter's name. Two
 * plans number their microbatches differently, and one may have grouped what the other has not; then the first adapter of
 * a group stands for all.
 */
const keyOf = ({ spans, plan }: Trace, row: number): string => {
  const { microbatches, adapters } = plan;
  const operand = spans.operand[row]!;
  const op = `${spans.kind[row]} ${spans.stage[row]}`;
  switch (SUBJECT_OF_KIND[spans.kind[row]!]!) {
    case 'microbatch': {
      const part = microbatches.partStart[operand]!;
      const name = adapters[microbatches.partAdapter[part]!];
      return `${op} ${microbatches.partIteration[part]} ${microbatches.partIndex[part]} ${name}`;
    }
    case 'iteration':
      return `${op} ${spans.iteration[row]} ${adapters[operand]}`;
    case 'adapter':
      return `${op} ${adapters[operand]}`;
  }
};

/** For every span of `trace` the row of the same op in `other`; −1 where it has none, and for launches on the host. */
export const matchSpans = (trace: Trace, other: Trace): Int32Array => {
  const rows = new Map<string, number>();
  for (let row = 0; row < other.spans.length; row++) if (other.spans.stream[row] !== STREAM.host) rows.set(keyOf(other, row), row);
  return Int32Array.from({ length: trace.spans.length }, (_, row) =>
    trace.spans.stream[row] === STREAM.host ? -1 : (rows.get(keyOf(trace, row)) ?? -1),
  );
};
