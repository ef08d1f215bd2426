import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../core/cluster/cluster.ts';
import type { CostModel } from '../core/cost-model.ts';
import type { Plan } from '../core/plan/plan.ts';
import { reservedBytes } from '../core/plan/reserved-memory.ts';
import { summarize, type TraceSummary } from '../core/trace/summary.ts';
import type { Trace } from '../core/trace/trace.ts';
import { formatBytes } from '../core/units.ts';
import { formatDeadlock } from '../sim/engine/deadlock.ts';
import { simulate } from '../sim/engine/simulate.ts';
import type { Failure } from './failure.ts';

export interface Simulation {
  readonly trace: Trace;
  readonly summary: TraceSummary;
  /** Time the simulation itself took. */
  readonly wallSeconds: number;
}

/** Simulates a plan; a deadlock is a failure, memory that does not suffice a result with a verdict. */
export const runSimulation = (plan: Plan, cost: CostModel, cluster: Cluster): E.Either<Failure, Simulation> => {
  const started = performance.now();
  const trace = simulate(plan, cost, cluster);
  if (E.isLeft(trace)) return E.left({ kind: 'deadlock', message: formatDeadlock(trace.left) });
  const wallSeconds = (performance.now() - started) / 1000;
  const reserved = plan.devices.map((_, device) => reservedBytes(plan, cost, device, cluster.devices[device]!.gpu.memoryBytes));
  return E.right({ trace: trace.right, summary: summarize(trace.right, reserved), wallSeconds });
};

/** The failure that a trace's out-of-memory verdict is, or null. */
export const memoryFailure = ({ outOfMemory, devices }: Trace): Failure | null => {
  if (outOfMemory === null) return null;
  const { device, memoryClass, missingBytes, op } = outOfMemory;
  return {
    kind: 'outOfMemory',
    message: `out of memory: ${devices[device]!.name} lacks ${formatBytes(missingBytes)} for ${memoryClass} at ${op}`,
  };
};
