import { KIND, STREAM } from '../core/plan/op.ts';
import type { SpanTable } from '../core/trace/trace.ts';
import { hiddenBytes } from '../core/work/memory.ts';
import { elementBytesOf } from '../core/work/setting.ts';
import type { MeasuredRun } from './measured-ops.ts';

export interface MeasuredTransfer {
  readonly bytes: number;
  readonly ns: number;
}

/** Transfers whose receiver computed nothing meanwhile: a busy process takes delivery late, which is no property of the link. */
export const measuredTransfers = ({ trace, model, adapters, precision }: MeasuredRun): MeasuredTransfer[] => {
  const { spans, plan } = trace;
  const setting = { model, adapters, elementBytes: elementBytesOf(precision), attention: 'scores', elementwise: 'tfjs' } as const;
  const computeRows = trace.devices.map((_, device) => rowsWhere(spans, (row) => spans.stream[row] === STREAM.compute && spans.device[row] === device));
  return rowsWhere(spans, (row) => isReceive(spans.kind[row]!))
    .filter((row) => !overlapsAny(spans, computeRows[spans.device[row]!]!, row))
    .map((row) => {
      const shape = plan.shapes[plan.microbatches.shape[spans.operand[row]!]!]!;
      return { bytes: hiddenBytes(setting, shape), ns: spans.endNs[row]! - spans.startNs[row]! };
    });
};

const isReceive = (kind: number): boolean => kind === KIND.receiveForward || kind === KIND.receiveBackward;

/** Rows of a span table, in its order. */
export const rowsWhere = (spans: SpanTable, accepts: (row: number) => boolean): number[] =>
  Array.from({ length: spans.length }, (_, row) => row).filter(accepts);

/** `rows` are in order of start and do not overlap each other, so the last one that starts before the end decides. */
const overlapsAny = (spans: SpanTable, rows: readonly number[], row: number): boolean => {
  const last = rows.findLast((other) => spans.startNs[other]! < spans.endNs[row]!);
  return last !== undefined && spans.endNs[last]! > spans.startNs[row]!;
};
