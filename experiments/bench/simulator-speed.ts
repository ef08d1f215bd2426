import * as E from 'fp-ts/lib/Either.js';
import { CLUSTER_PRESETS } from '../../core/cluster/presets.ts';
import { buildCluster } from '../../core/cluster/topology.ts';
import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import type { Adapter } from '../../core/job.ts';
import { MODEL_PRESETS } from '../../core/model/presets.ts';
import { countOps } from '../../core/plan/plan.ts';
import { planSchedule, type PlanRequest } from '../../core/planners/plan-schedule.ts';
import { summarize } from '../../core/trace/summary.ts';
import { MEGA } from '../../core/units.ts';
import { analyticCost } from '../../sim/analytic-cost.ts';
import { simulate } from '../../sim/engine/simulate.ts';

/** The paper's run: 10 epochs of GSM8K at batch size 8 are 9,341 iterations (arXiv 2312.02515, section 5). */
const ITERATIONS = 9341;
const ADAPTERS = 4;
const MICROBATCHES = 4;
const ROWS = 2;
const LENGTH = 512;

const ADAPTER: Adapter = {
  type: 'lora',
  rank: 16,
  alpha: 32,
  dropout: 0,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
};

/** Plans and simulates the paper's whole 7B run on four A6000 and prints how many ops a second the simulator does. */
export const benchSimulatorSpeed = (): void => {
  const request = requestOf(ITERATIONS);
  const planned = timed(() => orThrow(planSchedule(request)));
  const simulated = timed(() => orThrow(simulate(planned.value, request.cost, request.cluster)));
  const summarized = timed(() => summarize(simulated.value));
  const opCount = countOps(planned.value);
  const { spans, memory } = simulated.value;
  console.log(`simulator speed: ${ITERATIONS} iterations x ${ADAPTERS} adapters x 4 stages x ${MICROBATCHES} microbatches`);
  console.log(`  plan      ${planned.seconds.toFixed(2)} s, ${opCount} ops`);
  console.log(`  simulate  ${simulated.seconds.toFixed(2)} s, ${(opCount / simulated.seconds / MEGA).toFixed(2)} million ops/s`);
  console.log(`  trace     ${spans.length} spans, ${memory.length} memory changes, summarized in ${summarized.seconds.toFixed(2)} s`);
  console.log(`  predicts  ${summarized.value.tokensPerSecond.toFixed(0)} tokens/s; the paper measured 2364`);
};

const requestOf = (iterations: number): PlanRequest => {
  const model = MODEL_PRESETS.get('Llama-2-7B')!;
  const cluster = orThrow(buildCluster(CLUSTER_PRESETS.get('4xA6000-pcie')!));
  const adapters = Array.from({ length: ADAPTERS }, () => ADAPTER);
  const size = { rows: ROWS, tokens: ROWS * LENGTH, squaredTokens: ROWS * LENGTH * LENGTH };
  const layers = model.layerCount / cluster.devices.length;
  const stages = cluster.devices.map((_, device) => ({
    device,
    firstLayer: device * layers,
    endLayer: (device + 1) * layers,
  }));
  return {
    workload: {
      adapters: adapters.map((_, adapter) => ({
        name: `adapter${adapter}`,
        iterations,
        microbatches: MICROBATCHES,
        arrivalNs: 0,
        priority: 0,
        part: () => size,
      })),
    },
    schedule: makeSchedule({ type: 'lorapp', microbatches: MICROBATCHES, extraInFlight: 0 }),
    cluster,
    stages,
    cost: analyticCost({ model, adapters, precision: 'fp32', stages, cluster }),
  };
};

const timed = <T>(work: () => T): { readonly value: T; readonly seconds: number } => {
  const start = performance.now();
  const value = work();
  return { value, seconds: (performance.now() - start) / 1000 };
};

const orThrow = <T>(result: E.Either<unknown, T>): T => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};
