import type { Op } from '../../core/plan/op.ts';
import { partsOf, type MicrobatchTable } from '../../core/plan/plan.ts';

/*
 * Ending a program at an iteration end of every adapter. The rank of the first stage lets everything into the pipeline,
 * so it knows which iterations have begun: those are finished everywhere, later ones are skipped everywhere. What is
 * left of the program is in the same order as before, so it cannot deadlock.
 */

/** Iterations of an adapter that this run may make: from `first` up to `end`, exclusive. */
export interface IterationRange {
  readonly first: number;
  readonly end: number;
}

/** An adapter that a program has left on a stage, after `iteration` iterations. */
export interface OpenAdapter {
  readonly stage: number;
  readonly adapter: number;
  readonly iteration: number;
}

/** Where one device's program ends when it is told to end early. */
export interface Halt {
  /** Rank of the first stage: iterations begun so far by adapter, beyond which nothing will run. */
  readonly decide: () => readonly number[];
  /** The other ranks: what the first one has decided. */
  readonly limit: (iterations: readonly number[]) => void;
  readonly skips: (op: Op) => boolean;
  /** Runs an op unless it is skipped; an op that waits for data is given up when it turns out to be skipped. */
  readonly run: (op: Op, work: () => Promise<void>) => Promise<void>;
  /** Adapters with further iterations that are still on this device's stages; none unless the program was halted. */
  readonly open: () => readonly OpenAdapter[];
}

/** Of a program that is never told to end early. */
export const NEVER_HALTED: Halt = { decide: () => [], limit: () => undefined, skips: () => false, run: (_, work) => work(), open: () => [] };

/** `ranges`: by adapter of the plan. */
export const createHalt = (microbatches: MicrobatchTable, ranges: readonly IterationRange[]): Halt => {
  const begun = ranges.map(({ first }) => first);
  const loaded = new Map<string, Omit<OpenAdapter, 'iteration'>>();
  const waiting = new Set<{ readonly op: Op; readonly giveUp: () => void }>();
  let limits: readonly number[] | null = null;

  const skips = (op: Op): boolean => limits !== null && isBeyond(op, limits, microbatches, ranges);
  const limit = (iterations: readonly number[]): void => {
    limits = iterations;
    for (const { op, giveUp } of waiting) if (skips(op)) giveUp();
  };
  const note = (op: Op): void => {
    if (op.kind === 'load') loaded.set(`${op.stage}/${op.adapter}`, { stage: op.stage, adapter: op.adapter });
    if (op.kind === 'release') loaded.delete(`${op.stage}/${op.adapter}`);
    if (op.kind !== 'forward' || op.stage > 0) return;
    for (const { adapter, iteration } of partsOf(microbatches, op.microbatch)) {
      begun[adapter] = Math.max(begun[adapter]!, iteration + 1);
    }
  };
  return {
    decide: () => {
      limit([...begun]);
      return limits!;
    },
    limit,
    skips,
    run: async (op, work) => {
      if (skips(op)) return;
      note(op);
      await new Promise<void>((resolve, reject) => {
        const waiter = { op, giveUp: resolve };
        waiting.add(waiter);
        work()
          .then(resolve, reject)
          .finally(() => waiting.delete(waiter));
      });
    },
    open: () =>
      limits === null
        ? []
        : [...loaded.values()]
            .map((each) => ({ ...each, iteration: limits![each.adapter]! }))
            .filter(({ adapter, iteration }) => iteration > ranges[adapter]!.first),
  };
};

const isBeyond = (
  op: Op,
  limits: readonly number[],
  microbatches: MicrobatchTable,
  ranges: readonly IterationRange[],
): boolean => {
  switch (op.kind) {
    case 'step':
    case 'allReduceGradients':
    case 'reduceScatterGradients':
    case 'allReduceNorm':
      return op.iteration >= limits[op.adapter]!;
    case 'load':
      return limits[op.adapter]! <= ranges[op.adapter]!.first;
    case 'save':
    case 'release':
      return limits[op.adapter]! < ranges[op.adapter]!.end;
    default:
      // All parts of a microbatch belong to one round, which has begun for all of them or for none.
      return partsOf(microbatches, op.microbatch).some(({ adapter, iteration }) => iteration >= limits[adapter]!);
  }
};
