/**
 * Bytes that a job holds on each device, learnt while jobs run. Before anything was measured it is the ledger's
 * prediction, then that times what measurements came to beside it. From three sizes on the paper's law
 * Mem = β₀ + β₁·B·L + β₂·B·L², refitted with every measurement, is taken together with the ledger, each counting by how
 * sure it is: near what was measured the law, elsewhere the ledger. Admission takes the upper end of the margin.
 */
import { evaluateLaw, fitLaw, leverageOf, type JobSize } from './memory-law.ts';

/** A measured peak of one job by device, beside what the ledger said. */
export interface MemoryObservation {
  /** What was in flight on each device. */
  readonly sizes: readonly JobSize[];
  readonly ledgerBytes: readonly number[];
  /** The part of both that lives only while a pass runs and is predicted: the law is of the rest. Absent: none. */
  readonly passBytes?: readonly number[];
  readonly heldBytes: readonly number[];
}

/** Measurements by kind of job, of each size the highest; plain data. */
export type MemoryObservations = Record<string, MemoryObservation[]>;

/** What is asked: jobs of one kind (same modules, rank and optimizer) follow one law on each device. */
export interface MemoryQuestion {
  readonly kind: string;
  /** What may be in flight on each device. */
  readonly sizes: readonly JobSize[];
  readonly ledgerBytes: readonly number[];
  /** As in an observation. */
  readonly passBytes?: readonly number[];
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

/** Mean error of the ledger on published memory of whole runs is 2.4 % (scorecard, qwen-lora). */
const LEDGER_SPREAD = 0.025;
/** What is taken for the spread of a fit before its residuals say so, counted as this many residuals. */
const PRIOR_SPREAD = 0.005;
const PRIOR_WEIGHT = 3;
/** Margins are this many spreads. */
const SPREADS = 3;
const LAW_SIZES = 3;
/** Sizes remembered of a kind. */
const MOST_SIZES = 64;

/** A question about one device. */
interface DeviceQuestion {
  readonly size: JobSize;
  readonly ledgerBytes: number;
  readonly passBytes: number;
}

type Predict = (question: DeviceQuestion) => MemoryEstimate;

const sameSize = (a: JobSize, b: JobSize): boolean => a.rows === b.rows && a.length === b.length && a.targets === b.targets;

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
  const estimate = ({ kind, sizes, ledgerBytes, passBytes }: MemoryQuestion): MemoryEstimate[] =>
    ledgerBytes.map((bytes, device) => predictor(kind, device)({ size: sizes[device]!, ledgerBytes: bytes, passBytes: passBytes?.[device] ?? 0 }));
  return {
    observations,
    estimate,
    upperBytes: (question) => estimate(question).map(({ bytes, margin }) => Math.ceil(bytes * (1 + margin))),
    observe: ({ kind, sizes, ledgerBytes, passBytes }, heldBytes) => {
      const known = (observations[kind] ??= []);
      const at = known.findIndex((each) => each.sizes.every((size, device) => sameSize(size, sizes[device]!)));
      const before = known[at]?.heldBytes;
      if (before !== undefined && heldBytes.every((bytes, device) => bytes <= before[device]!)) return;
      if (at >= 0) known.splice(at, 1);
      const most = heldBytes.map((bytes, device) => Math.max(bytes, before?.[device] ?? 0));
      known.push({ sizes, ledgerBytes, ...(passBytes === undefined ? {} : { passBytes }), heldBytes: most });
      if (known.length > MOST_SIZES) known.shift();
      for (const device of heldBytes.keys()) fitted.delete(`${device} ${kind}`);
    },
  };
};

const byLedger: Predict = ({ ledgerBytes }) => ({ bytes: ledgerBytes, margin: SPREADS * LEDGER_SPREAD });

/** What was measured on one device. */
interface Measured extends DeviceQuestion {
  readonly heldBytes: number;
}

const measuredOn = (observations: readonly MemoryObservation[], device: number): readonly Measured[] =>
  observations
    .map(({ sizes, ledgerBytes, passBytes, heldBytes }) => ({ size: sizes[device]!, ledgerBytes: ledgerBytes[device]!, passBytes: passBytes?.[device] ?? 0, heldBytes: heldBytes[device]! }))
    .filter((each) => each.ledgerBytes > 0 && each.heldBytes > each.passBytes);

const fitPredictor = (observations: readonly MemoryObservation[], device: number): Predict => {
  const measured = measuredOn(observations, device);
  if (measured.length === 0) return byLedger;
  const ratios = measured.map(({ heldBytes, ledgerBytes }) => heldBytes / ledgerBytes);
  const ratio = ratios.reduce((sum, each) => sum + each, 0) / ratios.length;
  const spread = spreadOf(ratios.map((each) => each / ratio - 1), 1);
  if (measured.length >= LAW_SIZES) return fitLawPredictor(measured, { ratio, spread: Math.max(LEDGER_SPREAD, spread) });
  const margin = SPREADS * Math.max(LEDGER_SPREAD / measured.length, spread);
  return ({ ledgerBytes }) => ({ bytes: ratio * ledgerBytes, margin });
};

/** The ledger times what was measured beside it. */
interface ScaledLedger {
  readonly ratio: number;
  readonly spread: number;
}

/** Mean of law and scaled ledger by inverse variance; beyond the range of the fit no less than the higher of the two. */
const fitLawPredictor = (measured: readonly Measured[], { ratio, spread: ledgerSpread }: ScaledLedger): Predict => {
  const sizes = measured.map(({ size }) => size);
  const kept = measured.map(({ heldBytes, passBytes }) => heldBytes - passBytes);
  const law = fitLaw(sizes, kept);
  const spread = spreadOf(sizes.map((size, index) => evaluateLaw(law, size) / kept[index]! - 1), law.length);
  const leverage = leverageOf(sizes, kept, spread);
  const mostTokens = Math.max(...sizes.map(({ rows, length }) => rows * length));
  const mostSquared = Math.max(...sizes.map(({ rows, length }) => rows * length * length));
  return ({ size, ledgerBytes, passBytes }) => {
    const [byLaw, scaled] = [evaluateLaw(law, size) + passBytes, ratio * ledgerBytes];
    const [lawVariance, ledgerVariance] = [spread ** 2 * leverage(size, Math.max(scaled - passBytes, 1)), ledgerSpread ** 2];
    const share = lawVariance / (lawVariance + ledgerVariance);
    const bytes = byLaw + share * (scaled - byLaw);
    const upper = bytes * (1 + SPREADS * Math.sqrt(spread ** 2 + share * ledgerVariance));
    const isInside = size.rows * size.length <= mostTokens && size.rows * size.length ** 2 <= mostSquared;
    return { bytes, margin: (isInside ? upper : Math.max(upper, byLaw, scaled)) / bytes - 1 };
  };
};

/** Spread of relative residuals around a fit with this many coefficients, the prior included. */
const spreadOf = (residuals: readonly number[], coefficients: number): number => {
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, PRIOR_WEIGHT * PRIOR_SPREAD ** 2);
  return Math.sqrt(squares / (PRIOR_WEIGHT + Math.max(0, residuals.length - coefficients)));
};
