import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { problem } from '../../core/problem.ts';
import type { SchedulerState } from '../../core/scheduler/scheduler.ts';
import { writeFileAtomically } from '../checkpoint/write-files.ts';
import type { ExecError } from '../exec-error.ts';

/*
 * What the scheduler has learnt beyond single jobs. Jobs are not in it: they are submitted again, and where they stand is
 * in their checkpoints.
 */

const numbers = z.array(z.number());
const schema = z.object({
  version: z.literal(1),
  serviceNs: z.record(z.string(), z.number()),
  memory: z.record(z.string(), z.array(z.object({ size: z.object({ rows: z.number(), length: z.number() }), ledgerBytes: numbers, heldBytes: numbers }))),
  sweeps: z.record(
    z.string(),
    z.object({
      submitted: z.number(),
      refused: z.number().default(0),
      ended: z.number().default(0),
      active: z.number(),
      results: z.array(z.array(z.object({ job: z.string(), loss: z.number() }))),
      promoted: z.array(z.array(z.string())),
    }),
  ),
});

export type LearntState = Pick<SchedulerState, 'serviceNs' | 'memory' | 'sweeps'>;

export const NOTHING_LEARNT: LearntState = { serviceNs: {}, memory: {}, sweeps: {} };

const fileOf = (folder: string): string => join(folder, 'scheduler.json');

export const readLearnt = async (folder: string): Promise<E.Either<ExecError, LearntState>> => {
  const file = fileOf(folder);
  const bad = (message: string): E.Either<ExecError, never> => E.left({ kind: 'badInput', files: [{ file, problems: [problem('', message)] }] });
  try {
    const read = schema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return read.success ? E.right(read.data) : bad('is no state of a scheduler of this version; without the file it starts afresh');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return E.right(NOTHING_LEARNT);
    return bad(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** Trials that have not finished, or were refused, count when they are submitted again. */
export const writeLearnt = async (folder: string, { serviceNs, memory, sweeps, jobs }: LearntState & Pick<SchedulerState, 'jobs'>): Promise<void> => {
  const unfinished = (name: string): number => jobs.filter(({ spec }) => spec.sweep?.name === name).length;
  const settled = Object.entries(sweeps).map(([name, sweep]) => [name, { ...sweep, submitted: sweep.submitted - unfinished(name), refused: 0, active: 0 }] as const);
  const content: z.output<typeof schema> = structuredClone({ version: 1, serviceNs, memory, sweeps: Object.fromEntries(settled) }) as z.output<typeof schema>;
  await writeFileAtomically(fileOf(folder), [Buffer.from(JSON.stringify(content))]);
};
