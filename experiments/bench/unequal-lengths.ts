import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { LorappSchedule } from '../../core/experiment/schedule.ts';
import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import type { CostModel } from '../../core/cost-model.ts';
import type { MicrobatchShape } from '../../core/plan/plan.ts';
import { constantCost } from '../../sim/constant-cost.ts';
import { simulatedMakespan } from './steady-state.ts';

/** What unequal microbatches cost: throughput ÷ ideal with lognormal lengths, D = L = N = 4. */

const ITERATIONS = 200;
const MEAN_TOKENS = 1000;

/** Lognormal tokens with the given σ of the log, drawn once per (adapter, iteration, index). */
export const drawTokens = (sigma: number, seed: number): ((adapter: number, iteration: number, index: number) => number) => {
  const random = xoroshiro128plus(seed);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - uniformFloat64(random))) * Math.cos(2 * Math.PI * uniformFloat64(random));
  const tokens = Array.from({ length: 4 * ITERATIONS * 4 }, () =>
    Math.max(1, Math.round(MEAN_TOKENS * Math.exp(sigma * normal() - (sigma * sigma) / 2))),
  );
  return (adapter, iteration, index) => tokens[(adapter * ITERATIONS + iteration) * 4 + index]!;
};

const tokensOf = ({ parts }: MicrobatchShape): number => parts.reduce((sum, { tokens }) => sum + tokens, 0);

const perToken: CostModel = {
  ...constantCost({ forwardNs: 0, backwardNs: 0 }),
  forward: (_stage, shape) => ({ deviceNs: tokensOf(shape), launchNs: 0 }),
  backward: (_stage, shape) => ({ deviceNs: tokensOf(shape), launchNs: 0 }),
};

const efficiency = (sigma: number, release: LorappSchedule['release'], extraInFlight: LorappSchedule['extraInFlight'], seed: number): number => {
  const tokens = drawTokens(sigma, seed);
  let total = 0;
  for (let cell = 0; cell < 4 * ITERATIONS * 4; cell++) total += tokens(0, 0, cell);
  const makespanNs = simulatedMakespan({
    devices: 4,
    adapters: 4,
    iterations: ITERATIONS,
    schedule: makeSchedule({ type: 'lorapp', microbatches: 4, release, groups: 4, extraInFlight }),
    cost: perToken,
    part: (adapter, iteration, index) => ({ rows: 1, tokens: tokens(adapter, iteration, index), squaredTokens: 0 }),
  });
  return (2 * total) / makespanNs;
};

export const benchUnequalLengths = (): void => {
  const depths = [0, 2, 4, 8, 'auto'] as const;
  console.log('Throughput ÷ ideal with lognormal lengths (D = L = N = 4, mean of 3 seeds) by microbatches in flight beyond 4');
  console.log(`σ    release    ${depths.map((depth) => String(depth).padStart(6)).join('')}`);
  for (const sigma of [0, 0.3, 0.6, 0.9]) {
    for (const release of ['staggered', 'greedy'] as const) {
      const cells = depths.map((depth) => {
        const mean = [1, 2, 3].reduce((sum, seed) => sum + efficiency(sigma, release, depth, seed) / 3, 0);
        return mean.toFixed(3).padStart(6);
      });
      console.log(`${sigma.toFixed(1)}  ${release.padEnd(10)} ${cells.join('')}`);
    }
  }
};
