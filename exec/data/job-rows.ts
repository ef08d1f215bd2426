import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as A from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { Job, JobData } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import { problem, type Problem, type Problems } from '../../core/problem.ts';
import type { FileProblems } from '../exec-error.ts';
import { encodeRows, type RowEncoding } from './encode-rows.ts';
import { compileTemplate, type PromptTemplate } from './prompt-template.ts';
import type { RowTable } from './row-table.ts';
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

type Attempt<A> = E.Either<readonly FileProblems[], A>;

const fail = (file: string, problems: Problems): Attempt<never> => E.left([{ file, problems }]);

type FileData = Extract<JobData, { kind: 'files' }>;

const compile = (path: string, text: string): E.Either<Problem, PromptTemplate> =>
  E.mapLeft((reason: string) => problem(path, `is not a Jinja template: ${reason}`))(compileTemplate(text));

const checkLength = (maximumLength: number, { maxPositions }: Model): E.Either<Problem, number> =>
  maximumLength <= maxPositions
    ? E.right(maximumLength)
    : E.left(problem('data.maximumLength', `${maximumLength} is more than the model's ${maxPositions} positions`));

const prepareEncoding = (data: FileData, model: Model, codec: TextCodec): E.Either<Problems, RowEncoding> => {
  const prompt = compile('data.prompt', data.prompt);
  const completion = compile('data.completion', data.completion);
  const length = checkLength(data.maximumLength, model);
  if (E.isLeft(prompt) || E.isLeft(completion) || E.isLeft(length)) {
    return E.left(A.lefts<Problem, unknown>([prompt, completion, length]) as [Problem, ...Problem[]]);
  }
  return E.right({
    codec,
    prompt: prompt.right,
    completion: completion.right,
    maximumLength: length.right,
    vocabularySize: model.vocabularySize,
  });
};

const readRows = async (path: string, encoding: RowEncoding): Promise<Attempt<RowTable>> => {
  try {
    const text = await readFile(path, 'utf8');
    return E.mapLeft((problems: Problems) => [{ file: path, problems }])(encodeRows(text, encoding));
  } catch (error) {
    return fail(path, [problem('', `cannot be read: ${error instanceof Error ? error.message : String(error)}`)]);
  }
};

const readJob = async ({ name, data }: Job, codec: TextCodec, options: JobRowsOptions): Promise<Attempt<JobRows>> => {
  const place = `job ${name}`;
  if (data.kind === 'synthetic') {
    return fail(place, [problem('data', 'synthetic lengths can be planned and simulated; training needs rows in files')]);
  }
  const encoding = prepareEncoding(data, options.model, codec);
  if (E.isLeft(encoding)) return fail(place, encoding.left);
  const readFrom = (file: string): Promise<Attempt<RowTable>> => readRows(resolve(options.dataFolder, file), encoding.right);
  const training = await readFrom(data.train);
  const heldout = data.heldout === null ? E.right(null) : await readFrom(data.heldout);
  if (E.isLeft(training) || E.isLeft(heldout)) return E.left(A.lefts([training, heldout]).flat());
  return E.right({ training: training.right, heldout: heldout.right });
};

/** Reads and encodes the data files of all jobs, in job order. Left: everything wrong in every file. */
export const readJobRows = async (
  options: JobRowsOptions,
): Promise<E.Either<readonly FileProblems[], readonly JobRows[]>> => {
  const codec = await readTokenizer(options.modelFolder);
  if (E.isLeft(codec)) return fail(options.modelFolder, codec.left);
  const read = await Promise.all(options.jobs.map((job) => readJob(job, codec.right, options)));
  const wrong = A.lefts(read).flat();
  return wrong.length > 0 ? E.left(wrong) : E.right(A.rights(read));
};
