import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as A from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import type { FileData, Job } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import { problem, type Problem, type Problems } from '../../core/problem.ts';
import type { FileProblems } from '../exec-error.ts';
import { readChatTemplate } from './chat-template.ts';
import { encodeRows, type RowEncoding } from './encode-rows.ts';
import { compileTemplate, type PromptTemplate } from './prompt-template.ts';
import { parseRows } from './raw-rows.ts';
import { renderWithChat, renderWithTemplates, type RenderRow } from './render-row.ts';
import type { RowTable } from './row-table.ts';
import { splitRows } from './split-rows.ts';
import { readTokenizer, type TextCodec } from './tokenizer.ts';

/** The encoded rows of one job; `heldout` is null for a job that is not evaluated. */
export interface JobRows {
  readonly training: RowTable;
  readonly heldout: RowTable | null;
}

export interface JobRowsOptions {
  readonly jobs: readonly Job[];
  readonly model: Model;
  /** Folder of the model's tokenizer. */
  readonly modelFolder: string;
  /** Folder that the jobs' file names are relative to. */
  readonly dataFolder: string;
}

/** Why a job has no rows. */
interface NoRows {
  readonly files: readonly FileProblems[];
  /** Files, templates and settings are right; single rows are not. */
  readonly onlyRows: boolean;
}

type Attempt<A> = E.Either<NoRows, A>;

/** A job whose files hold rows that cannot be read. */
export interface BrokenJob {
  readonly job: Job;
  readonly files: readonly FileProblems[];
}

/** Rows of the jobs that have them all, in job order, and the jobs that do not. */
export interface SoundRows {
  readonly sound: readonly { readonly job: Job; readonly rows: JobRows }[];
  readonly broken: readonly BrokenJob[];
}

const fail = (file: string, problems: Problems): Attempt<never> => E.left({ files: [{ file, problems }], onlyRows: false });

const compile = (path: string, text: string): E.Either<Problem, PromptTemplate> =>
  E.mapLeft((reason: string) => problem(path, `is not a Jinja template: ${reason}`))(compileTemplate(text));

const checkLength = (maximumLength: number, { maxPositions }: Model): E.Either<Problem, number> =>
  maximumLength <= maxPositions
    ? E.right(maximumLength)
    : E.left(problem('data.maximumLength', `${maximumLength} is more than the model's ${maxPositions} positions`));

/** How rows become text; Left: the wrong templates. */
const prepareRender = async (data: FileData, modelFolder: string): Promise<E.Either<Problems, RenderRow>> => {
  if (data.format === 'chat') return E.map(renderWithChat)(await readChatTemplate(modelFolder));
  const prompt = compile('data.prompt', data.prompt);
  const completion = compile('data.completion', data.completion);
  if (E.isRight(prompt) && E.isRight(completion)) return E.right(renderWithTemplates(prompt.right, completion.right));
  return E.left(A.lefts<Problem, unknown>([prompt, completion]) as [Problem, ...Problem[]]);
};

const prepareEncoding = async (data: FileData, codec: TextCodec, options: JobRowsOptions): Promise<E.Either<Problems, RowEncoding>> => {
  const { model, modelFolder } = options;
  const render = await prepareRender(data, modelFolder);
  const length = checkLength(data.maximumLength, model);
  if (E.isRight(render) && E.isRight(length)) {
    const { vocabularySize } = model;
    return E.right({ codec, render: render.right, loss: data.loss, maximumLength: length.right, vocabularySize });
  }
  const wrong = [...(E.isLeft(render) ? render.left : []), ...(E.isLeft(length) ? [length.left] : [])];
  return E.left(wrong as [Problem, ...Problem[]]);
};

const readRows = async (path: string, encoding: RowEncoding): Promise<Attempt<RowTable>> => {
  try {
    const raw = await parseRows(path, new Uint8Array(await readFile(path)));
    if (E.isLeft(raw)) return fail(path, raw.left);
    const onlyRows = raw.right.length > 0;
    return E.mapLeft((problems: Problems) => ({ files: [{ file: path, problems }], onlyRows }))(encodeRows(raw.right, encoding));
  } catch (error) {
    return fail(path, [problem('', `cannot be read: ${messageOf(error)}`)]);
  }
};

const joinReasons = (reasons: readonly NoRows[]): NoRows => ({
  files: reasons.flatMap(({ files }) => files),
  onlyRows: reasons.every(({ onlyRows }) => onlyRows),
});

const readJob = async (job: Job, codec: TextCodec, options: JobRowsOptions): Promise<Attempt<JobRows>> => {
  const { name, data } = job;
  const place = `job ${name}`;
  if (data.kind === 'synthetic') {
    return fail(place, [problem('data', 'synthetic lengths can be planned and simulated; training needs rows in files')]);
  }
  const encoding = await prepareEncoding(data, codec, options);
  if (E.isLeft(encoding)) return fail(place, encoding.left);
  const readFrom = (file: string): Promise<Attempt<RowTable>> => readRows(resolve(options.dataFolder, file), encoding.right);
  const training = await readFrom(data.train);
  const heldout = data.heldout === null ? E.right(null) : await readFrom(data.heldout);
  if (E.isLeft(training) || E.isLeft(heldout)) return E.left(joinReasons(A.lefts<NoRows, unknown>([training, heldout])));
  if (data.split === 0) return E.right({ training: training.right, heldout: heldout.right });
  const split = splitRows(training.right, data.split, job.seed);
  return split === null ? fail(place, [problem('data.split', `${data.train} has one row; nothing can be held out`)]) : E.right(split);
};

const readJobs = async (options: JobRowsOptions): Promise<readonly Attempt<JobRows>[]> => {
  const codec = await readTokenizer(options.modelFolder);
  if (E.isLeft(codec)) return [fail(options.modelFolder, codec.left)];
  return Promise.all(options.jobs.map((job) => readJob(job, codec.right, options)));
};

/** Reads and encodes the data files of all jobs, in job order. Left: everything wrong in every file. */
export const readJobRows = async (
  options: JobRowsOptions,
): Promise<E.Either<readonly FileProblems[], readonly JobRows[]>> => {
  const read = await readJobs(options);
  const wrong = A.lefts([...read]);
  return wrong.length > 0 ? E.left(joinReasons(wrong).files) : E.right(A.rights([...read]));
};

/**
 * As `readJobRows`, but a broken row costs its own job only. Left: everything wrong, where there is more than broken rows
 * or no job is left.
 */
export const readSoundRows = async (options: JobRowsOptions): Promise<E.Either<readonly FileProblems[], SoundRows>> => {
  const read = await readJobs(options);
  const wrong = joinReasons(A.lefts([...read]));
  if (!wrong.onlyRows || read.every(E.isLeft)) return E.left(wrong.files);
  const each = read.map((attempt, index) => ({ attempt, job: options.jobs[index]! }));
  return E.right({
    sound: each.flatMap(({ attempt, job }) => (E.isRight(attempt) ? [{ job, rows: attempt.right }] : [])),
    broken: each.flatMap(({ attempt, job }) => (E.isLeft(attempt) ? [{ job, files: attempt.left.files }] : [])),
  });
};
