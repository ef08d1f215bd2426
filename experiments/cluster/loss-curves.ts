import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/**
 * Held-out losses of a grid of learning rates and ranks, for simulating sweeps: a model, no measurement. A loss falls from
 * `START` by a power law to a floor; lower rates fall more slowly, rates beyond the best have a higher floor, so curves cross.
 * Its constants go through what PEFT measured on the demo's `sums` (experiments/pretrain): 5.71 before; 0.35, 0.25 and 0.36
 * after 40 iterations at 0.003, 0.006 and 0.01; 0.18 and 0.18 after 120 at 0.003 and 0.006. The gain by rank and the noise
 * are guesses.
 */
export interface Trial {
  readonly learningRate: number;
  readonly rank: number;
}

const START = 5.71;
const BEST_RATE = 0.006;
const FLOOR = 0.16;
/** Iterations of the first part of the fall at the best rate and above. */
const FALL_ITERATIONS = 1.34;
const EXPONENT = 1.2;
/** The floor rises with the squared logarithm of how far a rate is beyond the best. */
const RATE_PENALTY = 0.42;
const RANK_GAIN = 0.005;
/** Largest relative error of an evaluation. */
const NOISE = 0.02;

/** Learning rates from 0.0005 to 0.06 and four ranks. */
export const trialGrid = (): readonly Trial[] =>
  [0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06].flatMap((learningRate) => [4, 8, 16, 32].map((rank) => ({ learningRate, rank })));

export interface CurveOptions {
  readonly seed: number;
  readonly every: number;
  readonly iterations: number;
}

/** Held-out losses of each trial after every `every` iterations. */
export const lossCurves = (trials: readonly Trial[], { seed, every, iterations }: CurveOptions): readonly (readonly number[])[] => {
  const generator = xoroshiro128plus(seed);
  return trials.map((trial) =>
    Array.from({ length: iterations / every }, (_, index) => meanLoss(trial, (index + 1) * every) * (1 + NOISE * (2 * uniformFloat64(generator) - 1))),
  );
};

const meanLoss = ({ learningRate, rank }: Trial, iteration: number): number => {
  const beyond = Math.max(0, Math.log(learningRate / BEST_RATE));
  const floor = FLOOR + RATE_PENALTY * beyond ** 2 - RANK_GAIN * Math.log2(rank / 4);
  const fall = FALL_ITERATIONS * Math.max(1, BEST_RATE / learningRate);
  return floor + (START - floor) * (1 + iteration / fall) ** -EXPONENT;
};
