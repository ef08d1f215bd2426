import type { ShapePart } from './plan/plan.ts';

/** What planning has to know of one adapter: how many iterations of which sizes, and when it may start. */
export interface AdapterWorkload {
  readonly name: string;
  /** Iterations of the whole job. */
  readonly iterations: number;
  /** Iteration to start with; a job that was interrupted goes on there, one that has none left takes no part. Absent: 0. */
  readonly firstIteration?: number;
  /** Pieces each mini-batch is split into. */
  readonly microbatches: number;
  readonly arrivalNs: number;
  readonly priority: number;
  /** Size of microbatch `index` of `iteration`. */
  readonly part: (iteration: number, index: number) => PartSize;
  /** Its gradients are clipped, so that a step waits for the norm over all stages; absent: they are not. */
  readonly clips?: boolean;
  /** Held-out rows to be evaluated while it trains; absent: none. */
  readonly evaluation?: EvaluationTurns;
}

/** Held-out rows of an adapter, evaluated after every `every` iterations but the last; Infinity: not while it trains. */
export interface EvaluationTurns {
  readonly every: number;
  /** Iterations of the whole job where they are evaluated behind the last one, too, in a turn of their own; absent: they are not. */
  readonly last?: number;
  /** Their microbatches. */
  readonly parts: readonly PartSize[];
}

/** Held-out microbatches to be evaluated with the weights that an iteration starts with; those before the first are no part of training. */
export const evaluationOf = ({ evaluation }: AdapterWorkload, iteration: number): readonly PartSize[] =>
  evaluation === undefined || iteration === 0 || (iteration % evaluation.every > 0 && iteration !== evaluation.last) ? [] : evaluation.parts;

/** Whether a turn only evaluates: the one behind the last iteration. */
export const isClosing = ({ iterations }: AdapterWorkload, iteration: number): boolean => iteration >= iterations;

/** Turns of an adapter: one for every iteration, and one that only evaluates where that is wanted behind the last iteration. */
export const turnCount = ({ iterations, evaluation }: AdapterWorkload): number =>
  evaluation?.last === iterations && evaluation.parts.length > 0 ? iterations + 1 : iterations;

/** Iteration an adapter's plan starts with. */
export const firstIterationOf = ({ firstIteration = 0 }: AdapterWorkload): number => firstIteration;

export type PartSize = Omit<ShapePart, 'adapter'>;

/** The adapters of a run, in plan order. */
export interface Workload {
  readonly adapters: readonly AdapterWorkload[];
}

/** Number of rows of microbatch `index` when `batchSize` rows are split into `microbatches` pieces, larger ones first. */
export const rowsOfMicrobatch = (batchSize: number, microbatches: number, index: number): number =>
  Math.floor(batchSize / microbatches) + (index < batchSize % microbatches ? 1 : 0);

/** Index of the first row of microbatch `index` inside its mini-batch. */
export const firstRowOfMicrobatch = (batchSize: number, microbatches: number, index: number): number =>
  Math.floor(batchSize / microbatches) * index + Math.min(index, batchSize % microbatches);

/** Size of a microbatch whose rows have the given lengths in tokens. */
export const sizeOfRows = (lengths: readonly number[]): PartSize => ({
  rows: lengths.length,
  tokens: lengths.reduce((sum, length) => sum + length, 0),
  squaredTokens: lengths.reduce((sum, length) => sum + length * length, 0),
});
