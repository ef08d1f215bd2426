import * as E from 'fp-ts/lib/Either.js';
import { resolveExperiment } from '../../../core/experiment/read.ts';
import { createGrouper, type Grouper, type GroupingOptions } from '../../../core/scheduler/grouping.ts';
import type { SchedulerOptions } from '../../../core/scheduler/scheduler.ts';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { NS_PER_S } from '../../../core/units.ts';
import type { ArrivingJob } from '../../../sim/cluster/cluster-run.ts';
import { pipelineModel, type PipelineModel } from '../../../sim/cluster/pipeline-model.ts';

const unasked = (): never => {
  throw new Error('lengths are drawn, not read');
};

/** TinyLlama on four A6000, and two kinds of jobs. */
export const smallModel = (): PipelineModel => {
  const file = {
    name: 'small',
    model: 'TinyLlama-1.1B',
    cluster: '4xA6000-pcie',
    schedule: { type: 'lorapp', microbatches: 4 },
    defaults: { adapter: { rank: 16 }, batchSize: 8, iterations: 100, data: { lengths: { type: 'fixed', length: 512 }, rows: 800 } },
    jobs: [{ name: 'usual' }, { name: 'short', data: { lengths: { type: 'fixed', length: 256 } } }],
  };
  const read = resolveExperiment(file, { readModelConfig: unasked });
  if (E.isLeft(read)) throw new Error(JSON.stringify(read.left));
  return pipelineModel(read.right, { rowCount: unasked, part: unasked, heldout: unasked });
};

export const grouperOf = (model: PipelineModel, options: Partial<GroupingOptions> = {}): Grouper =>
  createGrouper({ predict: model.predict, mostGroups: 8, microbatches: [1, 2, 4], leastGain: 0, ...options });

export const schedulerOf = (model: PipelineModel, options: Partial<SchedulerOptions> = {}): SchedulerOptions => ({
  policy: preemptivePriority,
  budgetBytes: [model.budgetBytes],
  slots: 4,
  ...options,
});

/** Jobs of both kinds in turn, `everySeconds` apart, every third of high priority. */
export const mixedArrivals = (model: PipelineModel, count: number, everySeconds: number, iterations: number): ArrivingJob[] =>
  Array.from({ length: count }, (_, index) => ({
    timeNs: index * everySeconds * NS_PER_S,
    job: model.spec(index % 2, { id: `job-${index}`, priority: index % 3 === 2 ? 1 : 0, iterations: iterations + (37 * index) % 50 }),
  }));
