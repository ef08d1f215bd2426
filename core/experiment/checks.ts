/** Checks that need more than one part of an experiment. */
import type { Cluster } from '../cluster/cluster.ts';
import { GPU_PRESETS } from '../cluster/gpus.ts';
import type { Job } from '../job.ts';
import { linearShape, type Model } from '../model/model.ts';
import { problem, show, type Problem } from '../problem.ts';
import type { PathSegments } from '../structure.ts';
import type { Experiment } from './experiment.ts';
import { cutOf, pipelineStages, type InstancesSchedule, type Schedule } from './schedule.ts';

/** A job that could be read, and its place in the file. */
export interface PlacedJob {
  readonly place: (segments: PathSegments) => string;
  readonly job: Job;
}

const checkRank = ({ place, job }: PlacedJob, model: Model): Problem[] => {
  const { type, rank, targetModules } = job.adapter;
  // VeRA's rank costs no parameters, and PEFT's default is wider than many modules.
  if (type === 'vera') return [];
  return targetModules.flatMap((module) => {
    const { inputSize, outputSize } = linearShape(model, module);
    if (rank <= Math.min(inputSize, outputSize)) return [];
    const matrix = `the smaller side of ${module} (${outputSize} × ${inputSize})`;
    return [problem(place(['adapter', 'rank']), `is ${rank}; expected at most ${matrix}`)];
  });
};

/** Longest row that may occur, and the key that sets it. */
const longestRow = ({ data }: Job): readonly [key: readonly string[], length: number] => {
  if (data.kind === 'files') return [['maximumLength'], data.maximumLength];
  return data.lengths.type === 'fixed'
    ? [['lengths', 'length'], data.lengths.length]
    : [['lengths', 'maximum'], data.lengths.maximum];
};

const checkLength = ({ place, job }: PlacedJob, model: Model): Problem[] => {
  const [key, length] = longestRow(job);
  if (length <= model.maxPositions) return [];
  return [
    problem(place(['data', ...key]), `is ${length}; expected at most the model's ${model.maxPositions} positions`),
  ];
};

const checkEvaluation = ({ place, job: { evaluate, data } }: PlacedJob): Problem[] => {
  if (evaluate === null || (data.kind === 'files' && (data.heldout !== null || data.split > 0))) return [];
  return [problem(place(['evaluate']), 'has no held-out rows to evaluate; expected data.heldout or data.split')];
};

const checkEarlyExit = ({ place, job }: PlacedJob): Problem[] =>
  (['patience', 'halving'] as const).flatMap((key) =>
    job[key] === undefined || job.evaluate !== null ? [] : [problem(place([key]), 'needs evaluate, which says how often the held-out loss is measured')],
  );

/** Whether the model can carry the job's adapter and rows, and whether there are rows to evaluate. */
export const checkJob = (placed: PlacedJob, model: Model): Problem[] => [
  ...checkEvaluation(placed),
  ...checkEarlyExit(placed),
  ...checkRank(placed, model),
  ...checkLength(placed, model),
];

/** Names become folders, and some file systems do not tell capitals apart. */
export const checkNames = (jobs: readonly PlacedJob[]): Problem[] =>
  jobs.flatMap(({ place, job }, position) => {
    const earlier = jobs.slice(0, position).find((other) => other.job.name.toLowerCase() === job.name.toLowerCase());
    if (earlier === undefined) return [];
    return [problem(place(['name']), `is ${show(job.name)}, the name of ${earlier.place([])}`)];
  });

/** Whether what the trials of a sweep say of it agrees; all of them have to be in the file. */
export const checkSweeps = (jobs: readonly PlacedJob[]): Problem[] =>
  jobs.flatMap(({ place, job: { halving } }) => {
    if (halving === undefined) return [];
    const trials = jobs.filter(({ job }) => job.halving?.name === halving.name);
    const first = trials[0]!.job.halving!;
    const isAlike = halving.trials === first.trials && halving.reduction === first.reduction && halving.rungs.join() === first.rungs.join();
    return [
      ...(halving.trials === trials.length ? [] : [problem(place(['halving', 'trials']), `is ${halving.trials}, and the file has ${trials.length} jobs in the sweep ${halving.name}`)]),
      ...(isAlike ? [] : [problem(place(['halving']), `is unlike that of ${trials[0]!.place([])}, which is in the sweep ${halving.name}, too`)]),
    ];
  });

/** What a schedule has to suit besides the model. */
export interface ScheduleSurroundings {
  readonly deviceCount: number;
  readonly jobs: readonly PlacedJob[];
  /** Jobs in the file, readable or not. */
  readonly jobCount: number;
}

/** Whether every mini-batch can be split, every BatchLoRA group have a job, and every instance its devices. */
export const checkSchedule = (schedule: Schedule, { deviceCount, jobs, jobCount }: ScheduleSurroundings): Problem[] => [
  ...jobs.flatMap((placed) => checkCut(schedule, deviceCount, placed)),
  ...('groups' in schedule ? checkAtMost('groups', schedule.groups, jobCount, 'the number of jobs') : []),
  ...(schedule.type === 'instances' ? checkInstances(schedule, deviceCount, jobCount) : []),
];

const checkCut = (schedule: Schedule, deviceCount: number, { place, job: { batchSize } }: PlacedJob): Problem[] => {
  const cut = cutOf(schedule, deviceCount, batchSize);
  if (cut.batchSize >= cut.microbatches) return [];
  const ranks = cut.microbatches / schedule.microbatches;
  const least = cut.batchSize > batchSize ? schedule.microbatches : cut.microbatches;
  const reason = ranks > 1 && least > schedule.microbatches ? `schedule.microbatches on each of ${ranks} devices` : 'schedule.microbatches';
  return [problem(place(['batchSize']), `is ${batchSize}; expected at least ${reason}, ${least}`)];
};

const checkAtMost = (option: string, value: 'auto' | number, most: number, name: string): Problem[] =>
  value === 'auto' || value <= most ? [] : [problem(`schedule.${option}`, `is ${value}; expected at most ${name}, ${most}`)];

const checkInstances = ({ count, devices }: InstancesSchedule, deviceCount: number, jobCount: number): Problem[] => {
  if (devices !== 'auto' && deviceCount % devices !== 0) {
    return [problem('schedule.devices', `is ${devices}; expected a divisor of the ${deviceCount} devices`)];
  }
  return checkAtMost('count', count, jobCount, 'the number of jobs');
};

/** Whether the model can be cut as the schedule needs it: a layer for every stage, whole heads for every shard. */
export const checkPlacement = (schedule: Schedule, cluster: Cluster, model: Model): Problem[] => {
  const deviceCount = cluster.devices.length;
  if (schedule.type === 'tensor-parallel') return checkShards(deviceCount, model);
  const stages = pipelineStages(schedule, deviceCount);
  if (stages <= model.layerCount) return [];
  const made = stages === deviceCount ? '' : `, for which ${schedule.type} needs ${stages} stages`;
  return [
    problem('cluster', `has ${deviceCount} devices${made}; expected at most ${model.layerCount}, one for each layer of the model`),
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

/** Megatron shares out query heads and the columns of the MLP; key and value heads are repeated where there are too few. */
const checkShards = (ranks: number, { headCount, intermediateSize }: Model): Problem[] =>
  headCount % ranks === 0 && intermediateSize % ranks === 0
    ? []
    : [
        problem(
          'cluster',
          `has ${ranks} devices; tensor-parallel needs a divisor of the model's ${headCount} heads and of its MLP's width, ${intermediateSize}`,
        ),
      ];
