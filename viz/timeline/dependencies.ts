import { inputRows } from '../../core/explain/chain.ts';
import { indexSpans, type SpanIndex } from '../../core/explain/span-index.ts';
import { KIND, OP_KINDS, STREAM, SUBJECT_OF_KIND } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { carriesMicrobatch } from './span-fill.ts';

/** Spans by row: `from` had to end before `to` could start. */
export interface Dependency {
  readonly from: number;
  readonly to: number;
}

const indexes = new WeakMap<Trace, SpanIndex>();

const indexOf = (trace: Trace): SpanIndex => {
  const index = indexes.get(trace) ?? indexSpans(trace);
  indexes.set(trace, index);
  return index;
};

const MICROBATCH_KINDS = OP_KINDS.map((kind) => KIND[kind]).filter((code) => SUBJECT_OF_KIND[code] === 'microbatch');

/** Everything that is done for a microbatch, on any stage. */
const rowsOfMicrobatch = ({ plan }: Trace, index: SpanIndex, microbatch: number): number[] =>
  MICROBATCH_KINDS.flatMap((kind) => plan.stages.map((_, stage) => index.rowOf(kind, stage, microbatch))).filter((row) => row >= 0);

/** Microbatches with rows of an adapter's iteration. */
const microbatchesOf = ({ plan: { microbatches } }: Trace, adapter: number, iteration: number): number[] => {
  const found: number[] = [];
  for (let m = 0; m < microbatches.length; m++) {
    for (let p = microbatches.partStart[m]!; p < microbatches.partStart[m + 1]!; p++) {
      if (microbatches.partAdapter[p] === adapter && microbatches.partIteration[p] === iteration) found.push(m);
    }
  }
  return found;
};

const rowsOnStage = (index: SpanIndex, kinds: readonly number[], stage: number, microbatches: readonly number[]): number[] =>
  microbatches.flatMap((m) => kinds.map((kind) => index.rowOf(kind, stage, m))).filter((row) => row >= 0);

const GRADIENTS = [KIND.backward, KIND.backwardWeight] as const;

/** A step takes the gradients of its iteration, and the forwards of the next one take its weights. */
const aroundStep = (trace: Trace, index: SpanIndex, row: number): Dependency[] => {
  const { stage, operand, iteration } = trace.spans;
  const gradients = microbatchesOf(trace, operand[row]!, iteration[row]!);
  const next = microbatchesOf(trace, operand[row]!, iteration[row]! + 1);
  return [
    ...rowsOnStage(index, GRADIENTS, stage[row]!, gradients).map((from) => ({ from, to: row })),
    ...rowsOnStage(index, [KIND.forward], stage[row]!, next).map((to) => ({ from: row, to })),
  ];
};

/** What a span needed directly, and what needed it directly. Launches on host streams depend on nothing here. */
export const dependenciesOf = (trace: Trace, row: number): readonly Dependency[] => {
  if (trace.spans.stream[row] === STREAM.host || trace.kernels !== undefined) return [];
  const index = indexOf(trace);
  if (trace.spans.kind[row] === KIND.step) return aroundStep(trace, index, row);
  if (!carriesMicrobatch(trace, row)) return [];
  const followers = rowsOfMicrobatch(trace, index, trace.spans.operand[row]!).filter((other) => inputRows(trace, index, other).includes(row));
  return [...inputRows(trace, index, row).map((from) => ({ from, to: row })), ...followers.map((to) => ({ from: row, to }))];
};
