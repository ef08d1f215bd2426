/** Checks that need more than one part of an experiment. */
import type { Cluster } from '../cluster/cluster.ts';
import { GPU_PRESETS } from '../cluster/gpus.ts';
import type { Job } from '../job.ts';
import { linearShape, type Model } from '../model/model.ts';
import { problem, show, type Problem } from '../problem.ts';
import type { Experiment, Schedule } from './experiment.ts';

/** A job that could be read, and its place in the file. */
export interface PlacedJob {
  readonly index: number;
  readonly job: Job;
}

const checkRank = ({ index, job }: PlacedJob, model: Model): Problem[] => {
  const { type, rank, targetModules } = job.adapter;
  // VeRA's rank costs no parameters, and PEFT's default is wider than many modules.
  if (type === 'vera') return [];
  return targetModules.flatMap((module) => {
    const { inputSize, outputSize } = linearShape(model, module);
    if (rank <= Math.min(inputSize, outputSize)) return [];
    const matrix = `the smaller side of ${module} (${outputSize} × ${inputSize})`;
    return [problem(`jobs[${index}].adapter.rank`, `is ${rank}; expected at most ${matrix}`)];
  });
};

/** Longest row that may occur, and the key that sets it. */
const longestRow = ({ data }: Job): readonly [key: string, length: number] => {
  if (data.kind === 'files') return ['maximumLength', data.maximumLength];
  return data.lengths.type === 'fixed'
    ? ['lengths.length', data.lengths.length]
    : ['lengths.maximum', data.lengths.maximum];
};

const checkLength = ({ index, job }: PlacedJob, model: Model): Problem[] => {
  const [key, length] = longestRow(job);
  if (length <= model.maxPositions) return [];
  return [
    problem(`jobs[${index}].data.${key}`, `is ${length}; expected at most the model's ${model.maxPositions} positions`),
  ];
};

const checkEvaluation = ({ index, job: { evaluate, data } }: PlacedJob): Problem[] => {
  if (evaluate === null || (data.kind === 'files' && (data.heldout !== null || data.split > 0))) return [];
  return [problem(`jobs[${index}].evaluate`, 'has no held-out rows to evaluate; expected data.heldout or data.split')];
};

/** Whether the model can carry the job's adapter and rows, and whether there are rows to evaluate. */
export const checkJob = (placed: PlacedJob, model: Model): Problem[] => [
  ...checkEvaluation(placed),
  ...checkRank(placed, model),
  ...checkLength(placed, model),
];

/** Names become folders, and some file systems do not tell capitals apart. */
export const checkNames = (jobs: readonly PlacedJob[]): Problem[] =>
  jobs.flatMap(({ index, job }, position) => {
    const earlier = jobs.slice(0, position).find((other) => other.job.name.toLowerCase() === job.name.toLowerCase());
    if (earlier === undefined) return [];
    return [problem(`jobs[${index}].name`, `is ${show(job.name)}, the name of jobs[${earlier.index}]`)];
  });

/** Whether every mini-batch can be split, and every BatchLoRA group can have a job. */
export const checkSchedule = (schedule: Schedule, jobs: readonly PlacedJob[], jobCount: number): Problem[] => {
  const { microbatches, groups } = schedule;
  const small = jobs
    .filter(({ job }) => job.batchSize < microbatches)
    .map(({ index, job }) =>
      problem(
        `jobs[${index}].batchSize`,
        `is ${job.batchSize}; expected at least schedule.microbatches, ${microbatches}`,
      ),
    );
  if (groups === 'auto' || groups <= jobCount) return small;
  return [...small, problem('schedule.groups', `is ${groups}; expected at most the number of jobs, ${jobCount}`)];
};

/** A stage has at least one layer. */
export const checkStages = (cluster: Cluster, model: Model): Problem[] => {
  const count = cluster.devices.length;
  if (count <= model.layerCount) return [];
  return [
    problem('cluster', `has ${count} devices; expected at most ${model.layerCount}, one for each layer of the model`),
  ];
};

const EXECUTOR_KERNELS = { baseWeights: 'full', attention: 'scores', elementwise: 'auto' } as const;

/** TensorFlow.js on a CPU core runs this project's own kernels, which leave no choice. */
export const checkKernels = (chosen: Pick<Experiment, keyof typeof EXECUTOR_KERNELS>, cluster: Cluster): Problem[] => {
  const cpu = GPU_PRESETS.get('cpu-wasm')!.name;
  if (cluster.devices.every(({ gpu }) => gpu.name !== cpu)) return [];
  return Object.entries(EXECUTOR_KERNELS)
    .filter(([key, only]) => chosen[key as keyof typeof EXECUTOR_KERNELS] !== only)
    .map(([key, only]) =>
      problem(key, `is ${chosen[key as keyof typeof EXECUTOR_KERNELS]}; a cpu-wasm device has ${only} only`),
    );
};
