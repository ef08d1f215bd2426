import type { Experiment } from '../../core/experiment/experiment.ts';
import { createTrainJob } from './train-job.ts';
import { sizesOf, type OpenExperiment } from './open-experiment.ts';

/**
 * An open experiment under other settings, with the rows it has read already: other adapters, durations, batch sizes or
 * schedule, fewer jobs. Throws if a job of `experiment` is not one of `open` by name.
 */
export const changeExperiment = (open: OpenExperiment, experiment: Experiment): OpenExperiment => {
  if (open.trainJobs === null) return { ...open, experiment };
  const rowsOf = new Map(open.trainJobs.map(({ job, rows }) => [job.name, rows]));
  const trainJobs = experiment.jobs.map((job) => {
    const rows = rowsOf.get(job.name);
    if (rows === undefined) throw new RangeError(`no rows were read for job ${job.name}`);
    return createTrainJob(job, rows, experiment.schedule.microbatches);
  });
  return { ...open, experiment, trainJobs, files: sizesOf(trainJobs) };
};
