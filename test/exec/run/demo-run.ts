import * as E from 'fp-ts/lib/Either.js';
import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import type { BarrierSchedule, LorappSchedule, Schedule } from '../../../core/experiment/schedule.ts';
import type { Job } from '../../../core/job.ts';
import type { Plan, StagePlacement } from '../../../core/plan/plan.ts';
import { planEvaluation } from '../../../core/planners/evaluation.ts';
import { planSchedule } from '../../../core/planners/plan-schedule.ts';
import { readJobRows, type JobRows } from '../../../exec/data/job-rows.ts';
import { buildRowTable, rowAt } from '../../../exec/data/row-table.ts';
import type { TrainOptions } from '../../../exec/run/train-options.ts';
import { createTrainJob, evaluationWorkload, remainingWorkload, type TrainJob } from '../../../exec/run/train-job.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { demoModel, MODEL_FOLDER } from '../demo.ts';

/** What a test changes of LoRAPP with two microbatches, or another schedule instead. */
export type DemoSchedule = Partial<LorappSchedule> | ({ readonly type: BarrierSchedule['type'] } & Partial<BarrierSchedule>);

const scheduleOf = (changes: DemoSchedule): Schedule =>
  changes.type === undefined || changes.type === 'lorapp'
    ? makeSchedule({ microbatches: 2, extraInFlight: 0, ...changes, type: 'lorapp' })
    : makeSchedule({ microbatches: 2, ...changes });

const COST = constantCost({ forwardNs: 1000, backwardNs: 1200, stepNs: 100 });

/** The demo's four layers cut into equal stages, one per device. */
export const evenStages = (count: number): readonly StagePlacement[] =>
  Array.from({ length: count }, (_, device) => ({ device, firstLayer: (device * 4) / count, endLayer: ((device + 1) * 4) / count }));

/** Held-out rows that tests evaluate: a few show as much as the demo's 64, which would take longer than training. */
const HELDOUT_ROWS = 6;

const withFewHeldout = ({ training, heldout }: JobRows): JobRows => ({
  training,
  heldout: heldout === null ? null : buildRowTable(Array.from({ length: HELDOUT_ROWS }, (_, index) => rowAt(heldout, index))),
});

/** Trains a table of jobs on the shipped model with its own tokenizer. */
export const demoTrainJobs = async (jobs: readonly Job[], schedule: DemoSchedule = {}): Promise<readonly TrainJob[]> => {
  const rows = await readJobRows({ jobs, model: demoModel(), modelFolder: MODEL_FOLDER, dataFolder: '/' });
  if (E.isLeft(rows)) throw new Error('the shipped data is broken');
  return jobs.map((job, i) => createTrainJob(job, withFewHeldout(rows.right[i]!), scheduleOf(schedule).microbatches));
};

export const planDemo = (
  jobs: readonly TrainJob[],
  deviceCount: number,
  schedule: DemoSchedule = {},
  firstIterations: readonly number[] = jobs.map(() => 0),
): Plan => {
  const plan = planSchedule({
    workload: remainingWorkload(jobs, firstIterations),
    schedule: scheduleOf(schedule),
    cluster: constantCluster(deviceCount),
    stages: evenStages(deviceCount),
    cost: COST,
  });
  if (E.isLeft(plan)) throw new Error(`the plan does not fit: ${JSON.stringify(plan.left)}`);
  return plan.right;
};

/** Everything `train` needs for some jobs on the shipped model, all in this process unless changed. */
export const demoOptions = async (
  jobs: readonly Job[],
  deviceCount: number,
  changes: Partial<TrainOptions> & { readonly schedule?: DemoSchedule } = {},
): Promise<TrainOptions> => {
  const { schedule, ...rest } = changes;
  const trainJobs = await demoTrainJobs(jobs, schedule);
  const plan = planDemo(trainJobs, deviceCount, schedule);
  return {
    plan,
    planFrom: (firstIterations) => planDemo(trainJobs, deviceCount, schedule, firstIterations),
    evaluation: planEvaluation(plan, evaluationWorkload(trainJobs), COST),
    jobs: trainJobs,
    model: demoModel(),
    modelFolder: MODEL_FOLDER,
    backend: 'wasm',
    outputFolder: null,
    ranks: 'tasks',
    capacityBytes: plan.devices.map(() => 2 ** 33),
    onProgress: () => undefined,
    ...rest,
  };
};
