import { iterationOf, KIND, operandOf, STREAM, streamOf } from '../../core/plan/op.ts';
import { partsOf, type MicrobatchTable } from '../../core/plan/plan.ts';
import { appendSpan, createSpanColumns, finishSpans } from '../../core/trace/span-builder.ts';
import type { SpanTable } from '../../core/trace/trace.ts';
import type { Observer } from './execution.ts';
import type { MemoryLedger } from './memory-ledger.ts';
import type { FromRank, LossReport } from './messages.ts';

export interface ObserverOptions {
  readonly device: number;
  readonly microbatches: MicrobatchTable;
  readonly ledger: MemoryLedger;
  readonly send: (message: FromRank) => void;
}

/** An observer that keeps spans and memory for the end of the run and reports losses and weights at once. */
export interface RecordingObserver extends Observer {
  readonly spans: () => SpanTable;
}

export const createObserver = ({ device, microbatches, ledger, send }: ObserverOptions): RecordingObserver => {
  const columns = createSpanColumns();
  return {
    span: (op, startNs, endNs) => {
      const [stream, kind] = [STREAM[streamOf(op.kind)], KIND[op.kind]];
      appendSpan(columns, { device, stream, kind, stage: op.stage, operand: operandOf(op), iteration: iterationOf(op), startNs, endNs });
    },
    computed: (op, endNs, bytes) => ledger.computed(op, endNs, bytes),
    transferred: (atNs, changeBytes) => ledger.hold('communication', atNs, changeBytes),
    losses: (microbatch, losses) => {
      const parts = partsOf(microbatches, microbatch);
      const reports = losses.map(({ adapter, loss }): LossReport => {
        const part = parts.find((candidate) => candidate.adapter === adapter);
        if (part === undefined) throw new Error(`microbatch ${microbatch} carries nothing of adapter ${adapter}`);
        return { ...part, evaluated: microbatches.forwardOnly[microbatch] === 1, loss };
      });
      send({ kind: 'losses', reports });
    },
    saved: (stage, adapter, weights) => send({ kind: 'weights', stage, adapter, weights }),
    checkpoint: (stage, adapter, state) => send({ kind: 'checkpoint', stage, adapter, state }),
    spans: () => finishSpans(columns),
  };
};
