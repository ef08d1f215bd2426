import type { Schedule } from '../../core/experiment/schedule.ts';
import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import { constantCost } from '../../sim/constant-cost.ts';
import { simulatedMakespan, UNIT_PART } from './steady-state.ts';

/** Bubble ratios of the simulated schedules against the paper's closed forms, D, N, L from 1 to 8. */

const FORWARD_NS = 100;
const ITERATIONS = 8;

interface Setting {
  readonly devices: number;
  readonly microbatches: number;
  readonly adapters: number;
}

const settings = function* (): Generator<Setting> {
  for (let devices = 1; devices <= 8; devices++) {
    for (let microbatches = 1; microbatches <= 8; microbatches++) {
      for (let adapters = 1; adapters <= 8; adapters++) yield { devices, microbatches, adapters };
    }
  }
};

const barrierFormula = ({ devices: D, microbatches: N }: Setting): number => (D - 1) / (N + D - 1);

const lorappFormula = ({ devices: D, microbatches: N, adapters: L }: Setting): number =>
  Math.max((D - 1 + N - L * N) / (D + N - 1), 0);

/** What doubling the iterations adds to the makespan, against the work it adds: fill and drain cancel out. */
const steadyBubble = ({ devices, microbatches, adapters }: Setting, schedule: Schedule, backwardNs: number): number => {
  const cost = constantCost({ forwardNs: FORWARD_NS, backwardNs });
  const makespan = (iterations: number): number =>
    simulatedMakespan({ devices, adapters, iterations, schedule: { ...schedule, microbatches }, cost, part: () => UNIT_PART });
  const workNs = ITERATIONS * adapters * microbatches * (FORWARD_NS + backwardNs);
  return 1 - workNs / (makespan(2 * ITERATIONS) - makespan(ITERATIONS));
};

/** One group per adapter: the formula counts adapters. */
const LORAPP = makeSchedule({ type: 'lorapp', microbatches: 1, groups: 8 });

const SCHEDULES: readonly (readonly [string, Schedule, (setting: Setting) => number])[] = [
  ['gpipe', makeSchedule({ type: 'gpipe', microbatches: 1 }), barrierFormula],
  ['1f1b', makeSchedule({ type: '1f1b', microbatches: 1 }), barrierFormula],
  ['lorapp, staggered release', LORAPP, lorappFormula],
  ['lorapp, greedy release', { ...LORAPP, release: 'greedy' }, lorappFormula],
];

export const benchBubbles = (): void => {
  console.log('Simulated bubble ratio against the formula, 512 cases each (D, N, L from 1 to 8)');
  for (const [name, schedule, formula] of SCHEDULES) {
    for (const backwardNs of [100, 115, 200]) {
      const misses = [...settings()].map((setting) => steadyBubble(setting, schedule, backwardNs) - formula(setting));
      const missed = misses.filter((miss) => Math.abs(miss) > 1e-9).length;
      const worst = misses.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
      console.log(`${name.padEnd(28)} T_b/T_f ${(backwardNs / FORWARD_NS).toFixed(2)}  missed ${String(missed).padStart(3)}  worst ${worst.toFixed(4)}`);
    }
  }
};
