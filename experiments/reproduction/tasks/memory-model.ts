import { fcnnlsVector } from 'ml-fcnnls';
import * as E from 'fp-ts/lib/Either.js';
import { drawLengths } from '../../../core/experiment/synthetic.ts';
import { peakMemory } from '../../../core/trace/peak-memory.ts';
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

interface Sample {
  readonly batch: number;
  readonly length: number;
  readonly bytes: number;
}

const SEEDS = { batch: 8, length: 512 } as const;
/** Sequences are padded to multiples of this. */
const LENGTH_STEP = 8;

export const fitMemoryModel = (task: MemoryModelTask): MemoryModelResult => {
  const count = Math.max(...task.counts) + task.testPoints;
  const batches = drawLengths({ type: 'uniform', minimum: 1, maximum: task.largestBatch }, count, SEEDS.batch);
  const lengths = drawLengths({ type: 'uniform', minimum: 8, maximum: task.longest / LENGTH_STEP }, count, SEEDS.length);
  const samples = Array.from(batches, (batch, index): Sample => {
    const length = lengths[index]! * LENGTH_STEP;
    return { batch, length, bytes: ledgerPeak(task, batch, length) };
  });
  const test = samples.slice(-task.testPoints);
  return { meanErrors: task.counts.map((points) => meanError(fit(samples.slice(0, points)), test)) };
};

/** Peak of the fullest device while one job trains with such mini-batches, in bytes. */
const ledgerPeak = ({ experiment }: MemoryModelTask, batch: number, length: number): number => {
  const defaults = { ...experiment.defaults, batchSize: batch, data: { lengths: { type: 'fixed', length }, rows: batch } };
  const run = runExperiment({ experiment: { ...experiment, defaults }, fp32Efficiency: 0.5, transfers: 'overlapped' }, 2);
  if (E.isLeft(run)) throw new Error(`batch ${batch} of length ${length}: ${run.left}`);
  return Math.max(...peakMemory(run.right.trace).map(({ bytes }) => bytes));
};

const terms = ({ batch, length }: Pick<Sample, 'batch' | 'length'>): number[] => [1, batch * length, batch * length * length];

/** Non-negative coefficients of least relative squared error. */
const fit = (samples: readonly Sample[]): number[] => {
  const matrix = samples.map((sample) => terms(sample).map((term) => term / sample.bytes));
  return fcnnlsVector(scaleColumns(matrix, SCALES), samples.map(() => 1)).K.to1DArray().map((value, index) => value * SCALES[index]!);
};

/** Sizes of the three coefficients to within a few orders of magnitude: the solver's tolerance is absolute. */
const SCALES = [1e9, 1e6, 1e3];

const scaleColumns = (matrix: readonly (readonly number[])[], scales: readonly number[]): number[][] =>
  matrix.map((row) => row.map((value, index) => value * scales[index]!));

const meanError = (coefficients: readonly number[], samples: readonly Sample[]): number => {
  const errors = samples.map((sample) => {
    const predicted = terms(sample).reduce((sum, term, index) => sum + term * coefficients[index]!, 0);
    return Math.abs(predicted / sample.bytes - 1);
  });
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
};
