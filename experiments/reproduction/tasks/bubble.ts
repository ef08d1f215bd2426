import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import { constantCost } from '../../../sim/constant-cost.ts';
import { simulatedMakespan, UNIT_PART } from '../../bench/steady-state.ts';

/** Bubble ratio of the simulated schedule with equal times and free communication. */
export interface BubbleTask {
  readonly kind: 'bubble';
  readonly devices: number;
  readonly microbatches: number;
  readonly adapters: number;
  /** `greedy` is the order that the paper describes. */
  readonly release: 'staggered' | 'greedy';
}

export interface BubbleResult {
  readonly bubbleRatio: number;
}

const FORWARD_NS = 1000;
const BACKWARD_NS = 1150;
const ITERATIONS = 8;

/** What doubling the iterations adds to the makespan, against the work it adds: fill and drain cancel out. */
export const measureBubble = ({ devices, microbatches, adapters, release }: BubbleTask): BubbleResult => {
  const cost = constantCost({ forwardNs: FORWARD_NS, backwardNs: BACKWARD_NS });
  // One group per adapter: the formula counts adapters.
  const schedule = makeSchedule({ type: 'lorapp', microbatches, release, groups: adapters });
  const makespan = (iterations: number): number =>
    simulatedMakespan({ devices, adapters, iterations, schedule, cost, part: () => UNIT_PART });
  const workNs = ITERATIONS * adapters * microbatches * (FORWARD_NS + BACKWARD_NS);
  return { bubbleRatio: 1 - workNs / (makespan(2 * ITERATIONS) - makespan(ITERATIONS)) };
};

/** The paper's closed form (section 3.2.2). */
export const bubbleFormula = ({ devices: D, microbatches: N, adapters: L }: Pick<BubbleTask, 'devices' | 'microbatches' | 'adapters'>): number =>
  Math.max((D - 1 + N - L * N) / (D + N - 1), 0);
