/**
 * The same scheduler drives one pipeline op by op: its decisions change the LoRAPP plan while it is extended from round
 * end to round end, and the plan is then simulated. The measure of what fast-forwarding leaves out.
 */
import * as E from 'fp-ts/lib/Either.js';
import type { CostModel } from '../../core/cost-model.ts';
import { lowerTransfers } from '../../core/plan/lower-transfers.ts';
import { KIND } from '../../core/plan/op.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { extendToRoundEnd } from '../../core/planners/lorapp.ts';
import { joinLorapp, leaveLorapp, regroupLorapp, type ChangingPlan } from '../../core/planners/lorapp-changes.ts';
import { startLorapp, type LorappProblem } from '../../core/planners/lorapp-state.ts';
import { createPlanWriter } from '../../core/planners/plan-writer.ts';
import type { Decision, SchedulerEvent } from '../../core/scheduler/events.ts';
import type { Grouper } from '../../core/scheduler/grouping.ts';
import { createScheduler, type SchedulerOptions } from '../../core/scheduler/scheduler.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { simulate } from '../engine/simulate.ts';
import { costByKind } from '../../core/planners/cost-by-kind.ts';
import { openRecords, type ArrivingJob, type JobRecord } from './cluster-run.ts';
import type { PipelineModel } from './pipeline-model.ts';

export interface OpByOpOptions {
  readonly model: PipelineModel;
  readonly scheduler: SchedulerOptions;
  readonly grouper: Grouper;
  readonly arrivals: readonly ArrivingJob[];
}

export interface OpByOpRun {
  readonly plan: Plan;
  readonly trace: Trace;
  /** Ends are those of the trace. */
  readonly jobs: readonly JobRecord[];
}

/** A stay of a job on the pipeline: an adapter of the plan. */
interface Stay {
  readonly job: string;
  readonly adapter: number;
}

export const runOpByOp = ({ model, grouper, arrivals: coming, ...options }: OpByOpOptions): OpByOpRun => {
  const scheduler = createScheduler({ ...options.scheduler, group: grouper.group });
  const arrivals = [...coming].sort((a, b) => a.timeNs - b.timeNs);
  const records = openRecords(arrivals);
  const kinds: number[] = [];
  const cost = costByKind(model.times.cost, (adapter) => kinds[adapter]!);
  const problem = problemOf(model, cost);
  const writer = createPlanWriter(problem.workload, model.experiment.cluster.devices.map(({ name }) => name), model.stages);
  const plan: ChangingPlan = { problem, writer };
  let state = startLorapp(problem);
  const stays = new Map<string, Stay>();
  /** Adapters that leave, and after how many iterations. */
  const leaving = new Map<number, number>();
  const jobOf: string[] = [];

  const obey = (decision: Decision, nowNs: number): void => {
    switch (decision.kind) {
      case 'admit':
      case 'resume': {
        const record = records.get(decision.job)!;
        record.startNs ??= nowNs;
        const kind = model.kindOf(record.spec);
        kinds.push(kind);
        const firstIteration = decision.kind === 'resume' ? decision.iteration : 0;
        const adapter = joinLorapp(plan, state, { ...model.workload(kind, 1), name: `${decision.job}.${jobOf.length}`, iterations: record.spec.iterations, firstIteration, arrivalNs: nowNs });
        jobOf[adapter] = decision.job;
        stays.set(decision.job, { job: decision.job, adapter });
        return;
      }
      case 'preempt':
      case 'stop': {
        const { adapter } = stays.get(decision.job)!;
        if (decision.kind === 'preempt') records.get(decision.job)!.preemptions += 1;
        leaving.set(adapter, leaveLorapp(plan, state, adapter));
        return;
      }
      case 'group': {
        for (const { jobs, microbatches } of decision.groups) for (const job of jobs) cut(stays.get(job)!.adapter, microbatches);
        return regroupLorapp(plan, state, decision.groups.map(({ jobs }) => jobs.map((job) => stays.get(job)!.adapter)), nowNs);
      }
      case 'finish':
        Object.assign(records.get(decision.job)!, { outcome: decision.outcome, iterations: decision.iteration });
        return;
      case 'refuse':
        records.get(decision.job)!.outcome = 'refused';
        return;
    }
  };
  const cut = (adapter: number, microbatches: number): void => {
    const { part } = model.workload(kinds[adapter]!, microbatches);
    problem.workload.adapters[adapter] = { ...problem.workload.adapters[adapter]!, microbatches, part };
  };
  const handle = (event: SchedulerEvent): void => scheduler.handle(event).forEach((decision) => obey(decision, event.timeNs));
  /** Jobs that were told to leave before they began another iteration are gone at once. */
  const reportGone = (nowNs: number): void => {
    for (const [adapter, iterations] of leaving) {
      if (state.nextIterations[adapter]! < iterations) continue;
      leaving.delete(adapter);
      handle({ kind: 'left', timeNs: nowNs, job: jobOf[adapter]!, iteration: iterations });
    }
  };

  let arrived = 0;
  for (;;) {
    const horizonNs = arrivals[arrived]?.timeNs ?? Infinity;
    state = extendToRoundEnd(problem, state, writer, horizonNs);
    const { ended } = state;
    if (ended === null && horizonNs === Infinity) break;
    const nowNs = ended?.endNs ?? horizonNs;
    for (const { adapter, iteration } of ended?.turns ?? []) {
      if (leaving.get(adapter) !== iteration + 1) handle({ kind: 'iterationFinished', timeNs: nowNs, job: jobOf[adapter]!, iteration: iteration + 1 });
    }
    if (ended === null) handle({ kind: 'submitted', timeNs: nowNs, job: arrivals[arrived++]!.job });
    reportGone(nowNs);
  }
  const whole = lowerTransfers(writer.build('lorapp'), cost, problem.transferNs);
  const trace = simulate(whole, cost, model.experiment.cluster);
  if (E.isLeft(trace)) throw new Error('the plan deadlocks');
  noteEnds(trace.right, jobOf, records);
  return { plan: whole, trace: trace.right, jobs: [...records.values()] };
};

const problemOf = ({ times, budgetBytes }: PipelineModel, cost: CostModel): ChangingPlan['problem'] & LorappProblem => ({
  workload: { adapters: [] },
  groups: [],
  deviceOfStage: times.deviceOfStage,
  cost,
  transferNs: times.transferNs,
  memoryBudgets: budgetBytes,
  order: '1f1b',
  release: 'staggered',
  extraInFlight: 'auto',
});

/** A job has ended with its last step on the first stage. */
const noteEnds = ({ spans }: Trace, jobOf: readonly string[], records: ReadonlyMap<string, JobRecord>): void => {
  for (let row = 0; row < spans.length; row++) {
    if (spans.kind[row] !== KIND.step || spans.stage[row] !== 0) continue;
    const record = records.get(jobOf[spans.operand[row]!]!)!;
    record.endNs = Math.max(record.endNs ?? 0, spans.endNs[row]!);
  }
};
