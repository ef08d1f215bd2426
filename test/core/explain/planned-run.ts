import * as E from 'fp-ts/lib/Either.js';
import { noTimes, type CauseTimes, type IdleCause } from '../../../core/explain/cause.ts';
import type { CostModel } from '../../../core/cost-model.ts';
import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import type { MicrobatchShape } from '../../../core/plan/plan.ts';
import { planSchedule, type PlanRequest } from '../../../core/planners/plan-schedule.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { constantCluster, constantCost, type ConstantCosts } from '../../../sim/constant-cost.ts';
import { simulate } from '../../../sim/engine/simulate.ts';

/** A made-up run; forwards take 100 ns a token, backwards 200. */
export interface Setting {
  readonly devices: number;
  readonly microbatches: number;
  readonly adapters?: number;
  readonly iterations?: number;
  readonly type?: 'gpipe' | '1f1b' | 'lorapp';
  readonly costs?: Partial<ConstantCosts>;
  readonly memoryBytes?: number;
  /** How many times slower each stage is; absent: all alike. */
  readonly slowness?: readonly number[];
  readonly tokens?: (adapter: number, iteration: number, index: number) => number;
  readonly arrivalsNs?: readonly number[];
}

const tokensIn = ({ parts }: MicrobatchShape): number => parts.reduce((sum, { tokens }) => sum + tokens, 0);

const costOf = ({ costs = {}, slowness = [] }: Setting): CostModel => {
  const base = constantCost({ forwardNs: 100, backwardNs: 200, ...costs });
  const scaled = (pass: CostModel['forward']): CostModel['forward'] => (stage, shape) => {
    const { deviceNs, ...launches } = pass(stage, shape);
    return { ...launches, deviceNs: deviceNs * (slowness[stage] ?? 1) * tokensIn(shape) };
  };
  return { ...base, forward: scaled(base.forward), backward: scaled(base.backward) };
};

export const requestOf = (setting: Setting): PlanRequest => {
  const { devices, microbatches, adapters = 1, iterations = 1, type = '1f1b', tokens = () => 1, arrivalsNs = [] } = setting;
  const cluster = constantCluster(devices, setting.memoryBytes === undefined ? {} : { memoryBytes: setting.memoryBytes });
  return {
    workload: {
      adapters: Array.from({ length: adapters }, (_, adapter) => ({
        name: `adapter${adapter}`,
        iterations,
        microbatches,
        arrivalNs: arrivalsNs[adapter] ?? 0,
        priority: 0,
        part: (iteration, index) => ({ rows: 1, tokens: tokens(adapter, iteration, index), squaredTokens: 1 }),
      })),
    },
    schedule: type === 'lorapp' ? makeSchedule({ type, microbatches, groups: adapters }) : makeSchedule({ type, microbatches }),
    cluster,
    stages: cluster.devices.map((_, device) => ({ device, firstLayer: device, endLayer: device + 1 })),
    cost: costOf(setting),
  };
};

/** Plans and simulates what must fit. */
export const runSetting = (setting: Setting): Trace => {
  const request = requestOf(setting);
  const plan = planSchedule(request);
  if (E.isLeft(plan)) throw new Error(JSON.stringify(plan.left));
  const trace = simulate(plan.right, request.cost, request.cluster);
  if (E.isLeft(trace)) throw new Error(JSON.stringify(trace.left));
  return trace.right;
};

/** Times by cause, all others 0. */
export const only = (times: Partial<Record<IdleCause, number>>): CauseTimes => ({ ...noTimes(), ...times });
