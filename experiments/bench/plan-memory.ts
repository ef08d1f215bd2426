import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import * as E from 'fp-ts/lib/Either.js';
import { countOps } from '../../core/plan/plan.ts';
import { planSchedule } from '../../core/planners/plan-schedule.ts';
import { GIGA } from '../../core/units.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { UNIT_PART } from './steady-state.ts';

/** Memory of a process that holds a plan of ten million ops. */

const ITERATIONS = 30_000;

export const benchPlanMemory = (): void => {
  const cluster = constantCluster(4);
  const started = performance.now();
  const plan = planSchedule({
    workload: {
      adapters: Array.from({ length: 4 }, (_, adapter) => ({
        name: `adapter-${adapter}`,
        iterations: ITERATIONS,
        microbatches: 4,
        arrivalNs: 0,
        priority: 0,
        part: () => UNIT_PART,
      })),
    },
    schedule: makeSchedule({ type: 'lorapp', microbatches: 4 }),
    cluster,
    stages: cluster.devices.map((_, device) => ({ device, firstLayer: device, endLayer: device + 1 })),
    cost: constantCost({ forwardNs: 100, backwardNs: 100 }),
  });
  if (E.isLeft(plan)) throw new Error('does not fit');
  const ops = countOps(plan.right);
  const seconds = (performance.now() - started) / 1000;
  const columns = plan.right.programs.reduce((sum, { length }) => sum + length * 11, 0);
  console.log(`plan of ${ops} ops in ${seconds.toFixed(1)} s: ${(ops / seconds / 1e6).toFixed(2)} million ops/s`);
  console.log(`programs ${(columns / GIGA).toFixed(3)} GB; peak resident memory of the process ${(process.resourceUsage().maxRSS / 1e6).toFixed(2)} GB`);
};
