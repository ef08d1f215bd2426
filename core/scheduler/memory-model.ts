/**
 * Bytes that a job holds on each device, learnt while jobs run. Before anything was measured it is the ledger's
 * prediction, then that times what measurements came to beside it, and from three sizes on the paper's law
 * Mem = β₀ + β₁·B·L + β₂·B·L², refitted with every measurement. Admission takes the upper end of the margin.
 */
import { evaluateLaw, fitLaw, type JobSize, type MemoryLaw } from './memory-law.ts';

/** A measured peak of one job by device, beside what the ledger said. */
export interface MemoryObservation {
  readonly size: JobSize;
  readonly ledgerBytes: readonly number[];
  readonly heldBytes: readonly number[];
}

/** Measurements by kind of job, of each size the highest; plain data. */
export type MemoryObservations = Record<string, MemoryObservation[]>;

/** What is asked: jobs of one kind (same modules, rank and optimizer) follow one law on each device. */
export interface MemoryQuestion {
  readonly kind: string;
  readonly size: JobSize;
  readonly ledgerBytes: readonly number[];
}

export interface MemoryEstimate {
  readonly bytes: number;
  /** Relative error that the prediction stays below, all but certainly. */
  readonly margin: number;
}

export interface MemoryModel {
  readonly observe: (question: MemoryQuestion, heldBytes: readonly number[]) => void;
  /** By device. */
  readonly estimate: (question: MemoryQuestion) => readonly MemoryEstimate[];
  /** Upper ends by device, in whole bytes. */
  readonly upperBytes: (question: MemoryQuestion) => readonly number[];
  readonly observations: MemoryObservations;
}

/** Mean error of the ledger on published memory of whole runs is 2.4 % (scorecard, qwen-lora); three times that. */
const LEDGER_MARGIN = 0.075;
/** What is taken for the spread of a fit before its residuals say so, counted as this many residuals. */
const PRIOR_SPREAD = 0.005;
const PRIOR_WEIGHT = 3;
/** Margins are this many spreads. */
const SPREADS = 3;
const LAW_SIZES = 3;
/** Sizes remembered of a kind. */
const MOST_SIZES = 64;

type Predict = (size: JobSize, ledgerBytes: number) => MemoryEstimate;

export const createMemoryModel = (observations: MemoryObservations = {}): MemoryModel => {
  const fitted = new Map<string, Predict>();
  const predictor = (kind: string, device: number): Predict => {
    const key = `${device} ${kind}`;
    const known = fitted.get(key);
    if (known !== undefined) return known;
    const predict = fitPredictor(observations[kind] ?? [], device);
    fitted.set(key, predict);
    return predict;
  };
  const estimate = ({ kind, size, ledgerBytes }: MemoryQuestion): MemoryEstimate[] =>
    ledgerBytes.map((bytes, device) => predictor(kind, device)(size, bytes));
  return {
    observations,
    estimate,
    upperBytes: (question) => estimate(question).map(({ bytes, margin }) => Math.ceil(bytes * (1 + margin))),
    observe: ({ kind, size, ledgerBytes }, heldBytes) => {
      const known = (observations[kind] ??= []);
      const at = known.findIndex((each) => each.size.rows === size.rows && each.size.length === size.length);
      const before = known[at]?.heldBytes;
      if (before !== undefined && heldBytes.every((bytes, device) => bytes <= before[device]!)) return;
      if (at >= 0) known.splice(at, 1);
      known.push({ size, ledgerBytes, heldBytes: heldBytes.map((bytes, device) => Math.max(bytes, before?.[device] ?? 0)) });
      if (known.length > MOST_SIZES) known.shift();
      for (const device of heldBytes.keys()) fitted.delete(`${device} ${kind}`);
    },
  };
};

const byLedger: Predict = (_size, ledgerBytes) => ({ bytes: ledgerBytes, margin: LEDGER_MARGIN });

const fitPredictor = (observations: readonly MemoryObservation[], device: number): Predict => {
  const measured = observations.filter(({ heldBytes, ledgerBytes }) => heldBytes[device]! > 0 && ledgerBytes[device]! > 0);
  if (measured.length === 0) return byLedger;
  const ratios = measured.map(({ heldBytes, ledgerBytes }) => heldBytes[device]! / ledgerBytes[device]!);
  const ratio = ratios.reduce((sum, each) => sum + each, 0) / ratios.length;
  const ratioMargin = Math.max(LEDGER_MARGIN / measured.length, marginOf(ratios.map((each) => each / ratio - 1), 1));
  const byRatio: Predict = (_size, ledgerBytes) => ({ bytes: ratio * ledgerBytes, margin: ratioMargin });
  if (measured.length < LAW_SIZES) return byRatio;
  return fitLawPredictor(measured.map(({ size }) => size), measured.map(({ heldBytes }) => heldBytes[device]!), byRatio);
};

/** The law inside the range that it was fitted on; beyond it whichever of law and scaled ledger is higher. */
const fitLawPredictor = (sizes: readonly JobSize[], amounts: readonly number[], byRatio: Predict): Predict => {
  const law: MemoryLaw = fitLaw(sizes, amounts);
  const margin = marginOf(sizes.map((size, index) => evaluateLaw(law, size) / amounts[index]! - 1), law.length);
  const mostTokens = Math.max(...sizes.map(({ rows, length }) => rows * length));
  const mostSquared = Math.max(...sizes.map(({ rows, length }) => rows * length * length));
  return (size, ledgerBytes) => {
    const own = { bytes: evaluateLaw(law, size), margin };
    if (size.rows * size.length <= mostTokens && size.rows * size.length ** 2 <= mostSquared) return own;
    const scaled = byRatio(size, ledgerBytes);
    return scaled.bytes * (1 + scaled.margin) > own.bytes * (1 + own.margin) ? scaled : own;
  };
};

/** Spread of relative residuals around a fit with this many coefficients, the prior included. */
const marginOf = (residuals: readonly number[], coefficients: number): number => {
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, PRIOR_WEIGHT * PRIOR_SPREAD ** 2);
  return SPREADS * Math.sqrt(squares / (PRIOR_WEIGHT + Math.max(0, residuals.length - coefficients)));
};
