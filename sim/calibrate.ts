import { fcnnlsVector } from 'ml-fcnnls';
import type { CalibratedProfile, Figure } from './device-profile.ts';
import { measuredGaps } from './measured-gaps.ts';
import { measuredOps, median, type MeasuredOp, type MeasuredRun } from './measured-ops.ts';
import { measuredTransfers, type MeasuredTransfer } from './measured-transfers.ts';
import { WORK_FEATURES, type WorkFeature } from './work-features.ts';

/** A profile fitted to measured ops, and how well it fits them. */
export interface Calibration {
  readonly profile: CalibratedProfile;
  /** Constants of op times that came out above 0. */
  readonly constants: number;
  /** Ops of different work they were fitted on. */
  readonly rows: number;
  /** Median of |predicted ÷ measured − 1| over the rows. */
  readonly medianError: number;
  /** Predicted ÷ measured time of all ops together, minus 1. */
  readonly totalError: number;
}

/**
 * Fits a synchronous processor's times: kernels run inside the launching call, so an op takes a·FLOPs + b·bytes +
 * c·kernels + …, every constant at least 0. Throws if no run has a compute op.
 */
export const calibrate = (runs: readonly MeasuredRun[], name: string): Calibration => {
  const ops = measuredOps(runs);
  if (ops.length === 0) throw new RangeError('nothing to calibrate on: no run has a compute op');
  const nsPer = fitTrimmed(ops);
  const gaps = runs.flatMap(measuredGaps);
  const errors = ops.map((op) => relativeError(op, nsPer));
  const source = `non-negative least squares on the times of ${ops.length} different ops of ${runs.length} runs`;
  return {
    profile: {
      kind: 'calibrated',
      name,
      nsPer: Object.fromEntries(WORK_FEATURES.map((feature, index) => [feature, fitted(nsPer[index]!, source)])) as Record<WorkFeature, Figure>,
      perPassNs: fitted(median(gaps), `median of ${gaps.length} gaps between ops`),
      contextBytes: { value: 0, origin: 'guess', source: 'the ledger counts tensors; the runtime around them is not measured' },
      link: fitLink(runs.flatMap(measuredTransfers)),
    },
    constants: nsPer.filter((value) => value > 0).length,
    rows: ops.length,
    medianError: median(errors.map(Math.abs)),
    totalError: totalNs(ops, (op) => predict(op, nsPer)) / totalNs(ops, ({ quietNs }) => quietNs) - 1,
  };
};

const fitted = (value: number, source: string): Figure => ({ value, origin: 'fitted', source });

const predict = ({ features }: MeasuredOp, nsPer: readonly number[]): number =>
  features.reduce((ns, amount, index) => ns + amount * nsPer[index]!, 0);

const relativeError = (op: MeasuredOp, nsPer: readonly number[]): number => predict(op, nsPer) / op.quietNs - 1;

const totalNs = (ops: readonly MeasuredOp[], ns: (op: MeasuredOp) => number): number =>
  ops.reduce((sum, op) => sum + op.count * ns(op), 0);

/** Errors beyond this many medians are disturbances of the machine (start-up, other processes), not of the model. */
const OUTLIER = 4;

/** Fits, leaves out what lies far off, fits again. */
const fitTrimmed = (ops: readonly MeasuredOp[]): number[] => {
  const first = fit(ops);
  const limit = OUTLIER * median(ops.map((op) => Math.abs(relativeError(op, first))));
  return fit(ops.filter((op) => Math.abs(relativeError(op, first)) <= limit));
};

/** Errors weigh by 1/√time: short ops count, and the sum over all ops, which makes the makespan, comes out right. */
const fit = (ops: readonly MeasuredOp[]): number[] =>
  solve(
    ops.map(({ features, quietNs, count }) => ({ inputs: features, output: quietNs, weight: Math.sqrt(count / quietNs) })),
  );

interface Equation {
  readonly inputs: readonly number[];
  readonly output: number;
  readonly weight: number;
}

/** Non-negative least squares; columns are scaled to their largest entry, because FLOPs and launches differ by 10^6. */
const solve = (equations: readonly Equation[]): number[] => {
  const width = equations[0]?.inputs.length ?? 0;
  const scales = Array.from({ length: width }, (_, column) =>
    equations.reduce((largest, { inputs, weight }) => Math.max(largest, inputs[column]! * weight), 0),
  );
  const used = scales.flatMap((scale, column) => (scale > 0 ? [column] : []));
  const matrix = equations.map(({ inputs, weight }) => used.map((column) => (inputs[column]! * weight) / scales[column]!));
  const solution = fcnnlsVector(matrix, equations.map(({ output, weight }) => output * weight)).K.to1DArray();
  const values = scales.map(() => 0);
  used.forEach((column, index) => (values[column] = solution[index]! / scales[column]!));
  return values;
};

const FEWEST_TRANSFERS = 8;

/** Latency and time per byte; null where too few transfers were undisturbed. */
const fitLink = (transfers: readonly MeasuredTransfer[]): CalibratedProfile['link'] => {
  if (transfers.length < FEWEST_TRANSFERS) return null;
  const [latencyNs, nsPerByte] = solve(transfers.map(({ bytes, ns }) => ({ inputs: [1, bytes], output: ns, weight: 1 / ns })));
  const source = `non-negative least squares on ${transfers.length} transfers to waiting devices`;
  return { latencyNs: fitted(latencyNs!, source), nsPerByte: fitted(nsPerByte!, source) };
};
