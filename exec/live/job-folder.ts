import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { messageOf } from '../../core/error-message.ts';
import { problem, type Problems } from '../../core/problem.ts';
import { writeFileAtomically } from '../checkpoint/write-files.ts';
import type { ExecError } from '../exec-error.ts';

/** Where one job of a live run keeps what must outlive the process. */
export interface JobFolder {
  readonly adapter: string;
  readonly checkpoints: string;
  readonly outcome: string;
}

const ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;

/** Whether an id can name a folder. */
export const isJobId = (id: string): boolean => ID.test(id);

const jobsFolder = (folder: string): string => join(folder, 'jobs');

export const jobFolder = (folder: string, id: string): JobFolder => {
  const own = join(jobsFolder(folder), id);
  return { adapter: join(own, 'adapter'), checkpoints: join(own, 'checkpoints'), outcome: join(own, 'outcome.json') };
};

const outcomeSchema = z.object({
  version: z.literal(1),
  outcome: z.enum(['completed', 'stopped', 'cancelled', 'failed', 'neverFits']),
  iteration: z.number().int().min(0),
  made: z.number().int().min(0).optional(),
  heldoutLoss: z.number().nullable().default(null),
  hasAdapter: z.boolean(),
  error: z.string().nullable(),
});

/** How a job ended; see `LiveFinish`. */
export type SavedOutcome = Omit<z.output<typeof outcomeSchema>, 'version' | 'made'> & { readonly made: number };

/** The outcome of a job that has finished, null of one that has not; Left: the file is there and is no outcome. */
export const readOutcome = async ({ outcome: file }: JobFolder): Promise<E.Either<Problems, SavedOutcome | null>> => {
  try {
    const read = outcomeSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    if (!read.success) return E.left([problem('', 'is no outcome of this version')]);
    const { version: _version, ...outcome } = read.data;
    return E.right({ ...outcome, made: outcome.made ?? outcome.iteration });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return E.right(null);
    return E.left([problem('', `cannot be read: ${messageOf(error)}`)]);
  }
};

export const writeOutcome = async ({ outcome: file }: JobFolder, outcome: SavedOutcome): Promise<void> => {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFileAtomically(file, [Buffer.from(JSON.stringify({ version: 1, ...outcome }))]);
};

/** Creates the folder of a live run where it is missing and tries to write into it. */
export const prepareLiveFolder = async (folder: string): Promise<E.Either<ExecError, void>> => {
  try {
    const jobs = jobsFolder(folder);
    await mkdir(jobs, { recursive: true });
    await rm(await mkdtemp(join(jobs, '.probe-')), { recursive: true });
    return E.right(undefined);
  } catch (error) {
    return E.left({ kind: 'outputUnwritable', folder, reason: messageOf(error) });
  }
};
