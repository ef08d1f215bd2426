import { isNonEmpty } from 'fp-ts/lib/Array.js';
import { chain, isLeft, left, right, type Either } from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as z from 'zod';
import type { Precision } from '../cluster/cluster.ts';
import { nonEmptyText, wholeNumber } from '../leaves.ts';
import { formatProblems, problem, show, type Problem, type Problems } from '../problem.ts';
import { closed, isRecord, leaf, oneOf, readStructure } from '../structure.ts';
import { checkJob, checkKernels, checkNames, checkPlacement, checkSchedule, checkSweeps, type PlacedJob } from './checks.ts';
import { readCluster, type ClusterSection } from './cluster-section.ts';
import { BASE_WEIGHTS } from '../work/frozen-linear.ts';
import { ATTENTION_KERNELS, ELEMENTWISE_KERNELS, type Experiment } from './experiment.ts';
import { expandGrids, placeIn, type JobGrid, type WrittenJob } from './job-grid.ts';
import { readJob, type JobSection } from './job-section.ts';
import { readModel, type ExperimentContext, type ModelSection } from './model-section.ts';
import type { Schedule } from './schedule.ts';
import { readSchedule } from './schedule-section.ts';
import { parseYaml } from './yaml-text.ts';

const PRECISIONS = ['fp32', 'tf32', 'bf16', 'fp16'] as const satisfies readonly Precision[];

/** The file itself; its sections are read apart, so that an error in one does not hide those of the others. */
const fileKeys = {
  name: nonEmptyText,
  precision: oneOf(PRECISIONS).default('fp32'),
  baseWeights: oneOf(BASE_WEIGHTS).default('full'),
  attention: oneOf(ATTENTION_KERNELS).default('scores'),
  elementwise: oneOf(ELEMENTWISE_KERNELS).default('auto'),
  model: z.unknown().optional(),
  cluster: z.unknown().optional(),
  schedule: z.unknown().optional(),
  checkpoint: closed({ every: wholeNumber(1).default(20), keep: wholeNumber(1).default(2) }).prefault({}),
  defaults: leaf<unknown>('expected a mapping of job settings', isRecord).optional(),
};

const fileSchema = closed({ ...fileKeys, jobs: z.array(z.unknown()).min(1, { error: 'expected at least one job' }) });

/** The file of a server, to which jobs come later: those it may hold are not read. */
const setupSchema = closed({ ...fileKeys, jobs: z.unknown().optional() });

type File = Omit<z.output<typeof setupSchema>, 'jobs'>;

/** Takes the value out of a result, or notes why there is none and returns null. */
type Keep = <T>(result: Either<Problems, T>) => T | null;

/** What could be read of each section; null where something is wrong with it. */
interface Sections {
  readonly file: File | null;
  readonly model: ModelSection | null;
  readonly cluster: ClusterSection | null;
  readonly schedule: Schedule | null;
  readonly jobs: readonly PlacedJob[];
  readonly grids: readonly JobGrid[];
  /** Jobs in the file, readable or not; of a grid, its trials. */
  readonly jobCount: number;
}

type Written = Readonly<Record<string, unknown>>;

interface Reading {
  readonly schema: typeof fileSchema | typeof setupSchema;
  readonly context: ExperimentContext;
  readonly keep: Keep;
}

const readJobs = (written: readonly WrittenJob[], section: Omit<JobSection, 'place'>, keep: Keep): PlacedJob[] =>
  written.flatMap((each): PlacedJob[] => {
    const place = placeIn(each);
    const job = keep(readJob(each.value, { ...section, place }));
    return job === null ? [] : [{ place, job }];
  });

/** A piece per device fills the pipeline; no mini-batch can be cut into more pieces than it has rows. */
const usualMicrobatches = (cluster: ClusterSection | null, jobs: readonly PlacedJob[]): number =>
  Math.min(cluster?.cluster.devices.length ?? 1, ...jobs.map(({ job }) => job.batchSize));

const readSections = (value: Written, { schema, context, keep }: Reading): Sections => {
  const file = keep(readStructure(schema, value));
  const model = keep(readModel(value.model, context));
  const cluster = keep(readCluster(value.cluster));
  const isSetup = schema === setupSchema;
  const written: readonly unknown[] = !isSetup && Array.isArray(value.jobs) ? value.jobs : [];
  const maxPositions = model?.model.maxPositions ?? Infinity;
  const expanded = expandGrids(written, value.defaults);
  const [problem, ...problems] = expanded.problems;
  if (problem !== undefined) keep(left([problem, ...problems]));
  const jobs = readJobs(expanded.jobs, { defaults: value.defaults, maxPositions }, keep);
  const schedule = keep(readSchedule(value.schedule, usualMicrobatches(cluster, jobs)));
  return { file, model, cluster, schedule, jobs, grids: expanded.grids, jobCount: isSetup ? Infinity : expanded.jobs.length };
};

const checkSections = ({ file, model, cluster, schedule, jobs, jobCount }: Sections): Problem[] => [
  ...checkNames(jobs),
  ...(jobs.length === jobCount ? checkSweeps(jobs) : []),
  ...(file === null || cluster === null ? [] : checkKernels(file, cluster.cluster)),
  ...(schedule === null || cluster === null ? [] : checkSchedule(schedule, { deviceCount: cluster.cluster.devices.length, jobs, jobCount })),
  ...(model === null ? [] : jobs.flatMap((job) => checkJob(job, model.model))),
  ...(model === null || cluster === null || schedule === null ? [] : checkPlacement(schedule, cluster.cluster, model.model)),
];

const joinSections = ({ file, model, cluster, schedule, jobs, grids }: Sections): Experiment => ({
  name: file!.name,
  model: model!.model,
  modelSource: model!.source,
  precision: file!.precision,
  baseWeights: file!.baseWeights,
  attention: file!.attention,
  elementwise: file!.elementwise,
  cluster: cluster!.cluster,
  clusterDescription: cluster!.description,
  schedule: schedule!,
  checkpoint: file!.checkpoint,
  jobs: jobs.map(({ job }) => job),
  grids,
});

/** A value that several jobs inherit is reported once. */
const withoutRepeats = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((each) => [formatProblems('', [each]), each])).values(),
];

/**
 * An experiment from the parsed content of its file, every default filled in. Left: everything that is wrong with it,
 * in each section and between them.
 */
export const resolveExperiment = (value: unknown, context: ExperimentContext): Either<Problems, Experiment> => resolve(value, fileSchema, context);

/** An experiment as `resolveExperiment` reads it, but without jobs: a server gets them one by one. */
export const resolveSetup = (value: unknown, context: ExperimentContext): Either<Problems, Experiment> => resolve(value, setupSchema, context);

const resolve = (value: unknown, schema: Reading['schema'], context: ExperimentContext): Either<Problems, Experiment> => {
  if (!isRecord(value)) return left([problem('', `is ${show(value)}; expected the sections of an experiment`)]);
  const found: Problem[] = [];
  const keep: Keep = (result) => {
    if (!isLeft(result)) return result.right;
    found.push(...result.left);
    return null;
  };
  const sections = readSections(value, { schema, context, keep });
  found.push(...checkSections(sections));
  const problems = withoutRepeats(found);
  return isNonEmpty(problems) ? left(problems) : right(joinSections(sections));
};

/** An experiment from the YAML text of its file; see `resolveExperiment`. */
export const readExperiment = (text: string, context: ExperimentContext): Either<Problems, Experiment> =>
  pipe(
    parseYaml(text),
    chain((value) => resolveExperiment(value, context)),
  );
