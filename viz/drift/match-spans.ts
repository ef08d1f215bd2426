import { STREAM, SUBJECT_OF_KIND, type Subject } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';

/** Numbers for whatever is asked for: equal texts have equal ones. */
type Numbering = (text: string) => number;

const createNumbering = (): Numbering => {
  const numbers = new Map<string, number>();
  return (text) => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
};

/** For every microbatch its adapter with iteration and piece, and for every adapter its name, as numbers. */
interface Subjects {
  readonly ofMicrobatch: Float64Array;
  readonly ofAdapter: Float64Array;
}

/**
 * What an op works on whatever its plan: two plans number their microbatches differently, and one may have grouped what
 * the other has not; then the first adapter of a group stands for all.
 */
const numberSubjects = ({ plan: { microbatches, adapters } }: Trace, numbering: Numbering): Subjects => ({
  ofAdapter: Float64Array.from(adapters, (name) => numbering(name)),
  ofMicrobatch: Float64Array.from({ length: microbatches.length }, (_, microbatch) => {
    const part = microbatches.partStart[microbatch]!;
    const { partIteration, partIndex, partAdapter } = microbatches;
    return numbering(`${partIteration[part]} ${partIndex[part]} ${adapters[partAdapter[part]!]}`);
  }),
});

/** More than there are kinds, and than a stage's column can hold: different ops have different numbers. */
const KINDS = 32;
const STAGES = 2 ** 16;

/** For every span the number of its op; −1 for launches on the host. */
const numberOps = (trace: Trace, numbering: Numbering): Float64Array => {
  const { kind, stage, operand, iteration, stream } = trace.spans;
  const { ofMicrobatch, ofAdapter } = numberSubjects(trace, numbering);
  const names = new Map<number, number>();
  /** An adapter's iteration, as a number beside those of microbatches and adapters. */
  const ofIteration = (adapter: number, i: number): number => {
    const key = adapter * 2 ** 32 + i;
    const number = names.get(key) ?? numbering(`step ${i} ${trace.plan.adapters[adapter]}`);
    names.set(key, number);
    return number;
  };
  const numberOf = (subject: Subject, row: number): number => {
    if (subject === 'iteration') return ofIteration(operand[row]!, iteration[row]!);
    return (subject === 'microbatch' ? ofMicrobatch : ofAdapter)[operand[row]!]!;
  };
  return Float64Array.from({ length: trace.spans.length }, (_, row) => {
    if (stream[row] === STREAM.host) return -1;
    const number = numberOf(SUBJECT_OF_KIND[kind[row]!]!, row);
    return (number * STAGES + stage[row]!) * KINDS + kind[row]!;
  });
};

/** For every span of `trace` the row of the same op in `other`; −1 where it has none, and for launches on the host. */
export const matchSpans = (trace: Trace, other: Trace): Int32Array => {
  const numbering = createNumbering();
  const rows = new Map<number, number>();
  for (const [row, op] of numberOps(other, numbering).entries()) if (op >= 0) rows.set(op, row);
  return Int32Array.from(numberOps(trace, numbering), (op) => rows.get(op) ?? -1);
};
