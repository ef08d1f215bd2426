import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { checkJob } from '../core/experiment/checks.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import { readJob } from '../core/experiment/job-section.ts';
import type { FileData, Job } from '../core/job.ts';
import { problem, show, type Problem, type Problems } from '../core/problem.ts';
import { closed, inside, isRecord, leaf, pathText, readStructure } from '../core/structure.ts';

/** The experiment that a server was started with, to which jobs come one by one. */
export interface ServerSetup {
  /** Without jobs. */
  readonly experiment: Experiment;
  /** What the file says under `defaults`. */
  readonly defaults: unknown;
}

/** Rows that came with a request. */
export type UploadedRows = readonly unknown[];

/** A job as somebody asks for it, its settings judged as those of an experiment file; its files are not looked at yet. */
export interface Submission {
  readonly job: Job & { readonly data: FileData };
  readonly user: string;
  /** Rows in the request, in place of files. */
  readonly uploads: { readonly train: UploadedRows | null; readonly heldout: UploadedRows | null };
}

const ANYBODY = 'anybody';

const ownKeys = closed({
  user: leaf<string>('expected up to 64 printable characters', (value) => typeof value === 'string' && /^[\p{L}\p{N}\p{P}\p{S} ]{1,64}$/u.test(value)).default(ANYBODY),
});

const rowList = z.array(leaf<unknown>('expected an object', isRecord)).min(1, { error: 'expected at least one row' }).nullable().default(null);
const uploadKeys = closed({ rows: rowList, heldoutRows: rowList });

/** Stand in for file names while the job is judged. */
const UPLOADED = { train: 'uploaded rows', heldout: 'uploaded held-out rows' } as const;

type Written = Readonly<Record<string, unknown>>;

const REPLACES = { rows: 'train', heldoutRows: 'heldout' } as const;

const findTwice = (data: Written): Problem[] =>
  Object.entries(REPLACES).flatMap(([key, file]) =>
    data[key] === undefined || data[key] === null || data[file] === undefined || data[file] === null
      ? []
      : [problem(`data.${key}`, `stands beside data.${file}, ${show(data[file])}; expected one of the two`)],
  );

/** The job as an experiment file would have it, with file names in the place of rows. */
const withFileNames = ({ user: _user, data, ...job }: Written): Written => {
  if (!isRecord(data)) return data === undefined ? job : { ...job, data };
  const { rows, heldoutRows, ...others } = data;
  const names = { ...(rows === undefined ? {} : { train: UPLOADED.train }), ...(heldoutRows === undefined || heldoutRows === null ? {} : { heldout: UPLOADED.heldout }) };
  return { ...job, data: { ...others, ...names } };
};

const checkServed = (job: Job): Problem[] => [
  ...(job.arrivalNs > 0 ? [problem('arrival', 'belongs into simulations; a server takes a job when it comes')] : []),
  ...(job.data.kind === 'synthetic' ? [problem('data', 'is a distribution of lengths; training needs rows, in a file (train) or in the request (rows)')] : []),
];

const readSettings = (body: Written, { experiment, defaults }: ServerSetup): E.Either<Problems, Job> => {
  const { maxPositions } = experiment.model;
  const job = readJob(withFileNames(body), { place: pathText, defaults, maxPositions });
  if (E.isLeft(job)) return job;
  const wrong = [...checkJob({ place: pathText, job: job.right }, experiment.model), ...checkServed(job.right)];
  return isNonEmpty(wrong) ? E.left(wrong) : job;
};

const pick = (value: Written, keys: readonly string[]): Written => Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));

/** What somebody asks for, from the parsed body of the request. Left: everything that is wrong with it. */
export const readSubmission = (body: unknown, setup: ServerSetup): E.Either<Problems, Submission> => {
  if (!isRecord(body)) return E.left([problem('', `is ${show(body)}; expected the settings of a job`)]);
  const data = isRecord(body.data) ? body.data : {};
  const own = readStructure(ownKeys, pick(body, ['user']));
  const uploads = readStructure(uploadKeys, pick(data, ['rows', 'heldoutRows']), inside('data'));
  const job = readSettings(body, setup);
  const wrong = [...[own, uploads, job].flatMap((each) => (E.isLeft(each) ? each.left : [])), ...findTwice(data)];
  if (isNonEmpty(wrong)) return E.left(wrong);
  const [{ user }, { rows, heldoutRows }] = [E.toUnion(own) as z.output<typeof ownKeys>, E.toUnion(uploads) as z.output<typeof uploadKeys>];
  return E.right({ job: E.toUnion(job) as Submission['job'], user, uploads: { train: rows, heldout: heldoutRows } });
};
