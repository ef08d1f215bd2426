import * as E from 'fp-ts/lib/Either.js';
import type { CostModel } from '../../core/cost-model.ts';
import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import { CAUSE_LABELS, type IdleCause } from '../../core/explain/cause.ts';
import { splitIdle } from '../../core/explain/idle.ts';
import type { MicrobatchShape } from '../../core/plan/plan.ts';
import { formatPlanError } from '../../core/planners/plan-error.ts';
import { planSchedule, type PlanRequest } from '../../core/planners/plan-schedule.ts';
import { formatTable } from '../../core/text-table.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { whatIf } from '../../sim/what-if.ts';
import { drawTokens } from './unequal-lengths.ts';

/** How much idle time a cause is said to make, and how much goes away with it, in runs that have one cause besides their ends. */

interface Case {
  readonly name: string;
  readonly cause: IdleCause;
  readonly type?: '1f1b';
  readonly slowness?: readonly number[];
  readonly transferNs?: number;
  readonly sigma?: number;
  readonly memoryBytes?: number;
}

const CASES: readonly Case[] = [
  { name: '1F1B, one adapter', cause: 'ownStep', type: '1f1b' },
  { name: '1F1B, transfers of 0.3 forwards', cause: 'communication', type: '1f1b', transferNs: 300 },
  { name: '1F1B, transfers of a forward', cause: 'communication', type: '1f1b', transferNs: 1000 },
  { name: '1F1B, lengths of σ = 0.6', cause: 'unequalLengths', type: '1f1b', sigma: 0.6 },
  { name: '1F1B, a stage twice as slow', cause: 'unequalStages', type: '1f1b', slowness: [1, 2, 1, 1] },
  { name: 'LoRAPP, transfers of four forwards', cause: 'communication', transferNs: 4000 },
  { name: 'LoRAPP, lengths of σ = 0.3', cause: 'unequalLengths', sigma: 0.3 },
  { name: 'LoRAPP, lengths of σ = 0.6', cause: 'unequalLengths', sigma: 0.6 },
  { name: 'LoRAPP, lengths of σ = 0.9', cause: 'unequalLengths', sigma: 0.9 },
  { name: 'LoRAPP, a stage 1.1 times as slow', cause: 'unequalStages', slowness: [1, 1.1, 1, 1] },
  { name: 'LoRAPP, a stage twice as slow', cause: 'unequalStages', slowness: [1, 2, 1, 1] },
  { name: 'LoRAPP, memory for two microbatches', cause: 'memoryCap', memoryBytes: 2 },
  { name: 'LoRAPP, memory for three microbatches', cause: 'memoryCap', memoryBytes: 3 },
];

const DEVICES = 4;
const MICROBATCHES = 4;
const ITERATIONS = 20;

const tokensOf = ({ parts }: MicrobatchShape): number => parts.reduce((sum, { tokens }) => sum + tokens, 0);

/** A nanosecond a token forward, two backward. */
const costOf = ({ slowness = [], transferNs = 0 }: Case): CostModel => ({
  ...constantCost({ forwardNs: 0, backwardNs: 0, stepNs: 10, transferNs, activationBytes: 1 }),
  forward: (stage, shape) => ({ deviceNs: tokensOf(shape) * (slowness[stage] ?? 1), launchNs: 0 }),
  backward: (stage, shape) => ({ deviceNs: 2 * tokensOf(shape) * (slowness[stage] ?? 1), launchNs: 0 }),
});

const requestOf = (each: Case): PlanRequest => {
  const adapters = each.type === '1f1b' ? 1 : 4;
  const cluster = constantCluster(DEVICES, each.memoryBytes === undefined ? {} : { memoryBytes: each.memoryBytes });
  const tokens = drawTokens(each.sigma ?? 0, 1);
  return {
    workload: {
      adapters: Array.from({ length: adapters }, (_, adapter) => ({
        name: `adapter-${adapter}`,
        iterations: ITERATIONS,
        microbatches: MICROBATCHES,
        arrivalNs: 0,
        priority: 0,
        part: (iteration, index) => ({ rows: 1, tokens: tokens(adapter, iteration, index), squaredTokens: 0 }),
      })),
    },
    schedule: each.type === '1f1b' ? makeSchedule({ type: '1f1b', microbatches: MICROBATCHES }) : makeSchedule({ type: 'lorapp', microbatches: MICROBATCHES, groups: adapters }),
    cluster,
    stages: cluster.devices.map((_, device) => ({ device, firstLayer: device, endLayer: device + 1 })),
    cost: costOf(each),
  };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const lineOf = (each: Case): string[] => {
  const request = requestOf(each);
  const plan = planSchedule(request);
  if (E.isLeft(plan)) throw new Error(formatPlanError(plan.left));
  const trace = simulate(plan.right, request.cost, request.cluster);
  if (E.isLeft(trace)) throw new Error('deadlock');
  const { total } = splitIdle(trace.right);
  const [change] = whatIf({ plan: plan.right, cost: request.cost, cluster: request.cluster, request }).filter(({ causes }) => causes.includes(each.cause));
  const wholeNs = makespanNs(trace.right);
  const share = (ns: number): string => percent(ns / (DEVICES * wholeNs));
  return [
    each.name,
    share(total.idleNs),
    share(total.byCause[each.cause]),
    typeof change?.makespanNs === 'number' ? percent(1 - change.makespanNs / wholeNs) : '–',
    CAUSE_LABELS[each.cause],
  ];
};

export const benchIdleCauses = (): void => {
  console.log('Idle time charged to a cause, and what the makespan loses without it (D = N = 4, 20 iterations)');
  console.log(formatTable([['', 'idle', 'charged', 'gain without', 'cause'], ...CASES.map(lineOf)]));
};
