import { iterationOf, KIND, operandOf, STREAM, streamOf } from '../../core/plan/op.ts';
import { appendSpan, createSpanColumns, finishSpans } from '../../core/trace/span-builder.ts';
import type { SpanTable } from '../../core/trace/trace.ts';
import type { Observer } from './execution.ts';
import type { MemoryLedger } from './memory-ledger.ts';
import type { FromRank, LossReport } from './messages.ts';

/** What a microbatch carries, as far as reports of its losses say it. */
export interface ObservedMicrobatch {
  readonly parts: readonly Pick<LossReport, 'adapter' | 'iteration' | 'index'>[];
  readonly forwardOnly: boolean;
}

export interface ObserverOptions {
  readonly device: number;
  readonly microbatchOf: (microbatch: number) => ObservedMicrobatch;
  readonly ledger: MemoryLedger;
  readonly send: (message: FromRank) => void;
}

/** An observer that keeps spans and memory until they are taken and reports losses and weights at once. */
export interface RecordingObserver extends Observer {
  /** The spans since the last time it was asked. */
  readonly takeSpans: () => SpanTable;
}

export const createObserver = ({ device, microbatchOf, ledger, send }: ObserverOptions): RecordingObserver => {
  let columns = createSpanColumns();
  return {
    span: (op, startNs, endNs) => {
      const [stream, kind] = [STREAM[streamOf(op.kind)], KIND[op.kind]];
      appendSpan(columns, { device, stream, kind, stage: op.stage, operand: operandOf(op), iteration: iterationOf(op), startNs, endNs });
    },
    computed: (op, endNs, bytes) => ledger.computed(op, endNs, bytes),
    transferred: (atNs, changeBytes) => ledger.hold('communication', atNs, changeBytes),
    losses: (microbatch, losses) => {
      const { parts, forwardOnly } = microbatchOf(microbatch);
      const reports = losses.map(({ adapter, loss }): LossReport => {
        const part = parts.find((candidate) => candidate.adapter === adapter);
        if (part === undefined) throw new Error(`microbatch ${microbatch} carries nothing of adapter ${adapter}`);
        return { adapter, iteration: part.iteration, index: part.index, evaluated: forwardOnly, loss };
      });
      send({ kind: 'losses', reports });
    },
    saved: (stage, adapter, weights) => send({ kind: 'weights', stage, adapter, weights }),
    checkpoint: (stage, adapter, state) => send({ kind: 'checkpoint', stage, adapter, state }),
    left: (stage, adapter, state) => send({ kind: 'left', stage, adapter, state }),
    takeSpans: () => {
      const taken = finishSpans(columns);
      columns = createSpanColumns();
      return taken;
    },
  };
};
