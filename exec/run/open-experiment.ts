import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { messageOf } from '../../core/error-message.ts';
import type { FileSizes } from '../../core/experiment/build-workload.ts';
import { relocateExperiment } from '../../core/experiment/format.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { ExperimentContext } from '../../core/experiment/model-section.ts';
import { readExperiment } from '../../core/experiment/read.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import type { Job } from '../../core/job.ts';
import { problem, type Problems } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import { downloadModel } from '../checkpoint/download-model.ts';
import { isAbsentHubModel, locateModel, modelCache } from '../checkpoint/hub-model.ts';
import { readJobRows, readSoundRows, type BrokenJob, type SoundRows } from '../data/job-rows.ts';
import { createTrainJob, heldoutParts, trainingSource, type TrainJob } from './train-job.ts';
import type { FileProblems } from '../exec-error.ts';

const inFile = (file: string, problems: Problems): readonly FileProblems[] => [{ file, problems }];

/** An experiment with everything its file refers to. Its paths are absolute. */
export interface OpenExperiment {
  readonly experiment: Experiment;
  /** Rows of the jobs whose data is in files; null where a job's lengths are synthetic. */
  readonly trainJobs: readonly TrainJob[] | null;
  readonly files: FileSizes;
  /** Jobs that are not in `experiment`, because rows of their data are broken. */
  readonly leftOut: readonly BrokenJob[];
}

export interface OpenOptions {
  /** What a row that cannot be read costs; by default the whole experiment. */
  readonly brokenRows?: 'refuse' | 'leaveJobOut';
}

/** The text of a file, or a problem that says why it cannot be read. */
export const readText = (path: string): TE.TaskEither<readonly FileProblems[], string> =>
  TE.tryCatch(
    () => readFile(path, 'utf8'),
    (error) => inFile(path, [problem('', `cannot be read: ${messageOf(error)}`)]),
  );

/** Reads the config.json of models that are named by hub ids or relative to `folder`. */
export const contextOf = (folder: string): ExperimentContext => ({
  readModelConfig: (name) => {
    const path = join(locateModel(folder, name, modelCache()), 'config.json');
    return E.tryCatch(
      () => JSON.parse(readFileSync(path, 'utf8')) as unknown,
      (error): Problems => [problem('', `${path} cannot be read: ${messageOf(error)}`)],
    );
  },
});

/** Downloads the model of an experiment file in `folder` if it is a hub's and not here yet. */
export const fetchModel = (path: string, text: string): TE.TaskEither<readonly FileProblems[], unknown> => {
  const file = E.toUnion(parseYaml(text));
  const name = isRecord(file) ? file.model : undefined;
  if (typeof name !== 'string' || !isAbsentHubModel(dirname(path), name, modelCache())) return TE.right(null);
  const accessToken = process.env.HF_TOKEN;
  const options = { cache: modelCache(), ...(accessToken === undefined ? {} : { accessToken }) };
  return pipe(
    () => downloadModel(name, options),
    TE.mapLeft((problems) => inFile(path, problems)),
  );
};

/** The experiment of a file in `folder` with absolute paths. */
export const withAbsolutePaths = (folder: string, experiment: Experiment): Experiment => ({
  ...relocateExperiment(experiment, (path) => resolve(folder, path)),
  modelSource:
    experiment.modelSource.kind === 'folder'
      ? { kind: 'folder', path: locateModel(folder, experiment.modelSource.path, modelCache()) }
      : experiment.modelSource,
});

/** The experiment as a file in `folder` names its model and data. */
export const asSeenFrom = (folder: string, experiment: Experiment): Experiment =>
  relocateExperiment(experiment, (path) => relative(resolve(folder), path));

/** Reads an experiment file and the rows of its jobs. Left: everything wrong in any of the files. */
export const openExperiment = (path: string, options: OpenOptions = {}): TE.TaskEither<readonly FileProblems[], OpenExperiment> =>
  pipe(
    readText(path),
    TE.chainFirst((text) => fetchModel(path, text)),
    TE.chainEitherK((text) =>
      pipe(
        readExperiment(text, contextOf(dirname(path))),
        E.mapLeft((problems) => inFile(path, problems)),
      ),
    ),
    TE.map((experiment) => withAbsolutePaths(dirname(path), experiment)),
    TE.chain((experiment) => openData(experiment, options)),
  );

type RowsRequest = Parameters<typeof readJobRows>[0];

const readAllSound = (request: RowsRequest): ReturnType<typeof readSoundRows> =>
  readJobRows(request).then(
    E.map((rows): SoundRows => ({ sound: request.jobs.map((job, index) => ({ job, rows: rows[index]! })), broken: [] })),
  );

/** Reads the rows of the jobs of an experiment with absolute paths. */
export const openData = (experiment: Experiment, { brokenRows = 'refuse' }: OpenOptions = {}): TE.TaskEither<readonly FileProblems[], OpenExperiment> => {
  const { jobs, model, modelSource, schedule } = experiment;
  const inFiles = jobs.filter(({ data }) => data.kind === 'files');
  if (inFiles.length === 0) return TE.right({ experiment, trainJobs: null, files: NO_FILES, leftOut: [] });
  if (modelSource.kind === 'preset') {
    return TE.left(inFile(experiment.name, [problem('model', `is the preset ${model.name}; rows in files need a model folder with its tokenizer`)]));
  }
  const read = brokenRows === 'refuse' ? readAllSound : readSoundRows;
  return pipe(
    () => read({ jobs: inFiles, model, modelFolder: modelSource.path, dataFolder: '/' }),
    TE.map(({ sound, broken }) => {
      const trainJobs = sound.map(({ job, rows }) => createTrainJob(job, rows, schedule.microbatches));
      const complete = inFiles.length === jobs.length;
      const taken = jobs.filter((job) => broken.every((each) => each.job !== job));
      return { experiment: { ...experiment, jobs: taken }, trainJobs: complete ? trainJobs : null, files: sizesOf(trainJobs), leftOut: broken };
    }),
  );
};

const NO_FILES: FileSizes = {
  rowCount: ({ name }) => {
    throw new Error(`job ${name} has no rows in files`);
  },
  part: ({ name }) => {
    throw new Error(`job ${name} has no rows in files`);
  },
  heldout: () => [],
};

/** Sizes of the rows of jobs in the order training takes them. */
export const sizesOf = (trainJobs: readonly TrainJob[]): FileSizes => {
  const trainJobOf = new Map(trainJobs.map((trainJob) => [trainJob.job.name, trainJob]));
  return {
    rowCount: ({ name }: Job) => trainJobOf.get(name)!.rows.training.length,
    part: (job, { batchSize, microbatches }) =>
      trainingSource(createTrainJob({ ...job, batchSize }, trainJobOf.get(job.name)!.rows, microbatches)).part,
    heldout: ({ name }) => heldoutParts(trainJobOf.get(name)!),
  };
};
