/**
 * What a run would take if one cause of idle time did not exist, found by planning and running it again without it.
 *
 * A plan by itself keeps its programs: only costs and links can change under it. Memory, steps, arrivals and the ends of
 * the run need other plans, so they are answered only where it is known what the plan was made from.
 */
import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../core/cluster/cluster.ts';
import type { CostModel } from '../core/cost-model.ts';
import type { IdleCause } from '../core/explain/cause.ts';
import { unexplainedCause } from '../core/explain/delays.ts';
import type { Plan } from '../core/plan/plan.ts';
import { planSchedule, type PlanRequest } from '../core/planners/plan-schedule.ts';
import { makespanNs } from '../core/trace/metrics.ts';
import type { Trace } from '../core/trace/trace.ts';
import { bytes, nanoseconds } from '../core/units.ts';
import { firstIterationOf, type AdapterWorkload } from '../core/workload.ts';
import { equalLengths, equalStages, freeTransfers, noLaunches } from './changed-cost.ts';
import { simulate } from './engine/simulate.ts';
import { repeatTrace } from './repeat-trace.ts';

/** A run that can be repeated: its plan, prices and cluster, and what the plan was made from where that is known. */
export interface Repeatable {
  readonly plan: Plan;
  readonly cost: CostModel;
  readonly cluster: Cluster;
  readonly request: PlanRequest | null;
}

/** What a run takes as it is, and without each cause that it can be repeated without. */
export interface WhatIfs {
  readonly makespanNs: number;
  readonly changes: readonly WhatIf[];
}

/** A run without one of its causes. */
export interface WhatIf {
  readonly causes: readonly IdleCause[];
  /** What was changed, for people. */
  readonly change: string;
  /** null where nothing can be said: the changed plan does not fit into memory. */
  readonly makespanNs: number | null;
}

interface Change<T> {
  readonly causes: readonly IdleCause[];
  readonly change: string;
  readonly of: (run: T) => T;
}

type Priced = Pick<Repeatable, 'plan' | 'cost' | 'cluster'>;

/** Changes of costs and links. */
const PRICES: readonly Change<Priced>[] = [
  {
    causes: ['communication'],
    change: 'free transfers',
    of: (run) => ({ ...run, cost: freeTransfers(run.cost), cluster: withoutLatency(run.cluster) }),
  },
  { causes: ['unequalLengths'], change: 'every microbatch of mean cost', of: (run) => ({ ...run, cost: equalLengths(run.cost, run.plan) }) },
  { causes: ['unequalStages'], change: 'every stage of mean cost', of: (run) => ({ ...run, cost: equalStages(run.cost, run.plan.stages.length) }) },
  { causes: ['launches'], change: 'launches that take no time', of: (run) => ({ ...run, cost: noLaunches(run.cost) }) },
];

/** Changes of what is planned. */
const PLANS: readonly Change<PlanRequest>[] = [
  { causes: ['memoryCap'], change: 'memory without end', of: (request) => ({ ...request, cluster: withMemory(request.cluster) }) },
  { causes: ['ownStep', 'otherStep'], change: 'no iteration waits for a step', of: (request) => withJobs(request, withoutSteps) },
  { causes: ['noWork'], change: 'all jobs there from the start', of: (request) => withJobs(request, (job) => ({ ...job, arrivalNs: 0 })) },
];

/** Every cause that a run can be repeated without; plans are made anew where it is known what they are made from. */
export const whatIf = (run: Repeatable): WhatIf[] => {
  const { request } = run;
  const priced = PRICES.map(({ causes, change, of }): WhatIf => {
    const { plan, cost, cluster } = of(run);
    return { causes, change, makespanNs: request === null ? replayed(plan, cost, cluster) : planned({ ...request, cost, cluster }) };
  });
  if (request === null) return priced;
  return [
    ...priced,
    ...PLANS.map(({ causes, change, of }): WhatIf => ({ causes, change, makespanNs: planned(of(request)) })),
    { causes: ['fillDrain'], change: 'what as many iterations again would add', makespanNs: withoutEnds(request) },
  ];
};

/** The same for a run that only its trace is left of; disturbances are a cause more. */
export const whatIfTrace = (trace: Trace): WhatIfs => {
  const { asItRan, undisturbed } = repeatTrace(trace);
  const without = replayed(undisturbed.plan, undisturbed.cost, undisturbed.cluster);
  const changes = whatIf(asItRan).filter(({ causes }) => !causes.includes('launches'));
  return {
    makespanNs: replayed(asItRan.plan, asItRan.cost, asItRan.cluster) ?? makespanNs(trace),
    changes: [...changes, { causes: [unexplainedCause(trace)], change: 'no gaps between ops, usual times', makespanNs: without }],
  };
};

const replayed = (plan: Plan, cost: CostModel, cluster: Cluster): number | null => {
  const trace = simulate(plan, cost, cluster);
  return E.isLeft(trace) ? null : makespanNs(trace.right);
};

const planned = (request: PlanRequest): number | null => {
  const plan = planSchedule(request);
  return E.isLeft(plan) ? null : replayed(plan.right, request.cost, request.cluster);
};

const withoutLatency = (cluster: Cluster): Cluster => ({
  ...cluster,
  links: cluster.links.map((link) => ({ ...link, latencyNs: nanoseconds(0) })),
});

const withMemory = (cluster: Cluster): Cluster => ({
  ...cluster,
  devices: cluster.devices.map((device) => ({ ...device, gpu: { ...device.gpu, memoryBytes: bytes(Infinity) } })),
});

const withJobs = (request: PlanRequest, change: (job: AdapterWorkload) => AdapterWorkload): PlanRequest => ({
  ...request,
  workload: { adapters: request.workload.adapters.map(change) },
});

const iterationsLeft = (job: AdapterWorkload): number => Math.max(0, job.iterations - firstIterationOf(job));

/** One iteration of all microbatches of the job: the pipeline never empties for a step before the job's end. */
const withoutSteps = (job: AdapterWorkload): AdapterWorkload => {
  const first = firstIterationOf(job);
  return {
    ...job,
    iterations: Math.min(1, iterationsLeft(job)),
    firstIteration: 0,
    microbatches: iterationsLeft(job) * job.microbatches,
    part: (_iteration, index) => job.part(first + Math.floor(index / job.microbatches), index % job.microbatches),
  };
};

/** The job with its iterations made twice. */
const twice = (job: AdapterWorkload): AdapterWorkload => {
  const [first, count] = [firstIterationOf(job), iterationsLeft(job)];
  return {
    ...job,
    iterations: first + 2 * count,
    part: (iteration, index) => job.part(first + ((iteration - first) % count), index),
  };
};

/** Start and end of the run cancel out between a run and one of twice its length. */
const withoutEnds = (request: PlanRequest): number | null => {
  const [once, again] = [planned(request), planned(withJobs(request, twice))];
  return once === null || again === null ? null : again - once;
};
