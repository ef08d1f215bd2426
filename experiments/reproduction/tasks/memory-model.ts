import * as E from 'fp-ts/lib/Either.js';
import { drawLengths } from '../../../core/experiment/synthetic.ts';
import { evaluateLaw, fitLaw, type JobSize, type MemoryLaw } from '../../../core/scheduler/memory-law.ts';
import { peakMemory } from '../../../core/trace/peak-memory.ts';
import { GIGA } from '../../../core/units.ts';
import type { Observation } from '../../scorecard/data-set.ts';
import { runExperiment, type ExperimentContent } from './run-experiment.ts';

/** Fits Mem = β₀ + β₁·B·L + β₂·B·L² (paper section 3.4) to our ledger from more and more points. */
export interface MemoryModelTask {
  readonly kind: 'memoryModel';
  /** Its batch size and lengths are replaced. */
  readonly experiment: ExperimentContent;
  readonly largestBatch: number;
  readonly longest: number;
  /** Numbers of points fitted on. */
  readonly counts: readonly number[];
  /** Points that no fit sees. */
  readonly testPoints: number;
}

export interface MemoryModelResult {
  /** Mean absolute error of each fit over the test points, as a share of the ledger's bytes. */
  readonly meanErrors: readonly number[];
}

type Sample = Observation<JobSize, 'memoryGB'>;

const PLAIN = { software: 'shipped', launchMicroseconds: null, loads: 'shard', transfers: 'overlapped' } as const;
const SEEDS = { batch: 8, length: 512 } as const;
/** Sequences are padded to multiples of this. */
const LENGTH_STEP = 8;

export const fitMemoryModel = (task: MemoryModelTask): MemoryModelResult => {
  const count = Math.max(...task.counts) + task.testPoints;
  const batches = drawLengths({ type: 'uniform', minimum: 1, maximum: task.largestBatch }, count, SEEDS.batch);
  const lengths = drawLengths({ type: 'uniform', minimum: 8, maximum: task.longest / LENGTH_STEP }, count, SEEDS.length);
  const samples = Array.from(batches, (batch, index): Sample => {
    const length = lengths[index]! * LENGTH_STEP;
    return { id: String(index), input: { rows: batch, length }, measured: { memoryGB: ledgerPeakGB(task, batch, length) } };
  });
  const test = samples.slice(-task.testPoints);
  return { meanErrors: task.counts.map((points) => meanError(fitSamples(samples.slice(0, points)), test)) };
};

const fitSamples = (samples: readonly Sample[]): MemoryLaw =>
  fitLaw(samples.map(({ input }) => input), samples.map(({ measured }) => measured.memoryGB!));

/** Peak of the fullest device while one job trains with such mini-batches. */
const ledgerPeakGB = ({ experiment }: MemoryModelTask, batch: number, length: number): number => {
  const defaults = { ...experiment.defaults, batchSize: batch, data: { lengths: { type: 'fixed', length }, rows: batch } };
  const run = runExperiment({ experiment: { ...experiment, defaults }, ...PLAIN }, 2);
  if (E.isLeft(run)) throw new Error(`batch ${batch} of length ${length}: ${run.left}`);
  return Math.max(...peakMemory(run.right.trace).map(({ bytes }) => bytes)) / GIGA;
};

const meanError = (law: MemoryLaw, samples: readonly Sample[]): number =>
  samples.reduce((sum, { input, measured }) => sum + Math.abs(evaluateLaw(law, input) / measured.memoryGB! - 1), 0) / samples.length;
