import { KIND, OP_KINDS, STREAM } from '../plan/op.ts';
import type { Trace } from '../trace/trace.ts';
import type { IdleCause } from './cause.ts';
import type { Chains } from './chain.ts';
import { carriesMicrobatch, isCommunication, tokensOfMicrobatch } from './span-index.ts';

/**
 * What made the chains that a device waits for longer than pure pipeline latency. Each row has up to four delays: its
 * span's variation or transfer, its excess over the device's own stage, over the mean length, and the wait before it.
 */
export interface Delays {
  readonly causeOf: (row: number, part: number) => IdleCause;
  /** Whole nanoseconds. */
  readonly amountOf: (row: number, part: number) => number;
}

export const DELAY_PARTS = 4;
const WAIT = 3;

/** Delays as a device sees them: a stage is slow that takes longer for the same microbatch than the device itself. */
export const delaysFor = (trace: Trace, chains: Chains, device: number): Delays => {
  const { spans } = trace;
  const { expectedNs, waitNs } = chains;
  const own = ownTimes(trace, chains, device);
  const unexplained = unexplainedCause(trace);
  const stageNs = (row: number): number => {
    const mine = own.of(spans.kind[row]!, spans.operand[row]!);
    return Number.isNaN(mine) ? 0 : Math.round(Math.max(0, expectedNs[row]! - mine));
  };
  const lengthNs = (row: number): number => {
    const kind = spans.kind[row]!;
    const excess = own.of(kind, spans.operand[row]!) - own.mean(kind);
    return Number.isNaN(excess) ? 0 : Math.round(Math.min(expectedNs[row]! - stageNs(row), Math.max(0, excess)));
  };
  return {
    causeOf: (row, part) => {
      if (part === 1) return 'unequalStages';
      if (part === 2) return 'unequalLengths';
      return part === 0 && isCommunication(spans.kind[row]!) ? 'communication' : unexplained;
    },
    amountOf: (row, part) => {
      if (part === WAIT) return waitNs[row]!;
      if (isCommunication(spans.kind[row]!)) return part === 0 ? expectedNs[row]! : 0;
      if (part === 0) return spans.endNs[row]! - spans.startNs[row]! - expectedNs[row]!;
      return part === 1 ? stageNs(row) : lengthNs(row);
    },
  };
};

/** Whose doing it is when everything an op needs is there and it does not start: the host's, where it launches kernels. */
export const unexplainedCause = ({ spans }: Trace): IdleCause =>
  spans.stream.includes(STREAM.host) ? 'launches' : 'runtime';

/** What a device's own stages take for a microbatch; NaN where it never does anything of the kind. */
interface OwnTimes {
  /** On average over its stages; for microbatches of other pipelines in proportion to their tokens. */
  readonly of: (kind: number, operand: number) => number;
  readonly mean: (kind: number) => number;
}

const ownTimes = (trace: Trace, { index, expectedNs }: Chains, device: number): OwnTimes => {
  const { spans, plan } = trace;
  const width = plan.microbatches.length;
  const sums = new Float64Array(OP_KINDS.length * width);
  const counts = new Uint16Array(OP_KINDS.length * width);
  const totals = OP_KINDS.map(() => ({ ns: 0, count: 0, tokens: 0 }));
  for (const row of index.computeRows[device]!) {
    const kind = spans.kind[row]!;
    if (!carriesMicrobatch(kind)) continue;
    const cell = kind * width + spans.operand[row]!;
    const total = totals[kind]!;
    sums[cell]! += expectedNs[row]!;
    counts[cell]! += 1;
    total.ns += expectedNs[row]!;
    total.count += 1;
    total.tokens += tokensOfMicrobatch(plan, spans.operand[row]!);
  }
  return {
    of: (kind, operand) => {
      if (!carriesMicrobatch(kind)) return NaN;
      const cell = kind * width + operand;
      if (counts[cell]! > 0) return sums[cell]! / counts[cell]!;
      return (totals[kind]!.ns / totals[kind]!.tokens) * tokensOfMicrobatch(plan, operand);
    },
    mean: (kind) => totals[kind]!.ns / totals[kind]!.count,
  };
};

/** Whether an op's wait is for its job to arrive, in part at least. */
export const waitsForArrival = ({ spans }: Trace, { arrivalNs }: Chains, row: number): boolean =>
  spans.kind[row] === KIND.load && arrivalNs[row]! > 0;
