import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { checkJob } from '../core/experiment/checks.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import { readJob } from '../core/experiment/job-section.ts';
import type { FileData, Job } from '../core/job.ts';
import { nonNegativeNumber, wholeNumber } from '../core/leaves.ts';
import { mapPaths, problem, show, type Problem, type Problems } from '../core/problem.ts';
import type { Patience } from '../core/scheduler/patience.ts';
import { closed, inside, isRecord, leaf, readStructure } from '../core/structure.ts';

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
  readonly patience: Patience | null;
  /** Rows in the request, in place of files. */
  readonly uploads: { readonly train: UploadedRows | null; readonly heldout: UploadedRows | null };
}

const ANYBODY = 'anybody';

const ownKeys = closed({
  user: leaf<string>('expected up to 64 printable characters', (value) => typeof value === 'string' && /^[\p{L}\p{N}\p{P}\p{S} ]{1,64}$/u.test(value)).default(ANYBODY),
  patience: closed({ evaluations: wholeNumber(1), minimumGain: nonNegativeNumber.default(0) }).nullable().default(null),
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
const withFileNames = ({ user: _user, patience: _patience, data, ...job }: Written): Written => {
  if (!isRecord(data)) return data === undefined ? job : { ...job, data };
  const { rows, heldoutRows, ...others } = data;
  const names = { ...(rows === undefined ? {} : { train: UPLOADED.train }), ...(heldoutRows === undefined || heldoutRows === null ? {} : { heldout: UPLOADED.heldout }) };
  return { ...job, data: { ...others, ...names } };
};

const fromJob = mapPaths((path) => path.replace(/^jobs\[0\]\.?/, ''));

const checkServed = (job: Job, patience: Patience | null): Problem[] => [
  ...(job.arrivalNs > 0 ? [problem('arrival', 'belongs into simulations; a server takes a job when it comes')] : []),
  ...(job.data.kind === 'synthetic' ? [problem('data', 'is a distribution of lengths; training needs rows, in a file (train) or in the request (rows)')] : []),
  ...(patience !== null && job.evaluate === null ? [problem('patience', 'needs evaluate, which says how often the held-out loss is measured')] : []),
];

const readSettings = (body: Written, { experiment, defaults }: ServerSetup, patience: Patience | null): E.Either<Problems, Job> => {
  const { maxPositions } = experiment.model;
  const job = readJob(withFileNames(body), { index: 0, defaults, maxPositions });
  if (E.isLeft(job)) return E.left(fromJob(job.left));
  const wrong = [...checkJob({ index: 0, job: job.right }, experiment.model), ...checkServed(job.right, patience)];
  return isNonEmpty(wrong) ? E.left(fromJob(wrong)) : job;
};

const pick = (value: Written, keys: readonly string[]): Written => Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));

/** What somebody asks for, from the parsed body of the request. Left: everything that is wrong with it. */
export const readSubmission = (body: unknown, setup: ServerSetup): E.Either<Problems, Submission> => {
  if (!isRecord(body)) return E.left([problem('', `is ${show(body)}; expected the settings of a job`)]);
  const data = isRecord(body.data) ? body.data : {};
  const own = readStructure(ownKeys, pick(body, ['user', 'patience']));
  const uploads = readStructure(uploadKeys, pick(data, ['rows', 'heldoutRows']), inside('data'));
  const job = readSettings(body, setup, E.isRight(own) ? own.right.patience : null);
  const wrong = [...[own, uploads, job].flatMap((each) => (E.isLeft(each) ? each.left : [])), ...findTwice(data)];
  if (isNonEmpty(wrong)) return E.left(wrong);
  const [{ user, patience }, { rows, heldoutRows }] = [E.toUnion(own) as z.output<typeof ownKeys>, E.toUnion(uploads) as z.output<typeof uploadKeys>];
  return E.right({ job: E.toUnion(job) as Submission['job'], user, patience, uploads: { train: rows, heldout: heldoutRows } });
};
